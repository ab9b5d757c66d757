"""What is news: an alarm is raised once, and again only when it gets clearly worse or has been quiet for a while."""

import numpy as np

from brownout.domain.panel import Float
from brownout.numerics.arrays import Marks
from brownout.numerics.rolling import largest_since

__all__ = ["deduplicated", "new_alarms"]

QUIET_SHARE = 0.05
"""An alarm silences like ones for a twentieth of the time that the series has been watched."""
LEAST_QUIET = 12
"""Slots that an alarm silences like ones at least."""
WORSE = 1.1
"""How much higher a level must be than those lately to be news within the quiet time."""
MUTED_FROM = 0.75
"""Levels above this share of the boundary that are no news are pressed below it, in their order."""
MUTED_SCALE = 0.8
"""Share of ``MUTED_FROM`` below which ordinary levels are scaled."""


def deduplicated(levels: Float, known: int) -> Float:
    """Scores ``[entity, time]``: levels where they are news, else pressed below the boundary; order is kept.

    ``levels`` have the boundary at 1.0, NaN = not scored; ``known`` is the number of slots watched before the first.
    """
    fresh = new_alarms(levels, known)
    above = levels - MUTED_FROM
    pressed = np.where(
        above < 0, MUTED_SCALE * levels, MUTED_FROM * (MUTED_SCALE + (1 - MUTED_SCALE) * above / (above + 1))
    )
    scores: Float = np.where(fresh & (above >= 0), levels, pressed).astype(np.float32)
    return scores


def new_alarms(levels: Float, known: int) -> Marks:
    """Whether each level exceeds all those of its quiet time by a factor; the quiet time grows with what is known."""
    filled = np.nan_to_num(levels)
    slots = np.arange(levels.shape[1])
    quiet = np.maximum((QUIET_SHARE * (slots + known)).astype(np.int64), LEAST_QUIET)
    first = np.maximum(slots - quiet, 0)
    marks: Marks = filled > WORSE * largest_since(filled, first)
    return marks
