"""Medians and quantiles of what was measured: NaN never counts, and what was never measured stays NaN.

NumPy's own ``nanmedian`` and ``nanquantile`` give the same figures, but go through one row at a time where values are
missing, and warn where a row has none.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from brownout.domain.panel import Float

__all__ = ["Method", "measured_counts", "median", "median_of_layers", "quantile", "quantiles"]

Real = TypeVar("Real", np.float32, np.float64)
Method = Literal["nearest", "lower", "linear"]
"""How to resolve a quantile between two values: the nearer one, the lower one, or linear interpolation."""

FEW, WORTH = 12, 16
"""So few values are put in order by a network of minima and maxima over all rows, if these are so many times the square
of that number: then it is quicker than row after row."""


def quantiles(
    values: npt.NDArray[Real], levels: Sequence[float], *, axis: int = 1, method: Method = "nearest"
) -> list[npt.NDArray[Real]]:
    """Quantiles along an axis, one array for each level, without that axis and of the same type as the values.

    The methods are those of the same name of ``numpy.quantile``; the values are put in order once for all levels.
    """
    if not values.shape[axis]:
        nothing = np.full(np.delete(values.shape, axis), np.nan, values.dtype)
        return [nothing.copy() for _ in levels]
    if len(levels) == 1 and method != "linear" and values.shape[axis] > FEW:
        return [_selected(values, levels[0], axis, method)]
    ordered, axis = _in_order(values, axis)
    last = _last_known(ordered, axis)
    if method == "linear":
        return [_between(ordered, level * last, axis) for level in levels]
    return [_at(ordered, _place(level, last, method), axis) for level in levels]


def quantile(
    values: npt.NDArray[Real], level: float, *, axis: int = 1, method: Method = "nearest"
) -> npt.NDArray[Real]:
    """One quantile along an axis, as ``quantiles`` gives several."""
    return quantiles(values, (level,), axis=axis, method=method)[0]


def median(values: npt.NDArray[Real], *, axis: int = -1) -> npt.NDArray[Real]:
    """Medians along an axis; of an even number of values the mean of the two in the middle."""
    if not values.shape[axis]:
        return np.full(np.delete(values.shape, axis), np.nan, values.dtype)
    ordered, axis = _in_order(values, axis)
    last = _last_known(ordered, axis)
    both = _at(ordered, last // 2, axis) + _at(ordered, (last + 1) // 2, axis)
    return np.asarray(both / 2, values.dtype)


def median_of_layers(layers: Sequence[Float]) -> Float:
    """Median over equally shaped arrays, element by element; several times as quick as ``median`` for a few layers.

    What is missing is filled with the two infinities in turn, so the median stays in the middle; the layers are put in
    order by a network of minima and maxima (odd-even transposition sort).
    """
    if len(layers) % 2 == 0:
        layers = [*layers, np.full_like(layers[0], np.nan)]
    if len(layers) == 1:
        return layers[0].copy()
    ordered, odd_missing = _filled(layers)
    count = len(ordered)
    _put_in_order(ordered)
    middle, above = ordered[count // 2], ordered[count // 2 + 1]
    with np.errstate(invalid="ignore"):  # the sum of both infinities, where nothing is measured
        medians = np.where(odd_missing, (middle + above) / 2, middle)
    medians[~np.isfinite(medians)] = np.nan
    return medians


def measured_counts(values: Float) -> Float:
    """How many values of each series ``[entity, time, metric]`` are measured, ``[entity, metric]``.

    A product with ones sums over the axis in the middle several times as quickly as a sum does, and is exact as long as
    there are less than 16 million slots.
    """
    counts: Float = np.ones(values.shape[1], np.float32) @ np.isfinite(values).astype(np.float32)
    return counts


def _in_order(values: npt.NDArray[Real], axis: int) -> tuple[npt.NDArray[Real], int]:
    """Values in order along an axis, NaN last, without gaps in memory; and which axis that is now."""
    number = values.shape[axis]
    if number > FEW or values.size < WORTH * number**3:
        ordered = np.array(np.moveaxis(values, axis, -1), order="C")
        ordered.sort(axis=-1)
        return ordered, -1
    layers = np.array(np.moveaxis(values, axis, 0), order="C")
    missing = np.isnan(layers)
    some = missing.any()
    if some:
        layers[missing] = np.inf
    ordered = np.stack(_put_in_order(list(layers)))
    if some:
        known = len(layers) - missing.sum(axis=0)
        ordered[np.arange(len(layers)).reshape(-1, *[1] * known.ndim) >= known] = np.nan
    return ordered, 0


def _put_in_order(layers: list[npt.NDArray[Real]]) -> list[npt.NDArray[Real]]:
    """Layers without NaN put in order element by element, in place: odd-even transposition sort."""
    spare = np.empty_like(layers[0])
    for turn in range(len(layers)):
        for low in range(turn % 2, len(layers) - 1, 2):
            np.minimum(layers[low], layers[low + 1], out=spare)
            np.maximum(layers[low], layers[low + 1], out=layers[low + 1])
            layers[low], spare = spare, layers[low]
    return layers


def _selected(values: npt.NDArray[Real], level: float, axis: int, method: Method) -> npt.NDArray[Real]:
    """One quantile without putting all values in order.

    Of rows with gaps some are filled with minus infinity, so that the place of the quantile is the same in every row.
    """
    rows = np.array(np.moveaxis(values, axis, -1), order="C")
    width = rows.shape[-1]
    flat = rows.reshape(-1, width)
    row, column = np.nonzero(np.isnan(flat))
    missing = np.bincount(row, minlength=len(flat))
    place = _place(level, width - 1, method)
    if len(row):
        below = place - _place(level, np.maximum(width - 1 - missing, 0), method)
        number = np.arange(len(row)) - (np.cumsum(missing) - missing)[row]
        filled = number < below[row]
        flat[row[filled], column[filled]] = -np.inf
    flat.partition(int(place), axis=-1)
    picked = flat[:, int(place)].copy()
    picked[missing == width] = np.nan
    return picked.reshape(rows.shape[:-1])


def _place(level: float, last: Any, method: Method) -> Any:
    """Index of a quantile among values in order, of which ``last`` is the last one's."""
    to_integer = np.round if method == "nearest" else np.floor
    return to_integer(level * last).astype(np.int64)


