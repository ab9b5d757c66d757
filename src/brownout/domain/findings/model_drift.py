"""Drift: how far what a model reads, and how well it forecasts, has moved from what it learned."""

from dataclasses import dataclass
from enum import StrEnum

from brownout.domain.encoding import Instant, Number

__all__ = ["Drift", "DriftOf", "ModelDrift"]


class DriftOf(StrEnum):
    """What has moved."""

    INPUT = "input"
    RESIDUAL = "residual"
    COVERAGE = "coverage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One comparison of the last days with what a model learned from, over entities of one kind.

    Attributes
    ----------
    of
        input: values of a metric | residual: errors of the forecasts | coverage: share of values inside the 80 %
        interval.
    name
        Name of the metric of an input; the resource of a residual or a coverage.
    kind
        Kind of the entities of an input; empty for all kinds together.
    before
        Then: median of the metric, loss as a ratio to that of seasonal-naive, or coverage.
    now
        The same over the last days.
    psi
        Population stability index of an input over the deciles of what was learned: below 0.1 nothing moved, from 0.25
        on much did; NaN for a residual or a coverage.
    distance
        Kolmogorov-Smirnov distance of an input, 0 … 1: the largest difference of the two distribution functions; NaN
        for a residual or a coverage.
    p
        Chance of a difference as large over entities if nothing had moved (Wilcoxon's signed-rank test of each entity
        with itself, corrected for the number of comparisons by Holm); NaN with fewer than six entities.
    entities
        Entities that were compared.
    drifted
        Whether both the effect and the certainty are large.
    """

    of: DriftOf
    name: str
    kind: str
    before: Number
    now: Number
    psi: Number
    distance: Number
    p: Number
    entities: int
    drifted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDrift:
    """How far the last days lie from what the forecaster in use learned.

    Attributes
    ----------
    start
        Begin of the days that were compared.
    end
        End of the days that were compared.
    trained_to
        End of the data that the model learned from.
    drifts
        All comparisons, the largest first; empty where the days since the training are too few.
    """

    start: Instant
    end: Instant
    trained_to: Instant
    drifts: tuple[Drift, ...]

    @property
    def drifted(self) -> tuple[Drift, ...]:
        """The comparisons with a large effect that is certain."""
        return tuple(drift for drift in self.drifts if drift.drifted)
