"""Level steps: a pool made larger, a guest restarted; what grew before it and grows on after it is one trend.

A step counts where it came once: a change within two slots that is twice as large as any other, and that stayed. The
resets of a saw-tooth are none.
"""

import numpy as np

from brownout.domain.panel import Doubles, Float, Index
from brownout.forecasting.baselines.smoothing import filled
from brownout.forecasting.present.local_trend import line_after
from brownout.numerics.order_statistics import median

__all__ = ["without_step"]

BESIDE = 6
"""The level beside a step is read from this part of a season: four hours of a day."""
FAR = 8.0
"""Robust standard deviations of ordinary changes that a step is larger than."""
ONCE = 0.5
"""The next largest change is less than this share of a step."""
STAYS = 0.6
"""Share of the change that is left as the difference of the levels on both sides."""


def without_step(past: Float, season: int) -> tuple[Float, Index]:
    """A past ``[row, slot]`` raised or lowered before its one step to the level after it, and the slots since then.

    The slots are 0 where there is no step, or where it came within the last third of a season: what the series does
    since then is not known yet.
    """
    rows, slots = past.shape
    beside = max(season // BESIDE, 3)
    since = np.zeros(rows, np.int64)
    if slots < 4 * beside + 2:
        return past, since
    whole = filled(past).astype(np.float64)
    change = np.abs(whole[:, 2:] - whole[:, :-2])
    place = change.argmax(axis=1)
    largest = change.max(axis=1)
    other = np.where(np.abs(np.arange(change.shape[1]) - place[:, None]) <= beside, 0, change).max(axis=1)
    sudden = (largest > FAR * 1.4826 * median(change)) & (other < ONCE * largest)
    known = (place >= beside) & (place + 2 + max(season // 3, beside) <= slots)
    levelled = past.copy()
    for row in np.flatnonzero(sudden & known).tolist():
        first = int(place[row]) + 1
        before, after = whole[row, first - beside : first], whole[row, first + 1 : first + 1 + beside]
        # Both windows as lines, so that a ramp which goes on is not taken for a part of the step.
        start, end = _end_of(after[::-1]), _end_of(before)
        step = start[0] - end[0] - (end[1] - start[1])
        if np.sign(step) != np.sign(whole[row, first + 1] - whole[row, first - 1]) or abs(step) < STAYS * largest[row]:
            continue
        levelled[row, :first] += step
        levelled[row, first] = np.nan
        since[row] = slots - first - 1
    return levelled, since


def _end_of(window: Doubles) -> tuple[float, float]:
    """Level at the last slot of a window and its slope."""
    level, slope = line_after(window[None])
    return float(level[0]), float(slope[0])
