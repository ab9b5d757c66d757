"""How good ranked causes are against the truth."""

from collections.abc import Sequence
from dataclasses import dataclass

from brownout.domain.findings import UNKNOWN, Cause
from brownout.domain.metrics import Family
from brownout.domain.truth import Incident

__all__ = ["FAMILIES", "Verdict", "answers", "diagnosis_scores", "judge"]

FAMILIES = {family.value for family in Family}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Rank (from 1) of the right answer, None where it is not among the answers; ``place`` and ``cause`` alone too."""

    both: int | None
    entity: int | None
    cause: int | None
    family: int | None
    unknown: bool


def answers(causes: Sequence[Cause], *, coarse: bool) -> list[Cause]:
    """The ranking to be judged: with coarse labels a cause's family is the answer, each (entity, family) once.

    Probabilities of causes that become one answer are added.
    """
    if not coarse:
        return list(causes)
    merged: dict[tuple[str, str], Cause] = {}
    for cause in causes:
        name = cause.id if cause.id == UNKNOWN else cause.family
        before = merged.get((cause.entity, name))
        probability = cause.probability + (before.probability if before else 0.0)
        merged[cause.entity, name] = Cause(
            id=name, title=cause.title, family=cause.family, entity=cause.entity, probability=probability
        )
    return sorted(merged.values(), key=lambda cause: -cause.probability)


def judge(ranked: Sequence[Cause], incident: Incident) -> Verdict:
    """Where the truth stands in a ranking; an abstention in first place is wrong, but said so."""
    named = [cause for cause in ranked if cause.id != UNKNOWN]
    family = incident.cause if incident.cause in FAMILIES else None
    right = next((c.family for c in named if c.id == incident.cause), family)
    return Verdict(
        both=_rank([c.entity == incident.entity and c.id == incident.cause for c in ranked]),
        entity=_rank([c.entity == incident.entity for c in ranked]),
        cause=_rank([c.id == incident.cause for c in ranked]),
        family=_rank([c.family == right for c in ranked]),
        unknown=bool(ranked) and ranked[0].id == UNKNOWN,
    )


def diagnosis_scores(verdicts: Sequence[Verdict]) -> dict[str, float | int]:
    """AC@k: share of incidents whose right (entity, cause) is among the first k; entity and cause alone beside it."""
    number = max(len(verdicts), 1)

    def share(ranks: Sequence[int | None], first: int) -> float:
        return round(sum(rank is not None and rank <= first for rank in ranks) / number, 4)

    return {
        "incidents": len(verdicts),
        "ac1": share([v.both for v in verdicts], 1),
        "ac3": share([v.both for v in verdicts], 3),
        "ac5": share([v.both for v in verdicts], 5),
        "entity_ac1": share([v.entity for v in verdicts], 1),
        "cause_ac1": share([v.cause for v in verdicts], 1),
        "cause_ac3": share([v.cause for v in verdicts], 3),
        "family_ac1": share([v.family for v in verdicts], 1),
        "unknown": round(sum(v.unknown for v in verdicts) / number, 4),
    }


def _rank(right: Sequence[bool]) -> int | None:
    return right.index(True) + 1 if True in right else None
