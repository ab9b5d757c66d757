"""Which model was in use when, why, and by whose decision: a small file below ``--out``."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

import numpy as np

from brownout.domain.encoding import Instant, decode_json, encode
from brownout.domain.night import ModelRecord
from brownout.store.atomic import write_text
from brownout.store.workspace import Workspace

__all__ = ["Decision", "Outcome", "Signature", "append_decision", "last_decision", "name_versions", "read_decisions"]


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


def read_decisions(workspace: Workspace) -> tuple[Decision, ...]:
    """All decisions, oldest first; raises DataError where the file is damaged."""
    path = workspace.decisions
    return decode_json(DecisionFile, path.read_text(encoding="utf-8")).decisions if path.exists() else ()


def append_decision(workspace: Workspace, decision: Decision) -> None:
    """Add a decision; the caller holds the output folder's lock."""
    _write(workspace, [*read_decisions(workspace), decision])


def last_decision(workspace: Workspace, record: ModelRecord) -> Decision | None:
    """The last decision about a model of a record; None where there is none."""
    own = [known for known in read_decisions(workspace) if _is_about(known, record)]
    return own[-1] if own else None


def name_versions(workspace: Workspace, records: Sequence[ModelRecord]) -> None:
    """Write the URIs that models got into the decisions about them, where those do not know it yet."""
    decisions = read_decisions(workspace)
    named = []
    for known in decisions:
        uris = [record.uri for record in records if record.uri and _is_about(known, record)]
        named.append(known if known.uri or not uris else replace(known, uri=uris[0]))
    if named != list(decisions):
        _write(workspace, named)


def _is_about(decision: Decision, record: ModelRecord) -> bool:
    if decision.model != record.name:
        return False
    if decision.uri and record.uri:
        return decision.uri == record.uri
    return (decision.trained_from, decision.trained_to) == (record.trained_from, record.trained_to)


def _write(workspace: Workspace, decisions: Sequence[Decision]) -> None:
    write_text(workspace.decisions, encode(DecisionFile(decisions=tuple(decisions))))
