"""Nights that were missed: a machine was off, a database away; each can be made as of its own time."""

from collections.abc import Sequence

import numpy as np

from brownout.numerics.slots import days

__all__ = ["MOST_MISSED", "missed_nights"]

MOST_MISSED = 31
"""Nights that are caught up with at most: what is older is history, and nobody waits for its report."""
SLACK = days(0.5)
"""A night whose data end within half a day of a time is the night of that time."""


def missed_nights(
    archived: Sequence[str], now: np.datetime64, *, until: np.datetime64, most: int
) -> tuple[np.datetime64, ...]:
    """Times of the nights that lie between the last one of an archive and now, the oldest first; now itself not.

    Nights are a day apart. ``archived`` are names as ``2026-03-16T0215Z``: the end of the data of each night. Where
    there is none, none was missed; nor is a night that the data, which end at ``until``, do not reach.
    """
    if not archived:
        return ()
    last = _end(max(archived))
    times = (now - days(number) for number in range(min(most, MOST_MISSED), 0, -1))
    return tuple(time.astype("datetime64[s]") for time in times if last + SLACK < time <= until + SLACK)


def _end(name: str) -> np.datetime64:
    return np.datetime64(f"{name[:13]}:{name[13:15]}", "ms")
