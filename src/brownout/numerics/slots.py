"""Slots of a regular time axis: durations as numbers of slots, times as milliseconds, means of what shares a slot."""

from typing import overload

import numpy as np
import numpy.typing as npt

from brownout.domain.panel import DAY_S, Times, slots_per_day
from brownout.numerics.arrays import Doubles, Index, Marks

__all__ = [
    "DAY_S",
    "HOUR_S",
    "days",
    "epoch_ms",
    "floor_to_slot",
    "group_means",
    "is_weekend",
    "nearest_slots",
    "second_of_day",
    "slots_per_day",
    "time_of",
    "whole_slots",
]

HOUR_S = 3600


def whole_slots(seconds: float, interval_s: int, *, least: int = 1) -> int:
    """How many whole slots fit into a duration, but not fewer than ``least``."""
    return max(int(seconds // interval_s), least)


def nearest_slots(seconds: float, interval_s: int, *, least: int = 1) -> int:
    """The number of slots that comes nearest to a duration, but not fewer than ``least``."""
    return max(round(seconds / interval_s), least)


def days(number: float) -> np.timedelta64:
    """A number of days as a duration in milliseconds."""
    return np.timedelta64(round(number * DAY_S * 1000), "ms")


@overload
def epoch_ms(time: np.datetime64) -> int: ...
@overload
def epoch_ms(time: Times) -> Index: ...
def epoch_ms(time: np.datetime64 | Times) -> int | Index:
    """Milliseconds since 1970-01-01T00:00Z of a UTC time, or of an array of them; what is finer is cut off."""
    millis = time.astype("datetime64[ms]").astype(np.int64)
    return millis if isinstance(millis, np.ndarray) else int(millis)


def time_of(millis: int) -> np.datetime64:
    """The UTC time of milliseconds since the epoch."""
    return np.datetime64(millis, "ms")


def floor_to_slot(time: np.datetime64, interval_s: int) -> np.datetime64:
    """Start of the slot that a time lies in; slots are counted from the epoch."""
    millis = epoch_ms(time)
    return time_of(millis - millis % (interval_s * 1000))


def second_of_day(times: Times) -> Index:
    """Seconds since midnight UTC of each time."""
    seconds: Index = times.astype("datetime64[s]").astype(np.int64) % DAY_S
    return seconds


def is_weekend(times: Times) -> Marks:
    """Whether each time lies on a Saturday or a Sunday, UTC."""
    weekday = (times.astype("datetime64[D]").astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    weekend: Marks = weekday >= 5
    return weekend


def group_means(values: npt.NDArray[np.floating], groups: Index, number: int) -> Doubles:
    """Mean of the finite values of each of ``number`` groups, NaN where a group has none.

    ``groups [row]`` says which group, from 0 on, the value of a row belongs to; sums are taken in double precision.
    """
    known = np.isfinite(values)
    count = np.bincount(groups[known], minlength=number)
    total = np.bincount(groups[known], weights=values[known], minlength=number)
    means: Doubles = np.divide(total, count, out=np.full(number, np.nan), where=count > 0)
    return means
