"""What ordinary days reach: without the incidents of the past, for as long as an episode lasts, block by block."""

import numpy as np

from brownout.domain.panel import DAY_S, Float
from brownout.numerics.arrays import Marks
from brownout.numerics.rolling import rolling_extreme, rolling_sum
from brownout.numerics.slots import whole_slots

__all__ = ["block_peaks", "sustained", "unusual"]

SUSTAINED = 3
"""Slots that a level must last for its boundary to look at it: an episode is more than one strange sample."""
STRANGE = 15.0
"""Spreads from which a quarter of an hour is no ordinary one."""
STRANGE_A_DAY = 1.0
"""Strange times an entity and day; where there are more they are how this telemetry behaves, and none is strange."""
STRANGE_SHARE = 0.5
"""Share of the slots from which the same holds."""
AFTERMATH_S = 1800
"""What follows a strange slot so soon belongs to it."""
BLOCK = (7200, 12)
"""Seconds of a block, and the slots that it has at least."""


def unusual(deviations: Float, interval_s: int) -> Marks:
    """Slots ``[entity, time]`` of past incidents and what follows them: far from every expectation, and seldom.

    ``deviations`` are in usual spreads, NaN = not measured. It counts how often such times come, not how long they
    last: a fault of a day is one incident, what comes several times a day is how this telemetry
    behaves.
    """
    far = deviations > STRANGE
    reach = whole_slots(AFTERMATH_S, interval_s)
    near: Marks = rolling_sum(far, reach + 1) > 0
    begins = near & ~np.pad(near, ((0, 0), (1, 0)))[:, :-1]
    days = np.isfinite(deviations).sum() * interval_s / DAY_S
    usual = begins.sum() > STRANGE_A_DAY * days or near.mean() > STRANGE_SHARE
    return np.zeros_like(near) if usual else near


def sustained(levels: Float) -> Float:
    """Least level of the last ``SUSTAINED`` slots, NaN where one of them was not scored."""
    least = rolling_extreme(np.minimum, levels, SUSTAINED)
    least[:, : SUSTAINED - 1] = np.nan
    return least


def block_peaks(levels: Float, interval_s: int) -> Float:
    """Highest level of each block of two hours of each entity that has any; NaN = left out."""
    width = whole_slots(BLOCK[0], interval_s, least=BLOCK[1])
    short = -levels.shape[1] % width
    filled = np.pad(np.nan_to_num(levels, nan=-np.inf), ((0, 0), (0, short)), constant_values=-np.inf)
    highest: Float = filled.reshape(len(levels), -1, width).max(axis=2).ravel()
    return highest[np.isfinite(highest)]
