"""True crossings of limits: when, how long, whether they were to be foreseen, and which fault they are of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fleets.site.clock import DAY_S, Axis
from fleets.site.streams import Floats

__all__ = ["CALM_S", "Crossing", "Limit", "Marks", "beyond", "crossings", "recurs"]

MEAN_S = 300
"""Means over so long are compared with a limit."""
CALM_S = 7200
"""Time within the limit after which crossing it is a new breach."""
NEAR_S = 2700
"""What crosses within so long of the same time of the day recurs."""

Marks = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The line whose crossing is a breach; ``up`` where above it is worse."""

    metric: str
    value: float
    up: bool


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """A breach of one row that begins in a slot, and the seconds beyond the limit until it is calm again."""

    row: int
    slot: int
    lasts_s: float


def beyond(values: Floats, limit: Limit, interval_s: int) -> Marks:
    """Whether the mean of some minutes is beyond the limit, ``[row, slot]``; the mean's last slot is marked."""
    width = max(MEAN_S // interval_s, 1)
    known = np.isfinite(values)
    summed = np.cumsum(np.pad(np.where(known, values, 0), ((0, 0), (width, 0))).astype(np.float64), axis=1)
    count = np.cumsum(np.pad(known, ((0, 0), (width, 0))), axis=1)
    number = count[:, width:] - count[:, :-width]
    mean = np.where(number > 0, (summed[:, width:] - summed[:, :-width]) / np.maximum(number, 1), np.nan)
    marks: Marks = ((mean > limit.value) if limit.up else (mean < limit.value)) & known
    return marks


def crossings(marks: Marks, interval_s: int, *, first: int) -> list[Crossing]:
    """Breaches that begin from slot ``first`` on."""
    calm = max(CALM_S // interval_s, 1)
    found = []
    for row in range(len(marks)):
        places = np.flatnonzero(marks[row])
        if not len(places):
            continue
        begins = np.flatnonzero(np.diff(places, prepend=-calm - 1) > calm)
        for number, begin in enumerate(begins):
            last = begins[number + 1] if number + 1 < len(begins) else len(places)
            if places[begin] >= first:
                lasts = float(last - begin) * interval_s
                found.append(Crossing(row=row, slot=int(places[begin]), lasts_s=lasts))
    return found


def recurs(axis: Axis, slot: int, earlier: Sequence[int]) -> bool:
    """Whether a row crossed at the same local time on half of the comparable days before, two at least."""
    now, day = axis.local_s[slot], int(axis.day[slot])
    like = [d for d in range(day) if axis.free_days.get(d) == axis.free_days.get(day)]
    before = {
        int(axis.day[e]) for e in earlier if abs((axis.local_s[e] - now + DAY_S / 2) % DAY_S - DAY_S / 2) <= NEAR_S
    }
    hits = sum(d in before for d in like)
    weeks = range(day - 7, -1, -7)
    weekly = len(weeks) >= 2 and sum(d in before for d in weeks) >= 2
    return bool((len(like) >= 2 and hits >= 2 and hits >= len(like) / 2) or weekly)
