"""What scores reach in normal periods, from which the alarm boundary is set.

Past incidents are left out, a score must be sustained as long as an episode is, and of each block of two hours only the
peak counts, since neighbouring slots are alike.
"""

import numpy as np

from brownout.domain.panel import DAY_S, Float
from brownout.numerics.arrays import Marks
from brownout.numerics.rolling import rolling_extreme, rolling_sum
from brownout.numerics.slots import whole_slots

__all__ = ["block_peaks", "sustained", "unusual"]

SUSTAINED = 3
"""Slots that a score must be sustained for: an episode is more than one unusual sample."""
UNUSUAL = 15.0
"""Spreads from which the mean of a quarter of an hour is unusual."""
UNUSUAL_PER_DAY = 1.0
"""Unusual periods an entity and day; where there are more, this telemetry behaves so, and none is left out."""
UNUSUAL_SHARE = 0.5
"""Share of all slots from which the same holds."""
AFTERMATH_S = 1800
"""What follows an unusual slot so soon belongs to the same period."""
BLOCK = (7200, 12)
"""Seconds of a block, and its least number of slots."""


def unusual(deviations: Float, interval_s: int) -> Marks:
    """Slots ``[entity, time]`` of past incidents and their aftermath: far from every expectation, and rare.

    ``deviations`` are in usual spreads, NaN = not measured. How often such periods come decides, not how long they
    last: a fault of a day is one incident, but what comes several times a day is how this telemetry behaves.
    """
    far = deviations > UNUSUAL
    if not far.size:
        return far
    reach = whole_slots(AFTERMATH_S, interval_s)
    near: Marks = rolling_sum(far, reach + 1) > 0
    starts = near & ~np.pad(near, ((0, 0), (1, 0)))[:, :-1]
    days = np.isfinite(deviations).sum() * interval_s / DAY_S
    common = starts.sum() > UNUSUAL_PER_DAY * days or near.mean() > UNUSUAL_SHARE
    return np.zeros_like(near) if common else near


def sustained(levels: Float) -> Float:
    """Least level of the last ``SUSTAINED`` slots ``[entity, time]``; NaN where one of them has no score.

    Of an entity that is usually measured only every few slots, the last ``SUSTAINED`` slots with a score count.
    """
    least = rolling_extreme(np.minimum, levels, SUSTAINED) if levels.size else levels.copy()
    least[:, : SUSTAINED - 1] = np.nan
    for row, level in enumerate(levels):
        scored = np.flatnonzero(np.isfinite(level))
        if len(scored) >= SUSTAINED and np.median(np.diff(scored)) > 1:
            least[row, scored] = rolling_extreme(np.minimum, level[None, scored], SUSTAINED)[0]
            least[row, scored[: SUSTAINED - 1]] = np.nan
    return least


def block_peaks(levels: Float, interval_s: int) -> Float:
    """Highest level of each block of two hours of each entity ``[peak]``; blocks without any level have none."""
    width = whole_slots(BLOCK[0], interval_s, least=BLOCK[1])
    short = -levels.shape[1] % width
    filled = np.pad(np.nan_to_num(levels, nan=-np.inf), ((0, 0), (0, short)), constant_values=-np.inf)
    highest: Float = filled.reshape(len(levels), filled.shape[1] // width, width).max(axis=2).ravel()
    return highest[np.isfinite(highest)]
