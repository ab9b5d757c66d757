"""Drift: how far what a model reads, and how well it forecasts, has moved from what it learned."""

from dataclasses import dataclass
from enum import StrEnum

from brownout.domain.encoding import Instant, Number

__all__ = ["LARGE_DISTANCE", "LARGE_PSI", "LOST_COVERAGE", "WORSE_LOSS", "Drift", "DriftOf", "ModelDrift"]

LARGE_PSI = 0.25
"""Stability index from which on a distribution has changed much (the usual rule of credit scoring; Siddiqi 2006)."""
LARGE_DISTANCE = 0.2
"""Kolmogorov-Smirnov distance that goes with it: a fifth of the values lies elsewhere."""
WORSE_LOSS, LOST_COVERAGE = 1.25, 0.1
"""From here on residuals, as a ratio to what they were, and coverage, in points, have moved much."""


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

    @property
    def size(self) -> float:
        """How far it moved, in units of what is large; NaN where nothing was measured.

        The index of an input, how much larger a residual became, how much of a coverage was lost.
        """
        if self.of is DriftOf.INPUT:
            return self.psi / LARGE_PSI
        if self.of is DriftOf.COVERAGE:
            return (self.before - self.now) / LOST_COVERAGE
        return (self.now / self.before - 1) / (WORSE_LOSS - 1) if self.before > 0 else float("nan")


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
