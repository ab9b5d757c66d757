"""A month in short, from the reports of its nights: what happened how often and how long, and to whom."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brownout.domain.errors import DataError, HistoryError
from brownout.domain.findings import Diagnosis
from brownout.domain.night import Night
from brownout.nightly.effects.report_archive import archived_nights
from brownout.reporting import load_night
from brownout.reporting.markdown import escape_markdown
from brownout.reporting.numbers import span
from brownout.store.atomic import write_text
from brownout.store.workspace import Workspace

__all__ = ["Month", "month_of", "write_month"]

FEW = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """The incidents and warnings of the nights of a month.

    ``incidents`` are counted once each, as the last night that told them knew them; ``unread`` are nights whose file is
    damaged.
    """

    name: str
    nights: int
    unread: int
    incidents: tuple[Diagnosis, ...]
    breaches: tuple[tuple[str, str, int], ...]

    def text(self) -> str:
        """The month as Markdown."""
        causes = Counter(incident.top.title for incident in self.incidents)
        hours: Counter[str] = Counter()
        for incident in self.incidents:
            length = (incident.end - incident.start) / np.timedelta64(1, "s")
            hours[incident.top.entity or incident.entities[0]] += round(float(length))
        unread = f", {self.unread} could not be read" if self.unread else ""
        lines = [f"# {self.name}", "", f"{self.nights} nights{unread}, {len(self.incidents)} incidents.", ""]
        lines += _table("Cause", "incidents", ((title, str(number)) for title, number in causes.most_common(FEW)))
        lines += _table("Where", "in incidents for", ((name, span(s)) for name, s in hours.most_common(FEW)))
        warned = ((f"{entity}: {metric}", str(number)) for entity, metric, number in self.breaches[:FEW])
        lines += _table("Limit that was forecast to be crossed", "nights", warned)
        return "\n".join(lines)


def month_of(workspace: Workspace, month: str) -> Month:
    """What the archive holds of a month, e.g. ``2026-03``; raises HistoryError where it holds no night of it."""
    names = [name for name in archived_nights(workspace) if name.startswith(f"{month}-")]
    if not names:
        known = ", ".join(sorted({name[:7] for name in archived_nights(workspace)})) or "none"
        raise HistoryError(f"{workspace.archive} has no night of {month!r}.", remedy=f"Give one of: {known}.")
    incidents: dict[str, Diagnosis] = {}
    warned: Counter[tuple[str, str]] = Counter()
    unread = 0
    for name in names:
        try:
            night: Night = load_night(workspace.archive / name / "report.json")
        except DataError:
            unread += 1
            continue
        incidents |= {incident.id: incident for incident in night.diagnoses}
        warned.update({(b.series.entity, night.metrics[b.series.metric].label) for b in night.breaches})
    return Month(
        name=month,
        nights=len(names),
        unread=unread,
        incidents=tuple(sorted(incidents.values(), key=lambda one: (one.start, one.id))),
        breaches=tuple((entity, metric, number) for (entity, metric), number in warned.most_common()),
    )


def write_month(workspace: Workspace, month: str) -> Path:
    """Write a month as ``monthly/2026-03.md`` below the output folder; returns its path."""
    path = workspace.out / "monthly" / f"{month}.md"
    write_text(path, month_of(workspace, month).text())
    return path


def _table(what: str, number: str, rows: Iterable[tuple[str, str]]) -> list[str]:
    lines = [f"| {escape_markdown(name)} | {value} |" for name, value in rows]
    return [f"| {what} | {number} |", "|---|---|", *lines, ""] if lines else []
