"""Learning weights from labelled incidents: the knowledge says the sign, the incidents how much.

A conditional logit: within an incident the candidates compete, and the right one should win. The weight of a piece of
evidence keeps the sign of its role and is drawn towards a common prior by a ridge, so that few incidents move
it little.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from brownout.diagnosis.knowledge import Knowledge
from brownout.diagnosis.rules import CauseRule, EvidenceRule
from brownout.diagnosis.scene import Scene
from brownout.domain.findings import EvidenceRole

__all__ = ["Example", "Learned", "learn", "make_example"]

Array = npt.NDArray[np.float64]
PRIOR_WEIGHT = 4.0
RIDGE = 3.0


@dataclass(frozen=True, eq=False)
class Example:
    """Candidates of one incident: strengths ``[candidate, weight]``, names, and the index of the right one."""

    strengths: Array
    names: tuple[tuple[str, str], ...]
    right: int


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
    knowledge: Knowledge, causes: Sequence[CauseRule], entities: Sequence[str], scene: Scene, right: tuple[str, str]
) -> Example | None:
    """Strengths of all candidates (entity, cause); None where the right one is not among them. Missing is 0."""
    columns = _columns(causes)
    rows, names = [], []
    for entity in entities:
        for place, cause in enumerate(causes):
            row = np.zeros(len(columns) + len(causes))
            row[len(columns) + place] = 1
            for index, (owner, rule) in enumerate(columns):
                if owner is cause:
                    sight = scene.see(rule, knowledge.symptoms[rule.symptom], entity)
                    row[index] = sight.strength if sight else 0.0
            rows.append(row)
            names.append((entity, cause.id))
    return Example(np.array(rows), tuple(names), names.index(right)) if right in names else None


def learn(examples: Sequence[Example], causes: Sequence[CauseRule], *, ridge: float = RIDGE) -> Learned:
    """Fit; the same examples give the same weights."""
    columns = _columns(causes)
    signs = np.array([-1.0 if rule.role is EvidenceRole.EXCLUDING else 1.0 for _, rule in columns])
    start = np.concatenate([PRIOR_WEIGHT * signs, np.zeros(len(causes))])
    bounds = [(0.0, None) if sign > 0 else (None, 0.0) for sign in signs] + [(None, None)] * len(causes)

    def loss(weights: Array) -> tuple[float, Array]:
        total, slope = 0.5 * ridge * float(((weights - start) ** 2).sum()), ridge * (weights - start)
        for example in examples:
            score = example.strengths @ weights
            score -= score.max()
            share = np.exp(score) / np.exp(score).sum()
            total -= float(np.log(share[example.right]))
            slope = slope + example.strengths.T @ share - example.strengths[example.right]
        return total, slope

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return Learned(
        {cause.id: float(found[len(columns) + place]) for place, cause in enumerate(causes)},
        {(cause.id, rule.name): float(found[place]) for place, (cause, rule) in enumerate(columns)},
    )


def _columns(causes: Sequence[CauseRule]) -> list[tuple[CauseRule, EvidenceRule]]:
    return [(cause, rule) for cause in causes for rule in cause.evidence]
