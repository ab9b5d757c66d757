"""Rolling windows: sums, means, extremes and scatters over the slots up to each slot, from the past only.

Series are rows ``[series, slot]``; NaN = not measured. A window of ``width`` slots holds the slot that it ends at; at
the start of a series it holds the fewer slots that there are.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from brownout.domain.panel import Float
from brownout.numerics.arrays import Doubles, Index

__all__ = ["RollingSums", "largest_since", "rolling_extreme", "rolling_mean", "rolling_sum"]


def rolling_sum(values: npt.NDArray[np.generic], width: int) -> Doubles:
    """Sums over the last ``width`` slots (axis 1) of values without NaN; of marks, how many there are."""
    total = np.cumsum(values, axis=1, dtype=np.float64)
    total[:, width:] -= total[:, :-width].copy()
    return total


def rolling_mean(values: Float, width: int) -> Float:
    """Means of what was measured in the last ``width`` slots (axis 1); NaN where the slot itself is a gap."""
    if width == 1:
        return values
    measured = np.isfinite(values)
    total = rolling_sum(np.where(measured, values, 0), width)
    count = rolling_sum(measured, width)
    return np.where(measured, total / np.maximum(count, 1), np.nan).astype(np.float32)


def rolling_extreme(extreme: np.ufunc, values: Float, width: int, ends: Index | None = None) -> Float:
    """Highest (``np.fmax``) or lowest (``np.fmin``) value of the windows that end at ``ends``, by default at each slot.

    ``np.maximum`` and ``np.minimum`` give NaN where any slot of the window is a gap. Works by windows that double in
    width: two of them cover every window between.
    """
    doubled, span = values, 1
    while 2 * span <= width:
        wider = np.empty_like(doubled)
        wider[:, :span] = doubled[:, :span]
        extreme(doubled[:, span:], doubled[:, :-span], out=wider[:, span:])
        doubled, span = wider, 2 * span
    last = np.arange(values.shape[1]) if ends is None else np.maximum(ends, 0)
    first = np.minimum(np.maximum(last - width + span, 0), last)
    covering: Float = _of_pairs(extreme, doubled, last, first)
    return covering


def largest_since(values: Float, first: Index) -> Float:
    """Largest value from slot ``first[t]`` until before slot ``t``, 0 where there is none: ``[series, slot]``.

    Values are not negative and without NaN.
    """
    slots = np.arange(values.shape[1])
    length = slots - first
    largest = np.zeros_like(values)
    doubled, width = values, 1
    while width <= length.max(initial=0):
        # doubled[t] = max of values[t - width + 1 .. t]; two of them cover every window of width to 2 width - 1.
        at = np.flatnonzero((length >= width) & (length < 2 * width))
        largest[:, at] = np.maximum(doubled[:, first[at] + width - 1], doubled[:, at - 1])
        wider = doubled.copy()
        wider[:, width:] = np.maximum(doubled[:, width:], doubled[:, :-width])
        doubled, width = wider, 2 * width
    return largest


@dataclass(frozen=True, slots=True, eq=False)
class RollingSums:
    """Running sums of series, from which the mean and scatter of any window that ends at any slot are differences.

    ``counts``, ``totals`` and ``squares`` are ``[series, slot + 1]``: how many values there are before a slot, their
    sum and the sum of their squares. Values are taken as distances to ``centre [series, 1]``, the first value measured:
    any constant near the values keeps differences of squares exact, and the first one is known in time. Where nothing
    is missing, one row of ``counts`` serves all series. Counts are divisors, and kept as such: in double precision.
    """

    values: Float
    centre: Float
    counts: Doubles
    totals: Doubles
    squares: Doubles

    @classmethod
    def of(cls, values: Float) -> Self:
        """Sums of series ``[series, slot]``; NaN = not measured."""
        measured = np.isfinite(values)
        centre = np.take_along_axis(values, measured.argmax(axis=1)[:, None], axis=1)
        if measured.all():
            distance, counts = values - centre, np.arange(values.shape[1] + 1, dtype=np.float64)[None]
        else:
            distance, counts = np.where(measured, values - centre, 0), _running(measured)
        return cls(values, centre, counts, _running(distance), _running(distance, squared=True))

    def extended(self, values: Float, keep: int) -> Self:
        """The sums with what was measured later, without all but the last ``keep`` slots of those before.

        Slots are counted from the first one kept. Figures are those of all slots at once to the last bit. Series of
        which nothing was measured before have no centre: they stay without figures.
        """
        measured = np.isfinite(values)
        distance = np.where(measured, values - self.centre, 0)
        first = max(self.values.shape[1] - keep, 0)
        counts = np.broadcast_to(self.counts, self.totals.shape)
        return type(self)(
            np.concatenate([self.values[:, first:], values], axis=1),
            self.centre,
            _continued(counts[:, first:], measured),
            _continued(self.totals[:, first:], distance),
            _continued(self.squares[:, first:], np.square(distance, dtype=np.float64)),
        )

    def mean(self, width: int, ends: Index) -> Float:
        """Means of what was measured in the ``width`` slots up to each of ``ends``; NaN where that slot is a gap."""
        if width == 1:
            return self._without_gaps(np.take(self.values, np.maximum(ends, 0), axis=1), ends)
        first, last = _window(width, ends)
        distance = _difference(self.totals, first, last)
        distance /= self._divisors(first, last)
        return self._from_centre(distance, ends)

    def trimmed_mean(self, width: int, ends: Index) -> Float:
        """Means of the same windows without their highest and lowest value: one odd sample does not move an hour."""
        first, last = _window(width, ends)
        count = _difference(self.counts, first, last)
        total = _difference(self.totals, first, last)
        trimmed = count > 2
        highest, lowest = (rolling_extreme(extreme, self.values, width, ends) for extreme in (np.fmax, np.fmin))
        highest += lowest
        highest -= 2 * self.centre
        np.subtract(total, highest, out=total, where=trimmed)
        np.subtract(count, 2, out=count, where=trimmed)
        total /= np.maximum(count, 1, out=count)
        return self._from_centre(total, ends)

    def std(self, width: int, ends: Index) -> Float:
        """Standard deviations of the same windows."""
        first, last = _window(width, ends)
        weight = 1 / self._divisors(first, last)
        variance, mean = _difference(self.squares, first, last), _difference(self.totals, first, last)
        variance *= weight
        mean *= weight
        variance -= np.square(mean, out=mean)
        return self._without_gaps(np.sqrt(np.maximum(variance, 0, out=variance).astype(np.float32)), ends)

    def block_means(self, size: int, first: int = 0, last: int | None = None) -> Float:
        """Means of blocks of ``size`` slots from slot ``first`` until ``last``; a block without samples is NaN."""
        slots = self.values.shape[1] if last is None else last
        if size == 1:
            return self.values[:, first:slots]
        begin = np.arange(first, slots, size)
        end = np.minimum(begin + size, slots)
        count = _difference(self.counts, begin, end)
        distance = (_difference(self.totals, begin, end) / np.maximum(count, 1)).astype(np.float32)
        return np.where(count > 0, self.centre + distance, np.nan)

    def _divisors(self, first: Index, last: Index) -> Doubles:
        """How many values there are in windows, at least one."""
        count = _difference(self.counts, first, last)
        return np.maximum(count, 1, out=count)

    def _from_centre(self, distance: Doubles, ends: Index) -> Float:
        """Values at a distance from the centre of each series; NaN where ``ends`` are gaps."""
        statistics: Float = distance.astype(np.float32)
        statistics += self.centre
        return self._without_gaps(statistics, ends)

    def _without_gaps(self, statistics: Float, ends: Index) -> Float:
        """NaN where ``ends`` are gaps or before the first slot; in place."""
        if len(self.counts) > 1:
            slots = np.maximum(ends, 0)
            first = _run_begin(slots)
            for part, there in ((statistics[:, :first], slots[:first]), (statistics[:, first:], _span(slots[first:]))):
                part[~np.isfinite(self.values[:, there])] = np.nan
        statistics[:, ends < 0] = np.nan
        return statistics


def _window(width: int, ends: Index) -> tuple[Index, Index]:
    return np.maximum(ends + 1 - width, 0), np.maximum(ends + 1, 0)


def _running(values: npt.NDArray[np.generic], *, squared: bool = False) -> Doubles:
    """Sums of all values, or of their squares, before each slot and after the last one."""
    sums = np.zeros((len(values), values.shape[1] + 1))
    sums[:, 1:] = values
    if squared:
        np.square(sums, out=sums)
    return np.cumsum(sums, axis=1, out=sums)


def _continued(sums: Doubles, values: npt.NDArray[np.generic]) -> Doubles:
    """Running sums that go on over later values, added one after the other as in one go."""
    later = np.concatenate([sums[:, -1:], values], axis=1, dtype=np.float64)
    return np.concatenate([sums, np.cumsum(later, axis=1)[:, 1:]], axis=1)


def _difference(sums: Doubles, first: Index, last: Index) -> Doubles:
    difference: Doubles = _of_pairs(np.subtract, sums, last, first)
    return difference


def _of_pairs(pair: np.ufunc, values: npt.NDArray[Any], one: Index, other: Index) -> npt.NDArray[Any]:
    """What ``pair`` makes of the columns ``one`` and ``other``; what runs on to their ends is not copied before."""
    split = max(_run_begin(one), _run_begin(other))
    results = np.empty((len(values), len(one)), values.dtype)
    pair(np.take(values, one[:split], axis=1), np.take(values, other[:split], axis=1), out=results[:, :split])
    pair(values[:, _span(one[split:])], values[:, _span(other[split:])], out=results[:, split:])
    return results


def _run_begin(columns: Index) -> int:
    """From which place on columns follow each other to the end."""
    breaks = np.flatnonzero(np.diff(columns) != 1)
    return int(breaks[-1]) + 1 if len(breaks) else 0


def _span(run: Index) -> slice:
    """Columns that follow each other, as a slice."""
    return slice(int(run[0]), int(run[-1]) + 1) if len(run) else slice(0, 0)
