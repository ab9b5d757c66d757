"""Reports of earlier nights: each night's ``report.json`` under the time at which its data end.

``archive/index.json`` lists them: any web server that serves the folder makes of it a read-only JSON API.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from brownout.domain.errors import DataError, HistoryError
from brownout.domain.findings.earlier_night import EarlierNight
from brownout.domain.night import Night
from brownout.nightly.effects.champions import challenger_of, record_of
from brownout.nightly.effects.review.card_files import CARD_PAGE
from brownout.numerics.slots import days
from brownout.reporting import load_night, render
from brownout.reporting.messages import Language
from brownout.reporting.views.changes import shortened
from brownout.store.atomic import atomic_path
from brownout.store.workspace import Workspace

__all__ = ["archive_name", "archived_nights", "night_index", "rerender", "write_night_report"]

INDEX = "index.json"
INDEX_FIELDS = ("headline", "incidents_open", "incidents_over", "exceeded", "probable", "consoles", "consoles_too_slow")
"""What the index repeats of the summary of a night."""
KEPT_CARDS = 60
"""Cards that stay beside the report: a year of weekly trainings."""


def archive_name(end: np.datetime64) -> str:
    """Folder of a night by the end of its data, e.g. ``2026-03-16T0215Z``."""
    return str(end.astype("datetime64[m]")).replace(":", "") + "Z"


def archived_nights(workspace: Workspace) -> tuple[str, ...]:
    """Names of the nights of the archive, the oldest first."""
    if not workspace.archive.is_dir():
        return ()
    return tuple(sorted(path.parent.name for path in workspace.archive.glob("*/report.json")))


def write_night_report(night: Night, workspace: Workspace, *, keep_days: float, language: Language = "en") -> Path:
    """Write the report, with what changed since the last one, and keep a copy of its JSON; returns the page's path."""
    name = archive_name(night.end)
    render(replace(night, before=_before(workspace, name)), workspace.report, language=language)
    archived = workspace.archive / name / "report.json"
    with atomic_path(archived) as part:
        shutil.copyfile(workspace.report / "report.json", part)
    _copy_cards(night, workspace)
    _prune(workspace.archive, archive_name(night.end - days(keep_days)))
    _write_index(workspace, name)
    return workspace.report / "index.html"


def rerender(workspace: Workspace, night: str, language: Language) -> Path:
    """Write the page and the text of an archived night beside its ``report.json``; returns the page's path.

    ``night`` is its name, the only beginning of one, or ``last``, which is written to the folder of the latest
    report. Raises HistoryError where no night has that name.
    """
    names = archived_nights(workspace)
    fitting = names[-1:] if night == "last" else [name for name in names if name.startswith(night)]
    if len(fitting) != 1:
        few = ", ".join(names[-5:]) or "none"
        what = f"{len(fitting)} nights of {workspace.archive} are called {night!r}."
        raise HistoryError(what, remedy=f"Give one of --list, such as: {few}.")
    archived = workspace.archive / fitting[0] / "report.json"
    folder = workspace.report if night == "last" else archived.parent
    # The archive keeps the words that were told that night.
    render(load_night(archived), folder, language=language, record=folder == workspace.report)
    return folder / "index.html"


def _copy_cards(night: Night, workspace: Workspace) -> None:
    """Put the cards of the night's models beside its report, where a link of the page finds them."""
    cards = workspace.report / "cards"
    waiting = (*night.models, *night.waiting)
    known = {record.card for record in waiting if record.card}
    for champion in (workspace.forecaster, workspace.detector):
        for folder in (champion, challenger_of(champion)):
            record = record_of(folder)
            if record is None or record.card not in known or not (folder / CARD_PAGE).is_file():
                continue
            with atomic_path(cards / record.card) as part:
                shutil.copyfile(folder / CARD_PAGE, part)
    newest_first = sorted(cards.glob("*.html"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in newest_first[KEPT_CARDS:]:
        path.unlink(missing_ok=True)


def _before(workspace: Workspace, name: str) -> EarlierNight | None:
    """The last night of the archive before one, in short; None where there is none that can be read."""
    earlier = [other for other in archived_nights(workspace) if other < name]
    if not earlier:
        return None
    try:
        return shortened(load_night(workspace.archive / earlier[-1] / "report.json"))
    except DataError:
        return None


def _prune(archive: Path, oldest: str) -> None:
    """Remove the nights whose data ended before a time, by their names."""
    for folder in archive.iterdir():
        if folder.is_dir() and (folder / "report.json").is_file() and folder.name < oldest:
            shutil.rmtree(folder)


def night_index(workspace: Workspace, *, without: str = "") -> list[Mapping[str, Any]]:
    """Nights of the archive in short, the newest first: what the index says, anew of the night ``without``."""
    known = {entry["night"]: entry for entry in _indexed(workspace.archive / INDEX) if entry["night"] != without}
    names = reversed(archived_nights(workspace))
    return [known[name] if name in known else _entry(workspace.archive, name) for name in names]


def _write_index(workspace: Workspace, written: str) -> None:
    """List the nights of the archive, the newest first; what an index said of another night stays."""
    entries = night_index(workspace, without=written)
    with atomic_path(workspace.archive / INDEX) as part:
        part.write_text(json.dumps({"nights": entries}, indent=1, ensure_ascii=False), encoding="utf-8")


def _indexed(path: Path) -> list[Mapping[str, Any]]:
    """Entries of an index that is there and whole; none of one that is not: it is written anew."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["nights"]
        return [entry for entry in entries if isinstance(entry["night"], str) and isinstance(entry["report"], str)]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _entry(archive: Path, name: str) -> Mapping[str, Any]:
    """A night as the index lists it; one that cannot be read is listed by its name."""
    entry: dict[str, Any] = {"night": name, "report": f"{name}/report.json"}
    try:
        document = json.loads((archive / name / "report.json").read_text(encoding="utf-8"))
        summary = document["summary"]
        entry |= {"source": document["source"], "created": document["created"], "end": document["window"]["end"]}
        entry |= {field: summary[field] for field in INDEX_FIELDS if field in summary}
    except (OSError, ValueError, KeyError, TypeError):
        entry["error"] = "report.json is damaged"
    return entry
