"""Trend: a straight line through the last weeks, for what fills up or leaks.

The slope is the median of the changes over a third of the past, a Theil-Sen estimate that takes one lag only, so
that a thousand series take no time; neither a restart nor a burst moves it.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from brownout.domain.panel import Float
from brownout.forecasting.baselines.classical import Classical, pasts
from brownout.forecasting.baselines.smoothing import filled, mean_day, spreads
from brownout.forecasting.series_rows import Rows
from brownout.numerics.order_statistics import median

__all__ = ["Trend", "rises", "slope_of"]

MEMORY = 13
"""Seasons of the past, beside the first, that the line is drawn through: two weeks."""
RISE = 4.0
"""A series rises or falls where its line changes by more than so many mean absolute deviations over the past read."""


@dataclass(frozen=True)
class Trend(Classical):
    """The level of the last season and the slope of the past, plus the mean day, with past misses at each distance."""

    season: int | None = None
    memory: int = MEMORY
    name: ClassVar[str] = "trend"

    def paths(self, past: Float, season: int, horizon: int) -> Float:
        """Quantile paths after a past."""
        slots = past.shape[1]
        slope = slope_of(past, season)[:, None]
        flat, day = _levelled(past, slope, season)
        phase = np.arange(slots, slots + horizon) % season
        middle = flat[:, -season:].mean(axis=1)[:, None] + day[:, phase]
        middle = middle + slope * np.arange(1, horizon + 1, dtype=np.float32)
        spread = spreads(lambda step: flat[:, step:] - flat[:, : max(slots - step, 0)], horizon, slots)
        paths: Float = (middle[..., None] + spread).astype(np.float32)
        return paths


def rises(rows: Rows) -> npt.NDArray[np.bool_]:
    """Whether each row's series rises or falls before its origin by more than its noise, ``[row]``."""
    season = rows.panel.slots_per_day
    rising = np.zeros(len(rows), bool)
    for part, past in pasts(rows, (MEMORY + 1) * season):
        slope = slope_of(past, season)
        flat, _ = _levelled(past, slope[:, None], season)
        spread = np.abs(flat - np.median(flat, axis=1, keepdims=True)).mean(axis=1)
        rising[part] = np.abs(slope) * past.shape[1] > RISE * spread
    return rising


def slope_of(past: Float, season: int) -> Float:
    """Median change a slot over a third of the past, in whole seasons; 0 where too little was measured."""
    lag = max(past.shape[1] // 3 // season, 1) * season
    changes = past[:, lag:] - past[:, :-lag] if past.shape[1] > lag else past[:, :0]
    slope: Float = np.nan_to_num(median(changes) / lag)
    return slope


def _levelled(past: Float, slope: Float, season: int) -> tuple[Float, Float]:
    """The past without its line and its mean day, gaps filled, and the mean day."""
    slots = past.shape[1]
    straight = past - slope * np.arange(1 - slots, 1, dtype=np.float32)
    day = mean_day(straight, season)
    return filled(straight - day[:, np.arange(slots) % season]), day