def _last_known(ordered: npt.NDArray[Any], axis: int) -> Any:
    """Index of the last value that is not NaN of arrays in order, 0 where all are; a scalar where none is NaN."""
    size = ordered.shape[axis]
    if not np.isnan(ordered.take(-1, axis)).any():
        return np.int64(size - 1)
    return np.maximum(size - np.isnan(ordered).sum(axis=axis) - 1, 0)


def _at(ordered: npt.NDArray[Real], index: Any, axis: int) -> npt.NDArray[Real]:
    """The value at an index, or at one for each row; where nothing is measured the first value is NaN too.

    NumPy's ``take_along_axis`` gives the same, and takes twice as long where arrays are small.
    """
    values: Any = ordered  # NumPy's types say that `take` of a number gives one value, whatever the axis
    picked: npt.NDArray[Real]
    if not np.ndim(index):
        picked = values.take(int(index), axis)
        return picked
    axis %= ordered.ndim
    step = math.prod(ordered.shape[axis + 1 :])
    starts = np.arange(0, ordered.size, ordered.shape[axis] * step)[:, None] + np.arange(step)
    picked = values.ravel().take(starts.reshape(index.shape) + index * step)
    return picked


def _between(ordered: npt.NDArray[Real], position: Any, axis: int) -> npt.NDArray[Real]:
    """The point on the line between the two values around a position."""
    below = np.floor(position).astype(np.int64)
    above = np.ceil(position).astype(np.int64)
    low, high = _at(ordered, below, axis), _at(ordered, above, axis)
    return np.asarray(low + (high - low) * np.asarray(position - below, np.float64), ordered.dtype)


def _filled(layers: Sequence[Float]) -> tuple[list[Float], npt.NDArray[np.bool_]]:
    """Layers with minus and plus infinity in turn for what is missing, and where an odd number of them is missing."""
    odd_missing = np.zeros(layers[0].shape, bool)
    filled = []
    for layer in layers:
        missing = np.isnan(layer)
        filled.append(np.where(missing, np.where(odd_missing, np.float32(np.inf), np.float32(-np.inf)), layer))
        odd_missing ^= missing
    return filled, odd_missing
