"""Counters: ever-growing totals become rates per second."""

import numpy as np

from brownout.numerics.arrays import Doubles, Index, Marks

__all__ = ["LONGEST_GAP_MS", "growth", "misread", "rates"]

LONGEST_GAP_MS = 3_600_000
"""Longest time that a rate is computed over; a slice is read from so long before its start on."""
UNKNOWN = (2.0**31 - 1, 2.0**32 - 1, 2.0**63, 2.0**64)
"""Values that libraries write for an unknown total, besides 0 and negative ones."""


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
        Rows at which a counter fell, or that say nothing about it.
    """
    result = np.full(len(values), np.nan)
    unreal = misread(values, groups)
    present = np.flatnonzero(~np.isnan(values) & ~unreal)
    if not len(present):
        return result, present
    rises = _rises(values[present], None if low is None else low[present])
    elapsed = np.diff(times[present])
    same = (np.diff(groups[present]) == 0) & (elapsed > 0) & (elapsed <= LONGEST_GAP_MS)
    reset = same & (rises < 0)
    good = same & ~reset
    result[present[1:][good]] = rises[good] / (elapsed[good] / 1000)
    return result, np.sort(np.concatenate((present[1:][reset], np.flatnonzero(unreal))))


def misread(values: Doubles, groups: Index) -> Marks:
    """Rows that say nothing about a counter: alone between two others, which go on as if it was not there.

    It is 0, negative, or a number that stands for "unknown". Taken for a reset, the next row would be a rise of all
    that was ever counted. Shapes are those of ``rates``.
    """
    misread_rows = np.zeros(len(values), bool)
    present = np.flatnonzero(~np.isnan(values))
    before, own, after = values[present[:-2]], values[present[1:-1]], values[present[2:]]
    fell = (own <= 0) & (before > np.maximum(own, 0))
    odd = (fell | (np.isin(own, UNKNOWN) & (own > after))) & (after >= before)
    misread_rows[present[1:-1][odd & (groups[present[:-2]] == groups[present[2:]])]] = True
    return misread_rows


def growth(values: Doubles, times: Index, groups: Index, low: Doubles | None = None) -> tuple[Doubles, Index]:
    """Growth of counters over the hour before each row, or over the part of it that was seen.

    Parameters and resets are those of ``rates``; what a counter lost in a reset does not count. NaN for a row without
    another one in the hour before it.
    """
    result = np.full(len(values), np.nan)
    unreal = misread(values, groups)
    present = np.flatnonzero(~np.isnan(values) & ~unreal)
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
    return result, np.sort(np.concatenate((present[same & (rises < 0)], np.flatnonzero(unreal))))


def _rises(values: Doubles, low: Doubles | None) -> Doubles:
    """Differences of neighbours: those of near floats are exact, so that what was split off can be added."""
    rises = np.diff(values)
    return rises if low is None else rises + np.diff(low)
