"""The state file: episodes of the last night and what people said about them, kept in the output folder."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from brownout.detection.alert_state import AlertState
from brownout.domain.encoding import Instant, decode, encode
from brownout.domain.errors import DataError
from brownout.domain.findings import Episode, Shift, SuppressedEpisode, SuppressionReason
from brownout.domain.night import Night
from brownout.domain.verdicts import Said, Verdict
from brownout.nightly.effects.ledger import append_lines, ledger_alone
from brownout.store.atomic import write_text
from brownout.store.plain_json import json_value, read_bytes, read_json
from brownout.store.workspace import Workspace

__all__ = ["LedgerLine", "StoredState", "give_feedback", "read_alert_state", "take_back", "write_alert_state"]

STATE_VERSION = 2
UNDO: Literal["undo"] = "undo"
SUPPRESSED_BEFORE = ("suppressed", "quiet", "muted")
"""What releases up to 0.1.0 called the list of suppressed episodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredState:
    """What a night leaves to the next one.

    Attributes
    ----------
    episodes
        Episodes that raised an alarm.
    suppressed
        Episodes that did not, and why.
    incidents
        Ids of the episodes of each incident, by its id.
    shifts
        Levels that were accepted as usual.
    version
        Version of the form of this file.
    """

    episodes: tuple[Episode, ...] = ()
    suppressed: tuple[SuppressedEpisode, ...] = ()
    incidents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    shifts: tuple[Shift, ...] = ()
    version: int = STATE_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """One line of the feedback ledger: what was said about an episode, or that it was taken back.

    Attributes
    ----------
    at
        When.
    said
        false, true, expected, or undo.
    episode
        The episode as it was known then.
    """

    at: Instant
    said: Said | Literal["undo"]
    episode: Episode


def write_alert_state(workspace: Workspace, night: Night) -> None:
    """Keep what a night found, so that the next one goes on with what is open."""
    state = StoredState(
        episodes=night.episodes,
        suppressed=night.suppressed,
        incidents={diagnosis.id: diagnosis.episodes for diagnosis in night.diagnoses},
        shifts=night.shifts,
    )
    write_text(workspace.episodes, encode(state))


def read_alert_state(workspace: Workspace) -> AlertState:
    """Episodes of the last night and verdicts so far; empty where there was none. Raises DataError where damaged."""
    state = _read_state(workspace.episodes)
    verdicts: dict[str, Verdict] = {}
    for line in _read_ledger(workspace.ledger):
        verdicts.pop(line.episode.id, None)
        if isinstance(line.said, Said):
            verdicts[line.episode.id] = Verdict(episode=line.episode, said=line.said, at=line.at)
    return AlertState(
        known=(*state.episodes, *(suppressed.episode for suppressed in state.suppressed)),
        verdicts=tuple(verdicts.values()),
        incidents=state.incidents,
        shifts=state.shifts,
        alarmed=frozenset(episode.id for episode in state.episodes),
    )


def give_feedback(workspace: Workspace, name: str, said: Said, at: np.datetime64) -> tuple[Episode, ...]:
    """Store a verdict on an episode of the last night, or on all of an incident; a repeated one counts once.

    Raises DataError where nothing of that name is known.
    """
    with ledger_alone(workspace.ledger):
        state = read_alert_state(workspace)
        episodes = _named(state, name)
        standing = {verdict.episode.id: verdict.said for verdict in state.verdicts}
        new = [LedgerLine(at=at, said=said, episode=e) for e in episodes if standing.get(e.id) is not said]
        append_lines(workspace.ledger, [encode(line, indent=None) for line in new])
    return episodes


def take_back(workspace: Workspace, name: str, at: np.datetime64) -> tuple[Episode, ...]:
    """Take back what was said about an episode or an incident; raises DataError where nothing was."""
    with ledger_alone(workspace.ledger):
        state = read_alert_state(workspace)
        names = state.incidents.get(name, (name,))
        judged = tuple(verdict.episode for verdict in state.verdicts if verdict.episode.id in names)
        if not judged:
            msg = f"Nothing has been said about episode {name!r}."
            raise DataError(msg, remedy="See `brownout feedback --list` for what has been.")
        lines = [LedgerLine(at=at, said=UNDO, episode=episode) for episode in judged]
        append_lines(workspace.ledger, [encode(line, indent=None) for line in lines])
    return judged


def _named(state: AlertState, name: str) -> tuple[Episode, ...]:
    candidates = {e.id: e for e in (*(verdict.episode for verdict in state.verdicts), *state.known)}
    episodes = tuple(candidates[member] for member in state.incidents.get(name, (name,)) if member in candidates)
    if not episodes:
        msg = f"No episode or incident {name!r} is known."
        raise DataError(msg, remedy="Give an id from the last report.json or report.md of this folder.")
    return episodes


def _read_state(path: Path) -> StoredState:
    try:
        table = read_json(path)
        return decode(StoredState, table if "version" in table else _upgraded(table))
    except FileNotFoundError:
        return StoredState()
    except (ValueError, KeyError, TypeError, AttributeError, DataError) as error:
        msg = f"{path} cannot be read: {error}."
        raise DataError(msg, remedy="Remove it: only the ids of episodes that go on are lost.") from error


def _read_ledger(path: Path) -> Iterator[LedgerLine]:
    try:
        lines = read_bytes(path).splitlines()
    except FileNotFoundError:
        return
    except ValueError as error:
        msg = f"{path} cannot be read: {error}."
        raise DataError(msg, remedy="Restore it from a copy, or remove it: what was said is then forgotten.") from error
    for number, line in enumerate(lines, 1):
        try:
            table = json_value(line)
            yield decode(LedgerLine, table | {"episode": _upgraded_episode(table["episode"])})
        except (ValueError, KeyError, TypeError, AttributeError, DataError) as error:
            msg = f"Line {number} of {path} cannot be read: {error}."
            raise DataError(msg, remedy="Remove that line.") from error


def _upgraded(table: Mapping[str, Any]) -> dict[str, Any]:
    """The state file of a release up to 0.1.0 in the form of this one: its episodes were flat and named their lead."""
    incidents: dict[str, list[str]] = {}
    for item in table.get("episodes", ()):
        incidents.setdefault(item.get("incident", ""), []).append(item["id"])
    incidents.pop("", None)
    suppressed = [
        {
            "episode": _upgraded_episode(item),
            "why": item.get("why", SuppressionReason.FEEDBACK),
            "reason": item.get("reason", ""),
            "because": item.get("because_of", ""),
        }
        for name in SUPPRESSED_BEFORE
        for item in table.get(name, ())
    ]
    return {
        "episodes": [_upgraded_episode(item) for item in table.get("episodes", ())],
        "suppressed": suppressed,
        "incidents": incidents,
        "shifts": table.get("shifts", ()),
    }


def _upgraded_episode(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """An episode of a release up to 0.1.0, of whose movers only the name of the strongest was kept."""
    if "movers" in item:
        return item
    unknown = dict.fromkeys(("usual", "peak", "deviation"))
    lead = {"entity": item["entity"], "metric": item["lead"], "onset": item["start"], **unknown}
    return {**item, "movers": [lead] if item["lead"] else []}
