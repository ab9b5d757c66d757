"""Counters: from ever-growing totals to rates a second."""

import numpy as np
import numpy.typing as npt

__all__ = ["LONGEST_GAP_MS", "rates"]

LONGEST_GAP_MS = 3_600_000
"""A rate over more than an hour says nothing about its end; it also bounds how far before a slice one must read."""


def rates(
    values: npt.NDArray[np.float64], times: npt.NDArray[np.int64], groups: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Rates a second of counters, each over the time since the series' sample before.

    Parameters
    ----------
    values
        float64 ``[row]``, sorted by group and time; NaN = not measured.
    times
        int64 ``[row]``: milliseconds.
    groups
        int64 ``[row]``: rows of one series have one number.

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
    rises = np.diff(values[present])
    elapsed = np.diff(times[present])
    same = (np.diff(groups[present]) == 0) & (elapsed > 0) & (elapsed <= LONGEST_GAP_MS)
    reset = same & (rises < 0)
    good = same & ~reset
    result[present[1:][good]] = rises[good] / (elapsed[good] / 1000)
    return result, present[1:][reset]
