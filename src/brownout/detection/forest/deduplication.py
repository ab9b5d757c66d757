"""Alarm deduplication: an alarm is raised once, and again only when it gets clearly worse or after a quiet time."""

import numpy as np

from brownout.domain.panel import Float
from brownout.numerics.arrays import Marks
from brownout.numerics.rolling import largest_since

__all__ = ["deduplicated", "new_alarms"]

QUIET_SHARE = 0.05
"""Quiet time after an alarm, as a share of the time that the series has been monitored."""
LEAST_QUIET = 12
"""Least quiet time in slots."""
WORSE = 1.1
"""Factor by which a level must exceed those of the quiet time to raise a new alarm within it."""
MUTED_FROM = 0.75
"""Levels from this share of the boundary on that raise no new alarm are scaled to lie below it, in their order."""
MUTED_SCALE = 0.8
"""Share of ``MUTED_FROM`` below which lower levels are scaled."""


def deduplicated(levels: Float, monitored: int, lasting: Marks | None = None) -> Float:
    """Scores ``[entity, time]``: levels where they raise a new alarm, else scaled below the boundary, in their order.

    ``levels`` have the boundary at 1.0, NaN = not scored; ``monitored`` is the number of slots before the first one
    that the entity was already monitored for. Levels that ``lasting`` marks stand as they are.
    """
    is_new = new_alarms(levels, monitored)
    above = levels - MUTED_FROM
    muted = np.where(
        above < 0, MUTED_SCALE * levels, MUTED_FROM * (MUTED_SCALE + (1 - MUTED_SCALE) * above / (above + 1))
    )
    kept = is_new & (above >= 0)
    scores: Float = np.where(kept if lasting is None else kept | lasting, levels, muted).astype(np.float32)
    return scores


def new_alarms(levels: Float, monitored: int) -> Marks:
    """Whether each level exceeds all levels of its quiet time by a factor; that grows with the time monitored."""
    filled = np.nan_to_num(levels)
    slots = np.arange(levels.shape[1])
    quiet = np.maximum((QUIET_SHARE * (slots + monitored)).astype(np.int64), LEAST_QUIET)
    first = np.maximum(slots - quiet, 0)
    marks: Marks = filled > WORSE * largest_since(filled, first)
    return marks
