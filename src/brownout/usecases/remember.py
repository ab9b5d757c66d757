"""Remember: the episodes of the last night and what people said about them, kept in the output folder."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from brownout.detection.memory import Known, Memory, Said, Verdict, known_of
from brownout.domain.errors import DataError
from brownout.domain.panel import as_time
from brownout.telemetry.atomic import write_text
from brownout.usecases.watch import ShardFindings
from brownout.usecases.workspace import Workspace

__all__ = ["give_feedback", "read_memory", "remember", "take_back"]

UNDO = "undo"


def remember(workspace: Workspace, shards: Sequence[ShardFindings]) -> None:
    """Keep what a night found, so that the next one goes on with what is open."""
    table = {
        "episodes": [_to_table(known_of(episode)) for shard in shards for episode in shard.episodes],
        "muted": [_to_table(known_of(e)) | {"because_of": reason} for shard in shards for e, reason in shard.muted],
    }
    write_text(workspace.episodes, json.dumps(table, indent=1))


def read_memory(workspace: Workspace) -> Memory:
    """Episodes of the last night and verdicts so far; empty where there was none. Raises DataError where damaged."""
    table = _episodes(workspace.episodes)
    known = tuple(_known(item) for item in (*table["episodes"], *table["muted"]))
    verdicts: dict[str, Verdict] = {}
    for line in _lines(workspace.ledger):
        episode = _known(line["episode"])
        verdicts.pop(episode.id, None)
        if line["said"] != UNDO:
            verdicts[episode.id] = Verdict(episode=episode, said=Said(line["said"]), at=as_time(line["at"]))
    return Memory(known=known, verdicts=tuple(verdicts.values()))


def give_feedback(workspace: Workspace, episode: str, said: Said, at: np.datetime64) -> Known:
    """Keep what was said about an episode of the last night; raises DataError where there is no such episode."""
    known = _find(read_memory(workspace), episode)
    _append(workspace.ledger, {"at": str(at), "said": said.value, "episode": _to_table(known)})
    return known


def take_back(workspace: Workspace, episode: str, at: np.datetime64) -> Known:
    """Take back what was said about an episode; raises DataError where nothing was."""
    memory = read_memory(workspace)
    for verdict in memory.verdicts:
        if verdict.episode.id == episode:
            _append(workspace.ledger, {"at": str(at), "said": UNDO, "episode": _to_table(verdict.episode)})
            return verdict.episode
    msg = f"Nothing has been said about episode {episode!r}."
    raise DataError(msg, remedy="See `brownout feedback --list` for what has been.")


def _find(memory: Memory, episode: str) -> Known:
    candidates = {known.id: known for known in (*(verdict.episode for verdict in memory.verdicts), *memory.known)}
    if episode not in candidates:
        msg = f"No episode {episode!r} is known."
        raise DataError(msg, remedy="Give an id from the last report.json or report.md of this folder.")
    return candidates[episode]


def _to_table(known: Known) -> dict[str, Any]:
    return asdict(known) | {"start": str(known.start), "end": str(known.end)}


def _known(table: Mapping[str, Any]) -> Known:
    kept = {key: table[key] for key in ("id", "entity", "open", "severity", "lead")}
    return Known(**kept, start=as_time(table["start"]), end=as_time(table["end"]))


def _episodes(path: Path) -> Mapping[str, list[dict[str, Any]]]:
    try:
        table: dict[str, list[dict[str, Any]]] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"episodes": [], "muted": []}
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


def _append(path: Path, line: Mapping[str, Any]) -> None:
    """Add a line; the file is replaced as a whole, so that a kill leaves either the old or the new one."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    write_text(path, before + json.dumps(line) + "\n")
