"""Explaining: why the first cause, why not the others, and which measurement would decide between the first two."""

from collections.abc import Sequence

from brownout.diagnosis.evidence.statements import NOT_MEASURED
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.findings import UNKNOWN, Cause, Evidence, EvidenceRole, EvidenceState

__all__ = ["counter_evidence", "decider", "summarise"]

SUMMARY_EVIDENCE = 3
"""Pieces of evidence that a summary names."""
WORTH_MENTIONING = 0.02
"""Probability from which a runner-up is worth a sentence."""
CLEAR_FROM = 0.95
"""From this probability on nothing more needs to be measured."""


def counter_evidence(cause: Cause) -> str:
    """The reason why a cause is not likelier: what must be seen and is not, what speaks against it, what is missing."""
    if cause.id == UNKNOWN:
        return ""
    for role, state, words in (
        (EvidenceRole.NECESSARY, EvidenceState.ABSENT, "it would need more than this: {}"),
        (EvidenceRole.EXCLUDING, EvidenceState.PRESENT, "this speaks against it: {}"),
        (EvidenceRole.NECESSARY, EvidenceState.MISSING, "{}"),
        (EvidenceRole.STRONG, EvidenceState.ABSENT, "it would usually show more than this: {}"),
    ):
        pieces = _of_role(cause, role, state)
        if pieces:
            return words.format(min(pieces, key=lambda evidence: evidence.strength).statement)
    return "it is the rarer of the two"


def decider(causes: Sequence[Cause], knowledge: Knowledge) -> str:
    """What to measure to decide between the first two, "" where the first is clear or nothing known would decide."""
    named = _rivals(causes)
    if not named or causes[0].probability >= CLEAR_FROM:
        return ""
    first = named[0]
    rule = knowledge.causes[first.id]
    if len(named) > 1 and named[1].id in rule.alike:
        return rule.decider
    rivals = [first] if causes[0].id == UNKNOWN else named[:2]
    for role in (EvidenceRole.NECESSARY, EvidenceRole.STRONG, EvidenceRole.EXCLUDING, EvidenceRole.SUPPORTING):
        for cause in rivals:
            missing = _of_role(cause, role, EvidenceState.MISSING)
            if missing:
                return missing[0].statement.removeprefix(NOT_MEASURED)
    return rule.decider


def summarise(causes: Sequence[Cause], knowledge: Knowledge) -> str:
    """Sentences for a person: the answer with what shows it, the runner-up with what speaks against it, the decider."""
    first = causes[0]
    decide = decider(causes, knowledge)
    second = next((cause for cause in _rivals(causes) if cause is not first), None)
    if first.id == UNKNOWN:
        sentences = ["Nothing that is known explains this."]
        if second is not None:
            sentences.append(f"Nearest is {_name(second)}, but {counter_evidence(second)}.")
    else:
        sentences = [f"{_answer(first)}.", *(f"Besides, {_answer(cause)}." for cause in causes if cause.contributing)]
        if second is not None and _worth_mentioning(first, second):
            sentences.append(f"Less likely {_name(second)}: {counter_evidence(second)}.")
    if decide:
        sentences.append(f"To decide, measure {decide}.")
    return " ".join(sentences)


def _rivals(causes: Sequence[Cause]) -> list[Cause]:
    """Causes that compete for the answer; beside ``unknown`` only those that something seen speaks for."""
    named = [cause for cause in causes if cause.id != UNKNOWN and not cause.contributing]
    return [cause for cause in named if _supporting(cause)] if causes[0].id == UNKNOWN else named


def _answer(cause: Cause) -> str:
    statements = dict.fromkeys(evidence.statement for evidence in sorted(_supporting(cause), key=_order))
    return f"{_name(cause)}, {cause.probability:.0%} sure: {'; '.join(list(statements)[:SUMMARY_EVIDENCE])}"


def _worth_mentioning(first: Cause, second: Cause) -> bool:
    """Whether a runner-up is worth a sentence: not hopeless, or seen in some of the same symptoms."""
    return second.probability >= WORTH_MENTIONING or bool(
        {e.symptom for e in _supporting(first)} & {e.symptom for e in _supporting(second)}
    )


def _name(cause: Cause) -> str:
    return f"{cause.title} at {cause.entity}"


def _supporting(cause: Cause) -> list[Evidence]:
    return [e for e in cause.evidence if e.role is not EvidenceRole.EXCLUDING and e.state is EvidenceState.PRESENT]


def _of_role(cause: Cause, role: EvidenceRole, state: EvidenceState) -> list[Evidence]:
    return [evidence for evidence in cause.evidence if evidence.role is role and evidence.state is state]


def _order(evidence: Evidence) -> tuple[int, float]:
    roles = (EvidenceRole.NECESSARY, EvidenceRole.STRONG, EvidenceRole.SUPPORTING)
    return roles.index(evidence.role), -evidence.strength
