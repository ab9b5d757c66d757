"""Median level: the median of the last hours on top of the median day, which single spikes do not move.

Latencies and I/O have heavy tails: a spike moves a mean, and so an exponentially smoothed level or a mean day, for days
(Huber, Robust Statistics, 1981).
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from brownout.domain.panel import Float
from brownout.forecasting.baselines.classical import Classical
from brownout.forecasting.baselines.smoothing import filled, spreads
from brownout.numerics.order_statistics import median

__all__ = ["MedianLevel", "median_day"]

MEMORY = 14
"""Seasons that the median day and the errors are taken from."""
LEVEL_PART = 6
"""The level is the median over this part of a season: a sixth of a day, four hours."""
NEIGHBOURS = 48
"""The median day is smoothed over this part of a season before and after each phase: half an hour of a day."""
SAMPLED = 24
"""Errors are measured from about so many origins a season, a slot more apart so that their minutes differ."""


@dataclass(frozen=True)
class MedianLevel(Classical):
    """Recent median plus median day, with the empirical deciles of past errors at the same distance."""

    season: int | None = None
    memory: int = MEMORY
    name: ClassVar[str] = "median"

    def paths(self, past: Float, season: int, horizon: int) -> Float:
        """Quantile paths after a past."""
        slots = past.shape[1]
        day = median_day(past, season)
        phase = np.arange(slots + horizon) % season
        adjusted = past - day[:, phase[:slots]]
        window = min(max(season // LEVEL_PART, 1), slots)
        ends = np.arange(slots - 1, window - 2, -(season // SAMPLED + 1))[::-1]
        recent = sliding_window_view(filled(adjusted), window, axis=1)[:, ends - window + 1]
        levels = np.median(recent, axis=2)

        def misses(step: int) -> Float:
            known = ends + step < slots
            missed: Float = adjusted[:, ends[known] + step] - levels[:, known]
            return missed

        middle = levels[:, -1:] + day[:, phase[slots:]]
        paths: Float = (middle[..., None] + spreads(misses, horizon, slots)).astype(np.float32)
        return paths


def median_day(past: Float, season: int, *, days: int = 1) -> Float:
    """Median of each phase less that of them all, phase 0 at the first slot: ``[row, phase]``; 0 where unknown.

    A season may be of several ``days``: each is smoothed as one.
    """
    rows, slots = past.shape
    padded = np.full((rows, -(-slots // season) * season), np.nan, np.float32)
    padded[:, :slots] = past
    day = median(padded.reshape(rows, -1, season).transpose(0, 2, 1).reshape(rows * season, -1)).reshape(rows, season)
    day = np.nan_to_num(day - median(day)[:, None])
    reach = season // (days * NEIGHBOURS)
    wrapped = np.concatenate([day[:, season - reach :], day, day[:, :reach]], axis=1)
    smooth: Float = sliding_window_view(wrapped, 2 * reach + 1, axis=1).mean(axis=2, dtype=np.float32)
    return smooth
