"""Plots of a model's card: residuals by resource and quarter of the horizon, and drift beside what is large."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from brownout.domain.findings.model_cards import ResidualSpread
from brownout.domain.findings.model_drift import Drift

__all__ = ["DRIFTS_SHOWN", "DriftBar", "ResidualBar", "drift_bars", "residual_bars"]

DRIFTS_SHOWN = 20
LONGEST = 3.0
"""Sizes of a drift that the plot shows, in units of what is large; longer bars end there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualBar:
    """A resource in a quarter of the horizon: places on the plot, 0 … 100, of the quantiles of a spread."""

    spread: ResidualSpread
    q10: float
    q25: float
    middle: float
    q75: float
    q90: float
    told_q10: float
    told_q90: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftBar:
    """A drift and the length of its bar, 0 … 100; the line of what is large is at ``100 / LONGEST``."""

    drift: Drift
    length: float


def residual_bars(spreads: Sequence[ResidualSpread]) -> tuple[ResidualBar, ...]:
    """Places on a scale of each resource's own, with no residual in the middle of it."""
    names = ("q10", "q25", "middle", "q75", "q90", "told_q10", "told_q90")
    widest: dict[str, float] = {}
    for spread in spreads:
        far = max(abs(value) for name in names if math.isfinite(value := getattr(spread, name)))
        widest[spread.family] = max(widest.get(spread.family, 0.0), far)

    def position(value: float, family: str) -> float:
        far = widest[family]
        return 50 + 50 * value / far if far > 0 and math.isfinite(value) else 50.0

    return tuple(
        ResidualBar(spread=one, **{name: position(getattr(one, name), one.family) for name in names}) for one in spreads
    )


def drift_bars(drifts: Sequence[Drift]) -> tuple[DriftBar, ...]:
    """The largest drifts, the largest first; what became better has no length."""
    sized = [drift for drift in drifts if math.isfinite(drift.size)]
    sized.sort(key=lambda drift: (-drift.size, drift.name, drift.kind))
    return tuple(
        DriftBar(drift=drift, length=100 * min(max(drift.size, 0.0), LONGEST) / LONGEST)
        for drift in sized[:DRIFTS_SHOWN]
    )
