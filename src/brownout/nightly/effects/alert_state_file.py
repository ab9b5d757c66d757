"""Remember: the episodes of the last night and what people said about them, kept in the output folder."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from brownout.detection.alert_state import AlertState
from brownout.domain.errors import DataError
from brownout.domain.findings import Episode, Mover, Shift
from brownout.domain.forecasts import Series
from brownout.domain.night import Night
from brownout.domain.panel import as_time
from brownout.domain.verdicts import Said, Verdict
from brownout.store.atomic import write_text
from brownout.store.workspace import Workspace

__all__ = ["give_feedback", "read_alert_state", "take_back", "write_alert_state"]

UNDO = "undo"
KEPT = ("episodes", "suppressed", "muted")
"""Lists of a night's file; earlier versions called what is quiet muted."""


def write_alert_state(workspace: Workspace, night: Night) -> None:
    """Keep what a night found, so that the next one goes on with what is open."""
    incident = {episode: diagnosis.id for diagnosis in night.diagnoses for episode in diagnosis.episodes}
    table = {
        "episodes": [_to_table(episode) | {"incident": incident.get(episode.id, "")} for episode in night.episodes],
        "suppressed": [
            _to_table(quiet.episode) | {"why": quiet.why.value, "reason": quiet.reason, "because_of": quiet.because}
            for quiet in night.suppressed
        ],
        "shifts": [_shift_to_table(shift) for shift in night.shifts],
    }
    write_text(workspace.episodes, json.dumps(table, indent=1))


def read_alert_state(workspace: Workspace) -> AlertState:
    """Episodes of the last night and verdicts so far; empty where there was none. Raises DataError where damaged."""
    table = _episodes(workspace.episodes)
    verdicts: dict[str, Verdict] = {}
    for line in _lines(workspace.ledger):
        episode = _episode(line["episode"])
        verdicts.pop(episode.id, None)
        if line["said"] != UNDO:
            verdicts[episode.id] = Verdict(episode=episode, said=Said(line["said"]), at=as_time(line["at"]))
    incidents: dict[str, list[str]] = {}
    for item in table.get("episodes", []):
        incidents.setdefault(item.get("incident", ""), []).append(item["id"])
    return AlertState(
        known=tuple(_episode(item) for part in KEPT for item in table.get(part, [])),
        verdicts=tuple(verdicts.values()),
        incidents={name: tuple(members) for name, members in incidents.items() if name},
        shifts=tuple(_shift(item) for item in table.get("shifts", [])),
        alarmed=frozenset(item["id"] for item in table.get("episodes", [])),
    )


def give_feedback(workspace: Workspace, name: str, said: Said, at: np.datetime64) -> tuple[Episode, ...]:
    """Keep what was said about an episode, or about all of an incident, of the last night; saying it twice is once.

    Raises DataError where nothing of that name is known.
    """
    memory = read_alert_state(workspace)
    found = _find(memory, name)
    standing = {verdict.episode.id: verdict.said for verdict in memory.verdicts}
    new = [episode for episode in found if standing.get(episode.id) is not said]
    _append(workspace.ledger, [{"at": str(at), "said": said.value, "episode": _to_table(e)} for e in new])
    return found


def take_back(workspace: Workspace, name: str, at: np.datetime64) -> tuple[Episode, ...]:
    """Take back what was said about an episode or an incident; raises DataError where nothing was."""
    memory = read_alert_state(workspace)
    names = memory.incidents.get(name, (name,))
    judged = tuple(verdict.episode for verdict in memory.verdicts if verdict.episode.id in names)
    if not judged:
        msg = f"Nothing has been said about episode {name!r}."
        raise DataError(msg, remedy="See `brownout feedback --list` for what has been.")
    _append(workspace.ledger, [{"at": str(at), "said": UNDO, "episode": _to_table(episode)} for episode in judged])
    return judged


def _find(memory: AlertState, name: str) -> tuple[Episode, ...]:
    candidates = {e.id: e for e in (*(verdict.episode for verdict in memory.verdicts), *memory.known)}
    found = tuple(candidates[member] for member in memory.incidents.get(name, (name,)) if member in candidates)
    if not found:
        msg = f"No episode or incident {name!r} is known."
        raise DataError(msg, remedy="Give an id from the last report.json or report.md of this folder.")
    return found


def _to_table(episode: Episode) -> dict[str, Any]:
    return {
        "id": episode.id,
        "entity": episode.entity,
        "start": str(episode.start),
        "end": str(episode.end),
        "open": episode.open,
        "severity": episode.severity,
        "lead": episode.lead,
        "shifts": [_shift_to_table(shift) for shift in episode.shifts],
    }


def _shift_to_table(shift: Shift) -> dict[str, Any]:
    return {
        "entity": shift.series.entity,
        "metric": shift.series.metric,
        "onset": str(shift.onset),
        "at": str(shift.at),
        "usual": shift.usual,
        "level": shift.level,
        "factor": shift.factor,
    }


def _shift(table: Mapping[str, Any]) -> Shift:
    return Shift(
        series=Series(table["entity"], table["metric"]),
        onset=as_time(table["onset"]),
        at=as_time(table["at"]),
        usual=table["usual"],
        level=table["level"],
        factor=table["factor"],
    )


def _episode(table: Mapping[str, Any]) -> Episode:
    """What is kept of an episode; of its movers the name of the first."""
    kept = {key: table[key] for key in ("id", "entity", "open", "severity")}
    start, lead = as_time(table["start"]), table["lead"]
    nan = float("nan")
    mover = Mover(series=Series(table["entity"], lead), usual=nan, peak=nan, deviation=nan, onset=start)
    return Episode(**kept, start=start, end=as_time(table["end"]), movers=(mover,) if lead else ())


def _episodes(path: Path) -> Mapping[str, list[dict[str, Any]]]:
    try:
        table: dict[str, list[dict[str, Any]]] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        msg = f"{path} cannot be read: {error}."
        raise DataError(msg, remedy="Remove it: only the ids of episodes that go on are lost.") from error
    return table


def _lines(path: Path) -> Iterable[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    try:
        return [json.loads(line) for line in text.splitlines()]
    except ValueError as error:
        msg = f"{path} cannot be read: {error}."
        raise DataError(msg, remedy="Remove the line that is no JSON.") from error


def _append(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Add lines; the file is replaced as a whole, so that a kill leaves either the old or the new one."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    write_text(path, before + "".join(json.dumps(line) + "\n" for line in lines))
