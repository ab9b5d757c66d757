"""Learning weights from labelled incidents: the knowledge says the sign, the incidents how much.

A conditional logit: within an incident the candidates and ``unknown`` compete, and the right one should win; in a
healthy span that is ``unknown``. The weight of a piece of evidence keeps the sign of its role and is drawn towards a
common prior by a ridge, so that few incidents move it little.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from brownout.diagnosis.evidence.symptoms import EvidenceLookup
from brownout.diagnosis.inference.cause_ranking import Weights
from brownout.diagnosis.knowledge.evidence_rules import CauseRule, EvidenceRule
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.findings import EvidenceRole

__all__ = ["Example", "Learned", "learn", "make_example"]

Array = npt.NDArray[np.float64]
PRIOR_WEIGHT = 4.0
RIDGE = 3.0
HEALTHY = 0.5
"""How much a healthy span counts beside an incident: who asks for a cause mostly has an incident."""


@dataclass(frozen=True, eq=False)
class Example:
    """Candidates of one incident: strengths ``[candidate, weight]``, names, and the index of the right one.

    None is right in a healthy span.
    """

    strengths: Array
    names: tuple[tuple[str, str], ...]
    right: int | None

    def rank(self, weights: Array) -> int | None:
        """Rank of the right one among the candidates and ``unknown``; in a healthy span None where that is first."""
        scores = self.strengths @ weights
        rivals = np.append(scores, Weights().unknown)
        if self.right is None:
            return None if rivals.argmax() == len(scores) else 1
        return int((rivals > scores[self.right]).sum()) + 1


@dataclass(frozen=True)
class Learned:
    """Log-prior by cause and weights by (cause, name of evidence)."""

    priors: Mapping[str, float]
    weights: Mapping[tuple[str, str], float]

    def tables(self) -> dict[str, dict[str, object]]:
        """As ``learned.toml`` holds them."""
        return {
            cause: {
                "prior": float(np.exp(prior)),
                "weights": {name: w for (owner, name), w in self.weights.items() if owner == cause},
            }
            for cause, prior in self.priors.items()
        }


def make_example(
    knowledge: Knowledge,
    causes: Sequence[CauseRule],
    entities: Sequence[str],
    lookup: EvidenceLookup,
    right: tuple[str, str] | None,
) -> Example | None:
    """Strengths of all candidates (entity, cause); None where the right one is not among them. Missing is 0.

    ``right`` is None where the span was healthy.
    """
    columns = _columns(causes)
    rows, names = [], []
    for entity in entities:
        for number, cause in enumerate(causes):
            row = np.zeros(len(columns) + len(causes))
            row[len(columns) + number] = 1
            for index, (owner, rule) in enumerate(columns):
                if owner is cause:
                    match = lookup.find(rule, knowledge.symptoms, entity)
                    row[index] = match.strength if match else 0.0
            rows.append(row)
            names.append((entity, cause.id))
    if not rows or (right is not None and right not in names):
        return None
    return Example(np.array(rows), tuple(names), None if right is None else names.index(right))


def learn(examples: Sequence[Example], causes: Sequence[CauseRule], *, ridge: float = RIDGE) -> Learned:
    """Fit; the same examples give the same weights.

    Causes share a level, which says how much evidence it takes to prefer any of them to ``unknown``; a ridge holds
    their priors near it, so that one that no incident had is as ready to be named as the others.
    """
    columns = _columns(causes)
    signs = np.array([-1.0 if rule.role is EvidenceRole.EXCLUDING else 1.0 for _, rule in columns])
    start = np.concatenate([PRIOR_WEIGHT * signs, np.zeros(len(causes) + 1)])
    bounds = [(0.0, None) if sign > 0 else (None, 0.0) for sign in signs] + [(None, None)] * (len(causes) + 1)

    def loss(free: Array) -> tuple[float, Array]:
        away = (free - start)[:-1]
        total, slope = 0.5 * ridge * float((away**2).sum()), np.append(ridge * away, 0.0)
        weights = _levelled(free, len(columns))
        for example in examples:
            surprise, pull = _surprise(example, weights)
            total, slope = total + surprise, slope + np.append(pull, pull[len(columns) :].sum())
        return total, slope

    fitted = _levelled(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x, len(columns))
    return Learned(
        {cause.id: float(fitted[len(columns) + index]) for index, cause in enumerate(causes)},
        {(cause.id, rule.name): float(fitted[index]) for index, (cause, rule) in enumerate(columns)},
    )


def _levelled(free: Array, evidence: int) -> Array:
    """Weights of the evidence and priors, from those and the common level of the priors."""
    return np.append(free[:evidence], free[evidence:-1] + free[-1])


def _surprise(example: Example, weights: Array) -> tuple[float, Array]:
    """Negative log-likelihood of what was right, and its gradient."""
    score = np.append(example.strengths @ weights, Weights().unknown)
    share = np.exp(score - score.max())
    share /= share.sum()
    spread = example.strengths.T @ share[:-1]
    if example.right is None:
        return -HEALTHY * float(np.log(share[-1])), HEALTHY * spread
    return -float(np.log(share[example.right])), spread - example.strengths[example.right]


def _columns(causes: Sequence[CauseRule]) -> list[tuple[CauseRule, EvidenceRule]]:
    return [(cause, rule) for cause in causes for rule in cause.evidence]
