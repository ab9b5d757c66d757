"""Running sums of series, from which means and scatters of any window that ends at any slot are differences."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from brownout.domain.panel import Float
from brownout.numerics.arrays import Index

__all__ = ["Sums"]

Counts = npt.NDArray[np.int64]
Totals = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Running sums ``[series, slot + 1]`` of series ``[series, slot]``: how many values there are, they, their squares.

    They are taken of the distance to ``centre [series, 1]``, the first value measured: any constant near the values
    keeps differences of squares exact, and the first one is known in time. Where nothing is missing, one row of
    ``counts`` is that of all.
    """

    values: Float
    centre: Float
    counts: Counts
    totals: Totals
    squares: Totals

    @classmethod
    def of(cls, values: Float) -> Self:
        """Sums of series; NaN = not measured."""
        seen = np.isfinite(values)
        centre = np.take_along_axis(values, seen.argmax(axis=1)[:, None], axis=1)
        if seen.all():
            moved, counts = values - centre, np.arange(values.shape[1] + 1)[None]
        else:
            moved, counts = np.where(seen, values - centre, 0), _running(seen, np.int64)
        return cls(values, centre, counts, _running(moved, np.float64), _running(np.square(moved, dtype=np.float64)))

    def mean(self, width: int, ends: Index) -> Float:
        """Means of what was measured in the ``width`` slots up to each of ``ends``; NaN where that slot is a gap."""
        if width == 1:
            return self._blanked(np.take(self.values, np.maximum(ends, 0), axis=1), ends)
        first, last = _window(width, ends)
        moved = _between(self.totals, first, last) / np.maximum(_between(self.counts, first, last), 1)
        return self._blanked(self.centre + moved.astype(np.float32), ends)

    def trimmed(self, width: int, ends: Index) -> Float:
        """Means of the same windows without their highest and lowest value: one odd sample does not move an hour."""
        first, last = _window(width, ends)
        count = _between(self.counts, first, last)
        total = _between(self.totals, first, last)
        inner = count > 2
        extremes = _trailing(np.fmax, self.values, width, ends) + _trailing(np.fmin, self.values, width, ends)
        total -= np.where(inner, extremes - 2 * self.centre, 0)
        moved = total / np.maximum(count - 2 * inner, 1)
        return self._blanked(self.centre + moved.astype(np.float32), ends)

    def std(self, width: int, ends: Index) -> Float:
        """Standard deviations of the same windows."""
        first, last = _window(width, ends)
        weight = 1 / np.maximum(_between(self.counts, first, last), 1)
        variance = _between(self.squares, first, last) * weight
        variance -= (_between(self.totals, first, last) * weight) ** 2
        return self._blanked(np.sqrt(np.maximum(variance, 0, out=variance).astype(np.float32)), ends)

    def blocks(self, size: int) -> Float:
        """Means of blocks of ``size`` slots from the first slot on; a block without samples is NaN."""
        if size == 1:
            return self.values
        slots = self.values.shape[1]
        first = np.arange(0, slots, size)
        last = np.minimum(first + size, slots)
        count = _between(self.counts, first, last)
        mean = self.centre + (_between(self.totals, first, last) / np.maximum(count, 1)).astype(np.float32)
        return np.where(count > 0, mean, np.nan)

    def _blanked(self, found: Float, ends: Index) -> Float:
        """NaN where ``ends`` are gaps or before the first slot; in place."""
        if len(self.counts) > 1:
            found[_between(self.counts, np.maximum(ends, 0), np.maximum(ends, 0) + 1) == 0] = np.nan
        found[:, ends < 0] = np.nan
        return found


def _window(width: int, ends: Index) -> tuple[Index, Index]:
    return np.maximum(ends + 1 - width, 0), np.maximum(ends + 1, 0)


def _trailing(extreme: np.ufunc, values: Float, width: int, ends: Index) -> Float:
    """Highest or lowest value of the windows, by windows that double: two of them cover every window up to twice."""
    doubled, span = values, 1
    while 2 * span <= width:
        wider = doubled.copy()
        extreme(doubled[:, span:], doubled[:, :-span], out=wider[:, span:])
        doubled, span = wider, 2 * span
    last = np.maximum(ends, 0)
    covering: Float = extreme(
        np.take(doubled, last, axis=1), np.take(doubled, np.minimum(np.maximum(last - width + span, 0), last), axis=1)
    )
    return covering


def _running(values: npt.NDArray[np.generic], kind: npt.DTypeLike = np.float64) -> npt.NDArray[Any]:
    sums = np.zeros((len(values), values.shape[1] + 1), kind)
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums


def _between(sums: npt.NDArray[Any], first: Index, last: Index) -> npt.NDArray[Any]:
    difference: npt.NDArray[Any] = np.take(sums, last, axis=1)
    difference -= np.take(sums, first, axis=1)
    return difference
