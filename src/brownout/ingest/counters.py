"""Counters: ever-growing totals become rates per second."""

import numpy as np

from brownout.numerics.arrays import Doubles, Index

__all__ = ["LONGEST_GAP_MS", "growth", "rates"]

LONGEST_GAP_MS = 3_600_000
"""Longest time that a rate is computed over; a slice is read from so long before its start on."""


def rates(values: Doubles, times: Index, groups: Index, low: Doubles | None = None) -> tuple[Doubles, Index]:
    """Rates a second of counters, each over the time since the series' sample before.

    Parameters
    ----------
    values
        float64 ``[row]``, sorted by group and time; NaN = not measured.
    times
        int64 ``[row]``: milliseconds.
    groups
        int64 ``[row]``: rows of one series have one number.
    low
        float64 ``[row]``: what whole numbers beyond 2^53 have beyond ``values``; None where they have nothing.

    Returns
    -------
    rates
        float64 ``[row]``; NaN for a series' first sample, across a reset, and across a gap of over an hour.
    resets
        Rows at which a counter fell.
    """
    result = np.full(len(values), np.nan)
    present = np.flatnonzero(~np.isnan(values))
    if not len(present):
        return result, present
    rises = _rises(values[present], None if low is None else low[present])
    elapsed = np.diff(times[present])
    same = (np.diff(groups[present]) == 0) & (elapsed > 0) & (elapsed <= LONGEST_GAP_MS)
    reset = same & (rises < 0)
    good = same & ~reset
    result[present[1:][good]] = rises[good] / (elapsed[good] / 1000)
    return result, present[1:][reset]


def growth(values: Doubles, times: Index, groups: Index, low: Doubles | None = None) -> tuple[Doubles, Index]:
    """Growth of counters over the hour before each row, or over the part of it that was seen.

    Parameters and resets are those of ``rates``; what a counter lost in a reset does not count. NaN for a row without
    another one in the hour before it.
    """
    result = np.full(len(values), np.nan)
    present = np.flatnonzero(~np.isnan(values))
    if not len(present):
        return result, present
    rises = np.concatenate(([0.0], _rises(values[present], None if low is None else low[present])))
    same = np.diff(groups[present], prepend=-1) == 0
    total = np.cumsum(np.where(same & (rises > 0), rises, 0.0))
    base = int(times[present].min())
    width = int(times[present].max()) - base + LONGEST_GAP_MS + 1
    keys = groups[present] * width + (times[present] - base)
    first = np.searchsorted(keys, np.maximum(keys - LONGEST_GAP_MS, groups[present] * width))
    earlier = first < np.arange(len(present))
    result[present[earlier]] = (total - total[first])[earlier]
    return result, present[same & (rises < 0)]


def _rises(values: Doubles, low: Doubles | None) -> Doubles:
    """Differences of neighbours: those of near floats are exact, so that what was split off can be added."""
    rises = np.diff(values)
    return rises if low is None else rises + np.diff(low)
