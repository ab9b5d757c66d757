"""Samples of one measurement, assigned to slots: the data that expressions are evaluated on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from brownout.ingest.counters import LONGEST_GAP_MS, growth, rates
from brownout.ingest.expressions import TIME, Cells
from brownout.numerics.arrays import Doubles, Index
from brownout.numerics.slots import group_means

__all__ = ["RawFrame", "gathered_every", "held", "latest_before"]


FEW = 3
"""Distances between samples that say nothing about how often they are gathered."""


@dataclass(eq=False)
class RawFrame:
    """Rows sorted by series and time, with the entity of each series.

    Attributes
    ----------
    fields
        float64 ``[row]`` by name.
    owner
        int64 ``[series]``: index of the entity that a series belongs to.
    slots
        int64 ``[row]``: number of the slot that a row falls into.
    lookup
        The latest value of another measurement's field, by row.
    lookup_rate
        The rate of another measurement's counter at the same time, by row.
    low
        What whole numbers of 64 bits have beyond ``fields``, by name.
    """

    fields: dict[str, Doubles]
    series: Index
    times: Index
    slots: Index
    owner: Index
    lookup: Callable[[str, str], Doubles]
    lookup_rate: Callable[[str, str], Doubles]
    low: Mapping[str, Doubles] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Rows of one series and slot follow each other; pairs of one cell are found by sorting their keys once.
        changed = (np.diff(self.series) != 0) | (np.diff(self.slots) != 0)
        starts = np.flatnonzero(np.concatenate(([True], changed))) if len(self.series) else np.empty(0, np.int64)
        self._pair_of_row = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(self.series))))
        owners, slots = self.owner[self.series[starts]], self.slots[starts]
        base = int(slots.min()) if len(slots) else 0
        width = int(slots.max()) - base + 1 if len(slots) else 1
        keys, self._cell_of_pair = np.unique(owners * width + (slots - base), return_inverse=True)
        self.cell_owner: Index = keys // width
        self.cell_slot: Index = keys % width + base
        self.resets: list[Index] = []

    def field(self, name: str) -> Doubles:
        """Values of a field by row; all absent where nobody writes it. ``time`` is the row's, in seconds."""
        if name == TIME:
            return self.times / 1000
        values = self.fields.get(name)
        return np.full(len(self.series), np.nan) if values is None else values

    def foreign(self, measurement: str, name: str) -> Doubles:
        """The latest value of another measurement's field, by row."""
        return self.lookup(measurement, name)

    def foreign_rate(self, measurement: str, name: str) -> Doubles:
        """Rate a second of another measurement's counter at the same time, by row."""
        return self.lookup_rate(measurement, name)

    def rate(self, name: str) -> Doubles:
        """Rate a second of a counter; the rows of resets are remembered."""
        values, reset = rates(self.field(name), self.times, self.series, self.low.get(name))
        self.resets.append(reset)
        return values

    def hourly(self, name: str) -> Doubles:
        """Growth of a counter over the last hour; the rows of resets are remembered."""
        values, reset = growth(self.field(name), self.times, self.series, self.low.get(name))
        self.resets.append(reset)
        return values

    def reduce(self, values: Doubles, how: str) -> Cells:
        """Average rows of a series within a slot, then take the mean, sum or peak over the series of an entity.

        A pool is the mean over all rows instead.
        """
        rows, number = np.broadcast_to(values, len(self.series)), len(self.cell_owner)
        if how == "pool":
            return Cells(group_means(rows, self._cell_of_pair[self._pair_of_row], number))
        means = group_means(rows, self._pair_of_row, len(self._cell_of_pair))
        if how == "mean":
            return Cells(group_means(means, self._cell_of_pair, number))
        known = np.isfinite(means)
        if how == "sum":
            total = np.bincount(self._cell_of_pair[known], weights=means[known], minlength=number)
            measured = np.bincount(self._cell_of_pair[known], minlength=number) > 0
            return Cells(np.where(measured, total, np.nan))
        peaks = np.full(number, np.nan)
        np.fmax.at(peaks, self._cell_of_pair, means)
        return Cells(peaks)


def gathered_every(frame: RawFrame, interval_s: int) -> int:
    """Seconds between samples of a series as a rule, in whole slots; those of a slot where nothing says more.

    An input that is gathered every fifth slot says what holds until its next sample, an hour at most.
    """
    same = np.diff(frame.series) == 0
    apart = np.diff(frame.times)[same]
    if len(apart) < FEW:
        return interval_s
    slots = round(float(np.median(apart)) / 1000 / interval_s)
    return max(1, min(slots, LONGEST_GAP_MS // 1000 // interval_s)) * interval_s


def latest_before(
    keys: tuple[Index, Index], values: Doubles, wanted: tuple[Index, Index], *, max_age_ms: int
) -> Doubles:
    """For each (group, time) wanted, the last known value of the group at or before the time; NaN where there is none.

    ``keys`` need not be sorted; times are milliseconds.
    """
    known = np.isfinite(values)
    groups, times, values = keys[0][known], keys[1][known], values[known]
    result = np.full(len(wanted[0]), np.nan)
    if not len(values) or not len(result):
        return result
    base = int(min(times.min(), wanted[1].min()))
    width = int(max(times.max(), wanted[1].max())) - base + 1
    order = np.argsort(groups * width + (times - base), kind="stable")
    table = (groups * width + (times - base))[order]
    position = np.searchsorted(table, wanted[0] * width + (wanted[1] - base), side="right") - 1
    latest = order[np.maximum(position, 0)]
    valid = (position >= 0) & (groups[latest] == wanted[0]) & (wanted[1] - times[latest] <= max_age_ms)
    result[valid] = values[latest[valid]]
    return result


def held(owners: Index, slots: Index, values: Doubles, *, reach: int, end: int) -> tuple[Index, Index, Doubles]:
    """Cells, sorted by owner and slot, with each value repeated until the owner's next one.

    ``reach`` is the number of slots that a value holds for, its own included; from slot ``end`` on nothing holds.
    """
    same = np.diff(owners, append=-1) == 0
    until = np.where(same, np.append(slots[1:], end), end)
    count = np.clip(np.minimum(until - slots, reach), 1, None)
    offset = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(owners, count), np.repeat(slots, count) + offset, np.repeat(values, count)
