"""Times of habits: when in the horizon a series that crosses its limit on most days is going to cross it.

A nightly build that is at its limit at 04:20 is so again at 04:20, not at any time of the day. On each earlier day the
first crossing after the same time of day as the origin is noted; where these come together the next one is expected
there, and where they spread it is as uncertain as they are.
"""

import numpy as np
from scipy.stats import norm

from brownout.domain.panel import Index, Panel
from brownout.numerics.arrays import Doubles

__all__ = ["first_crossings", "times_of"]

MEMORY_DAYS = 14
"""Days that are looked back."""
LEAST_SPREAD = 0.5
"""Least standard deviation of the time around that of one earlier day, in slots."""
SPREAD = 0.7
"""The same as a share of the standard deviation of the times of all earlier days."""
ANY_TIME = 0.5
"""Earlier days that a crossing at any time counts for."""


def first_crossings(panel: Panel, entities: Index, metrics: Index, *, origin: int, horizon: int) -> Doubles:
    """Step of the first crossing after the same time of day on each earlier day: ``[row, day]``, NaN for none.

    ``entities`` and ``metrics`` ``[row]`` name the series. Days that began beyond the limit, and whose horizon was not
    over by the origin, have none.
    """
    season = panel.slots_per_day
    starts = [origin - k * season for k in range(-(-horizon // season), MEMORY_DAYS + 1) if origin >= k * season]
    found = np.full((len(entities), len(starts)), np.nan)
    for column in np.unique(metrics).tolist():
        rows = np.flatnonzero(metrics == column)
        beyond = panel.metrics[column].exceeds(panel.values[entities[rows], :, column])
        for day, start in enumerate(starts):
            ahead = beyond[:, start + 1 : start + 1 + horizon]
            crosses = ahead.any(axis=1) & ~beyond[:, start]
            found[rows, day] = np.where(crosses, ahead.argmax(axis=1), np.nan)
    return found


def times_of(steps: Doubles, horizon: int) -> Doubles:
    """Share of the crossings that came by the middle of each step ``[row, step]``, from ``steps [row, day]``.

    Each earlier day stands for the times around its own, and ``ANY_TIME`` more for any; the last share is 1.
    """
    middle = np.arange(horizon) + 0.5
    shares = np.empty((len(steps), horizon))
    for row, own in enumerate(steps):
        at = own[np.isfinite(own)] + 0.5
        spread = max(LEAST_SPREAD, SPREAD * float(at.std())) if len(at) else LEAST_SPREAD
        low, high, here = (norm.cdf((time - at) / spread) for time in (0.0, float(horizon), middle[:, None]))
        by_then = ((here - low) / (high - low)).sum(axis=1)
        shares[row] = (by_then + ANY_TIME * middle / horizon) / (len(at) + ANY_TIME)
    shares[:, -1] = 1.0
    return shares
