"""Display stages: which stage of a pipeline holds a slow frame up, from the time each stage took.

The longest stage is often not the bottleneck: a network that always takes 50 ms is how the path is, a game that needs
40 ms is late. Each stage has an allowance, learned from labelled frames: its score is a slope times the logarithm of
its time, less an offset, and the bottleneck is the stage with the highest score. Without labels it is the longest
stage.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from brownout.domain.errors import DataError

__all__ = ["Bottleneck"]

Array = npt.NDArray[np.float64]
RIDGE = 1.0
"""How strongly slopes are drawn to 1 and offsets to 0, where they mean the longest stage."""


@dataclass(frozen=True)
class Bottleneck:
    """``slope`` and ``offset`` by stage."""

    stages: tuple[str, ...]
    slope: Array
    offset: Array

    @classmethod
    def longest(cls, stages: Sequence[str]) -> Self:
        """The longest stage is the bottleneck."""
        return cls(tuple(stages), np.ones(len(stages)), np.zeros(len(stages)))

    @classmethod
    def learn(cls, stages: Sequence[str], times_ms: Array, labels: Sequence[str]) -> Self:
        """Learn allowances from times ``[frame, stage]`` and the bottleneck of each frame.

        Rare bottlenecks count by the root of how rare they are. Raises DataError for a label that is no stage.
        """
        unknown = sorted(set(labels) - set(stages))
        if unknown:
            raise DataError(f"Bottlenecks {unknown} are no stages.", remedy=f"Use {list(stages)}.")
        right = np.array([list(stages).index(label) for label in labels])
        weight = 1 / np.sqrt(np.maximum(np.bincount(right, minlength=len(stages)), 1))[right]
        weight /= weight.mean()
        logs, rows = _logs(times_ms), np.arange(len(right))

        def loss(parameters: Array) -> float:
            slope, offset = np.split(parameters, 2)
            score = logs * np.exp(slope) - offset
            score -= score.max(axis=1, keepdims=True)
            won = score[rows, right] - np.log(np.exp(score).sum(axis=1))
            return float(RIDGE * (parameters**2).sum() - (weight * won).sum())

        slope, offset = np.split(minimize(loss, np.zeros(2 * len(stages)), method="L-BFGS-B").x, 2)
        return cls(tuple(stages), np.exp(slope), offset)

    def name(self, times_ms: Array) -> list[str]:
        """The bottleneck of each frame, from times ``[frame, stage]``; a stage that was not measured is none."""
        score = _logs(times_ms) * self.slope - self.offset
        return [self.stages[stage] for stage in np.argmax(np.where(np.isfinite(times_ms), score, -np.inf), axis=1)]


def _logs(times_ms: Array) -> Array:
    logs: Array = np.log1p(np.maximum(np.nan_to_num(times_ms), 0))
    return logs
