"""How good ranked causes are against the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from brownout.domain.findings import UNKNOWN, Cause
from brownout.domain.metrics import Family
from brownout.domain.truth import Incident

__all__ = ["FAMILIES", "Scores", "Verdict", "answers", "diagnosis_scores", "judge", "macro_f1", "scores_by_family"]

Scores = dict[str, float | int | None]

FAMILIES = {family.value for family in Family}
BINS = 10
"""Number of bins of equal width for the calibration error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Rank (from 1) of the right answer, None where it is not among the answers; ``place`` and ``cause`` alone too.

    ``alike`` is the rank of the right answer or of one that no evidence tells from it. ``truth`` and ``answer`` are the
    causes, ``probability`` that of the first answer, ``chance`` the odds of a blind guess among the candidates.
    ``named_causes`` is how many causes were named together, ``right_named`` whether the right one (or its like) is
    among them.
    ``truth_family`` is the family of the true cause, "" where nobody knows it.
    """

    both: int | None
    entity: int | None
    cause: int | None
    family: int | None
    unknown: bool
    alike: int | None = None
    truth: str = ""
    truth_family: str = ""
    answer: str = ""
    probability: float = 0.0
    chance: float = 0.0
    named_causes: int = 1
    right_named: bool = False


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


def judge(
    ranked: Sequence[Cause],
    incident: Incident,
    *,
    families: Mapping[str, str] | None = None,
    alike: Mapping[str, Sequence[str]] | None = None,
    chance: float = 0.0,
) -> Verdict:
    """The ranks of the true cause and entity; an abstention in first place is wrong, and marked as such.

    ``families`` gives the family of a cause, ``alike`` the causes that nothing tells from it.
    """
    named = [cause for cause in ranked if cause.id != UNKNOWN]
    family = incident.cause if incident.cause in FAMILIES else (families or {}).get(incident.cause)
    right = next((c.family for c in named if c.id == incident.cause), family)
    same = {incident.cause, *(alike or {}).get(incident.cause, ())}
    return Verdict(
        both=_rank([c.entity == incident.entity and c.id == incident.cause for c in ranked]),
        entity=_rank([c.entity == incident.entity for c in ranked]),
        cause=_rank([c.id == incident.cause for c in ranked]),
        family=_rank([c.family == right for c in ranked]),
        unknown=bool(ranked) and ranked[0].id == UNKNOWN,
        alike=_rank([c.entity == incident.entity and c.id in same for c in ranked]),
        truth=incident.cause,
        truth_family=right or "",
        answer=ranked[0].id if ranked else "",
        probability=ranked[0].probability if ranked else 0.0,
        chance=chance,
        named_causes=1 + sum(c.contributing for c in ranked),
        right_named=any(c.entity == incident.entity and c.id in same for c in [*ranked[:1], *filter(_also, ranked)]),
    )


def diagnosis_scores(verdicts: Sequence[Verdict]) -> Scores:
    """AC@k: share of incidents whose right (entity, cause) is among the first k; entity and cause alone beside it.

    Those ending in ``alike`` count causes that nothing tells apart as one. ``calibration_error`` is the expected gap
    between the probability of a named first answer and how often it is right; ``lift`` is AC@1 over that of a blind
    guess. ``unknown`` is the share of abstentions, ``ac1_named`` AC@1 (look-alikes as one) of the other answers.
    ``told`` is the share of incidents whose cause is among those named together, ``several_told`` that with more than
    one named. What there is nothing to count of is None.
    """
    named = [v for v in verdicts if v.answer and not v.unknown]
    chance = _share([v.chance for v in verdicts])
    first = _within([v.both for v in verdicts], 1)
    return {
        "incidents": len(verdicts),
        "ac1": first,
        "ac3": _within([v.both for v in verdicts], 3),
        "ac5": _within([v.both for v in verdicts], 5),
        "ac1_alike": _within([v.alike for v in verdicts], 1),
        "ac3_alike": _within([v.alike for v in verdicts], 3),
        "entity_ac1": _within([v.entity for v in verdicts], 1),
        "cause_ac1": _within([v.cause for v in verdicts], 1),
        "cause_ac3": _within([v.cause for v in verdicts], 3),
        "family_ac1": _within([v.family for v in verdicts], 1),
        "macro_f1": _rounded(macro_f1([v.truth for v in verdicts], [v.answer for v in verdicts])),
        "calibration_error": _rounded(_calibration_error(named)),
        "lift": round(first / chance, 1) if chance and first is not None else None,
        "unknown": _rounded(_share([v.unknown for v in verdicts])),
        "ac1_named": _within([v.alike for v in named], 1),
        "told": _rounded(_share([v.right_named for v in verdicts])),
        "several_told": _rounded(_share([v.named_causes > 1 for v in verdicts])),
    }


def scores_by_family(verdicts: Sequence[Verdict]) -> dict[str, Scores]:
    """The scores of the incidents of each family of causes."""
    families = sorted({verdict.truth_family for verdict in verdicts if verdict.truth_family})
    return {name: diagnosis_scores([v for v in verdicts if v.truth_family == name]) for name in families}


def macro_f1(truth: Sequence[str], answer: Sequence[str]) -> float | None:
    """Mean over the true classes of the harmonic mean of precision and recall; 0 for a class never answered rightly."""
    scores = []
    for name in sorted(set(truth)):
        hits = sum(t == a == name for t, a in zip(truth, answer, strict=True))
        scores.append(2 * hits / (truth.count(name) + list(answer).count(name)))
    return float(np.mean(scores)) if scores else None


def _also(cause: Cause) -> bool:
    return cause.contributing


def _share(marks: Sequence[float]) -> float | None:
    return float(np.mean(marks)) if marks else None


def _within(ranks: Sequence[int | None], first: int) -> float | None:
    return _rounded(_share([rank is not None and rank <= first for rank in ranks]))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _calibration_error(named: Sequence[Verdict]) -> float | None:
    if not named:
        return None
    probability = np.array([v.probability for v in named])
    right = np.array([v.alike == 1 for v in named], float)
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    gaps = [abs(probability[bins == b].sum() - right[bins == b].sum()) for b in range(BINS)]
    return float(np.sum(gaps) / len(named))


def _rank(right: Sequence[bool]) -> int | None:
    return right.index(True) + 1 if True in right else None
