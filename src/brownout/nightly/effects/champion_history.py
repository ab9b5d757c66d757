"""Which model was in use when, why, and by whose decision: a small file below ``--out``."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Self

import numpy as np

from brownout.domain.encoding import Instant, encode
from brownout.domain.errors import DataError
from brownout.domain.night import ModelRecord
from brownout.store.atomic import write_text
from brownout.store.plain_json import read_result

__all__ = ["Decision", "Outcome", "Signature", "append_decision", "last_decision", "name_version", "read_decisions"]


class Outcome(StrEnum):
    """What was decided of a model."""

    FIRST = "first"
    REPLACED = "replaced"
    PASSED = "passed"
    APPROVED = "approved"
    REJECTED = "rejected"
    ROLLED_BACK = "rolled back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Who decides, why and when (UTC)."""

    by: str
    reason: str
    at: np.datetime64


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A decision about a model; all but a rejection made it the one in use.

    Attributes
    ----------
    model
        Name of the registered model.
    at
        When it was decided, UTC.
    outcome
        first: there was none | replaced: the one in use could not serve any more | passed: by the rules | approved |
        rejected | rolled back: an earlier model was put back.
    by
        Who decided; ``brownout`` for what the rules decided.
    uri
        Where MLflow has the model; "" where it was not logged yet.
    trained_to
        End of the data that the model learned from.
    """

    model: str
    at: Instant
    outcome: Outcome
    by: str
    reason: str
    uri: str
    trained_from: Instant
    trained_to: Instant

    @classmethod
    def of(cls, record: ModelRecord, outcome: Outcome, signed: Signature) -> Self:
        """A decision about the model of a record."""
        return cls(
            model=record.name,
            at=signed.at,
            outcome=outcome,
            by=signed.by,
            reason=signed.reason,
            uri=record.uri,
            trained_from=record.trained_from,
            trained_to=record.trained_to,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionFile:
    """What the file holds, oldest first."""

    decisions: tuple[Decision, ...] = ()


def read_decisions(champion: Path) -> tuple[Decision, ...]:
    """All decisions about the model of a champion's folder, oldest first; DataError where their file is damaged."""
    path = _path(champion)
    if not path.exists():
        return ()
    return read_result(DecisionFile, path).decisions


def append_decision(champion: Path, decision: Decision) -> None:
    """Add a decision; the caller holds the output folder's lock. A damaged file is kept beside, with ``.broken``."""
    try:
        known = read_decisions(champion)
    except DataError:
        known = ()
        _path(champion).rename(_path(champion).with_suffix(".json.broken"))
    _write(champion, [*known, decision])


def last_decision(champion: Path, record: ModelRecord) -> Decision | None:
    """The last decision about the version of a record; None where there is none."""
    own = [known for known in read_decisions(champion) if _is_about(known, record)]
    return own[-1] if own else None


def name_version(champion: Path, record: ModelRecord) -> None:
    """Write the URI that a version got into the last decision about it, where that does not know it yet."""
    decisions = list(read_decisions(champion))
    own = [index for index, known in enumerate(decisions) if not known.uri and _is_about(known, record)]
    if own:
        decisions[own[-1]] = replace(decisions[own[-1]], uri=record.uri)
        _write(champion, decisions)


def _is_about(decision: Decision, record: ModelRecord) -> bool:
    if decision.uri and record.uri:
        return decision.uri == record.uri
    return (decision.trained_from, decision.trained_to) == (record.trained_from, record.trained_to)


def _path(champion: Path) -> Path:
    """A file for each model: their trainings may run at once."""
    return champion.with_name(f"{champion.name}-decisions.json")


def _write(champion: Path, decisions: Sequence[Decision]) -> None:
    write_text(_path(champion), encode(DecisionFile(decisions=tuple(decisions))))
