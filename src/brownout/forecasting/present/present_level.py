"""Present level: what repeats a day or a week is moved to where stores and memory are now.

A pool that was emptied an hour ago is not full again at noon because it was yesterday. How much of what the copy misses
now is still missed half a day later says the series' own past; all of it where the copy never missed as much before.
"""

import numpy as np

from brownout.domain.panel import Float
from brownout.forecasting.baselines.classical import pasts
from brownout.forecasting.series_rows import Rows
from brownout.numerics.order_statistics import median, quantile

__all__ = ["present_shift"]

MEMORY = 14
"""Seasons of misses that are read."""
NOW = 3
"""Slots whose median miss is that of now."""
OFTEN = 0.95
"""Quantile of the sizes of earlier misses: what is twice as large never was, and is kept whole."""


def present_shift(rows: Rows, lag: int, horizon: int) -> Float:
    """What is added to a copy of the values so many slots earlier, ``[row, step]``; 0 where nothing is known.

    Slots that missed their own copy as much already, as those after a change of level, are at the present level.
    """
    season = rows.panel.slots_per_day
    shift = np.zeros((len(rows), horizon), np.float32)
    fills = np.array([metric.fills_up for metric in rows.panel.metrics], bool)
    for part, past in pasts(rows, MEMORY * season + lag):
        chosen = np.flatnonzero(fills[rows.metrics[part]])
        if not len(chosen) or past.shape[1] <= lag + NOW:
            continue
        missed = past[chosen, lag:] - past[chosen, :-lag]
        now = np.nan_to_num(median(missed[:, -NOW:]))
        kept = np.maximum(_persistence(missed, max(season // 2, 1)), _unheard(now, missed[:, :-NOW]))
        copied = missed.shape[1] - lag + np.arange(horizon) % lag
        earlier = np.where(copied >= 0, missed[:, np.maximum(copied, 0)], 0)
        there = np.nan_to_num(np.divide(earlier, now[:, None], out=np.zeros_like(earlier), where=now[:, None] != 0))
        shift[np.arange(part.start, part.stop)[chosen]] = (kept * now)[:, None] * (1 - np.clip(there, 0, 1))
    return shift


def _persistence(missed: Float, later: int) -> Float:
    """Share of a miss that is left so many slots later, 0 … 1, by least squares; 0 where little is known."""
    if missed.shape[1] <= 2 * later:
        return np.zeros(len(missed), np.float32)
    first, second = missed[:, :-later], missed[:, later:]
    both = np.isfinite(first) & np.isfinite(second)
    power = np.where(both, first**2, 0).sum(axis=1)
    together = np.where(both, first * second, 0).sum(axis=1)
    share: Float = np.clip(np.divide(together, power, out=np.zeros_like(power), where=power > 0), 0, 1)
    return share


def _unheard(now: Float, earlier: Float) -> Float:
    """1 where a miss is twice as large as almost all earlier ones, 0 where it is no larger."""
    often = np.nan_to_num(quantile(np.abs(earlier), OFTEN))
    share: Float = np.clip(np.divide(np.abs(now), often, out=np.full_like(now, 2), where=often > 0) - 1, 0, 1)
    return np.where(now == 0, np.float32(0), share)
