"""Naive forecasts: the last value, and the value one season earlier, with empirical deciles of past errors."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from brownout.domain.forecasts import QUANTILES
from brownout.domain.panel import Float, Panel
from brownout.forecasting.baselines.classical import Classical
from brownout.numerics.order_statistics import quantiles

__all__ = ["Naive", "SeasonalNaive", "WeeklyNaive", "deciles", "last_values", "seasonal_scale"]

MEMORY = 28
"""Seasons of residuals that are read: older ones say little of the series as it is."""
WEEK = 7
"""Seasons of a week, where a season is a day."""


@dataclass(frozen=True)
class Naive(Classical):
    """The last measured value, with the deciles of past changes growing with the root of the step."""

    season: int | None = None
    memory: int = MEMORY
    name: ClassVar[str] = "naive"

    def paths(self, past: Float, season: int, horizon: int) -> Float:
        """Quantile paths after a past."""
        del season
        growth = np.sqrt(np.arange(1, horizon + 1, dtype=np.float32))[None, :, None]
        return last_values(past)[:, None, None] + deciles(np.diff(past, axis=1))[:, None, :] * growth


@dataclass(frozen=True)
class SeasonalNaive(Classical):
    """The value one season (default: a day) earlier, the last value where that is a gap; deciles of past misses."""

    season: int | None = None
    memory: int = MEMORY
    name: ClassVar[str] = "seasonal-naive"

    def paths(self, past: Float, season: int, horizon: int) -> Float:
        """Quantile paths after a past."""
        slots = past.shape[1] - season + np.arange(horizon) % season
        earlier = past[:, np.maximum(slots, 0)]
        middle = np.where((slots >= 0) & np.isfinite(earlier), earlier, last_values(past)[:, None])
        misses = past[:, season:] - past[:, :-season] if past.shape[1] > season else past[:, :0]
        return middle[:, :, None] + deciles(misses)[:, None, :]


@dataclass(frozen=True)
class WeeklyNaive(Classical):
    """The value a week (seven seasons) earlier, for what differs between working days and weekends."""

    season: int | None = None
    memory: int = MEMORY + WEEK - 1
    name: ClassVar[str] = "weekly-naive"

    def paths(self, past: Float, season: int, horizon: int) -> Float:
        """Quantile paths after a past."""
        return SeasonalNaive().paths(past, WEEK * season, horizon)


def seasonal_scale(panel: Panel, season: int, *, end: int) -> Float:
    """In-sample mean absolute error of seasonal-naive before slot ``end``, ``[entity, metric]``; NaN where unknown."""
    past = panel.values[:, :end]
    misses = np.abs(past[:, season:] - past[:, :-season]) if end > season else past[:, :0]
    seen = np.isfinite(misses)
    total, count = np.where(seen, misses, 0).sum(axis=1, dtype=np.float64), seen.sum(axis=1)
    scale: Float = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0).astype(np.float32)
    return scale


def last_values(past: Float) -> Float:
    """Last measured value of each row, 0 where the window holds none."""
    seen = np.isfinite(past)
    slot = past.shape[1] - 1 - seen[:, ::-1].argmax(axis=1)
    last = past[np.arange(len(past)), slot]
    return np.where(np.isfinite(last), last, np.float32(0))


def deciles(residuals: Float) -> Float:
    """Empirical quantiles of each row, linear between order statistics; 0 where there are no residuals."""
    return np.nan_to_num(np.stack(quantiles(residuals, QUANTILES, method="linear"), axis=1))
