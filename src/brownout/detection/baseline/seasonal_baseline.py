"""The baseline of each series: its usual level at each time of day, and how far it usually deviates from it.

Series are rows ``[series, slot]``. A slot is only ever compared with earlier ones. Costly statistics are renewed every
few hours from the history before, so that a new level is normal after a day, and a new spread after a few days.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from brownout.detection.baseline.time_blocks import DAYS, TimeAxis
from brownout.domain.panel import Float
from brownout.numerics.arrays import Index
from brownout.numerics.order_statistics import median_of_layers, quantile, quantiles

__all__ = [
    "at_sampled_slots",
    "beyond_record",
    "distance_between",
    "distance_to_nearest",
    "history_quantiles",
    "reference_values",
    "seasonal_levels",
    "usual_at_this_time",
    "usual_spread",
]

REFERENCES = 2000
"""Most earlier slots that a value is compared with, evenly chosen."""
RANGED = 200
"""Most earlier slots that a range is measured on, evenly chosen."""


def seasonal_levels(blocks: Float, axis: TimeAxis, first: int = 0) -> tuple[Float, Float, Float]:
    """Three expectations of each block from ``first`` on, ``[series, block]``, NaN where the history is too short.

    They are the median of the same time of day on the last seven days, the value at the same time a week ago, and the
    median of the last day.
    """
    earlier = _earlier(blocks, axis, first)
    wanted = range(first, blocks.shape[1])
    return median_of_layers(earlier), earlier[DAYS - 1], _last_day(blocks, axis.blocks_per_day, wanted)[:, first:]


def usual_at_this_time(blocks: Float, axis: TimeAxis, first: int = 0) -> Float:
    """The median of the same time on the last seven days, or where there is none of the last day, from ``first`` on."""
    usual = median_of_layers(_earlier(blocks, axis, first))
    missing = np.isnan(usual)
    wanted = first + np.flatnonzero(missing.any(axis=0))
    return np.where(missing, _last_day(blocks, axis.blocks_per_day, wanted.tolist())[:, first:], usual)


def _earlier(blocks: Float, axis: TimeAxis, first: int) -> list[Float]:
    """Values at the same time of day on each of the last days, the latest day first, for blocks from ``first`` on."""
    return [_shift(blocks, axis.blocks_per_day * k)[:, first:] for k in range(1, DAYS + 1)]


def _last_day(blocks: Float, day: int, wanted: Iterable[int]) -> Float:
    """Median of the last day's blocks, renewed 24 times a day; only for the hours that hold a wanted block."""
    recent = np.full_like(blocks, np.nan)
    every = max(day // 24, 1)
    for first in sorted({block // every * every for block in wanted}):
        recent[:, first : first + every] = quantile(blocks[:, max(first - day, 0) : first], 0.5)[:, None]
    return recent


def history_quantiles(values: Float, levels: Sequence[float], axis: TimeAxis) -> list[Float]:
    """Quantiles of the whole history before each renewal, each ``[series, renewal]``; NaN where there is none."""
    found = [quantiles(values[:, : end : max(end // RANGED, 1)], levels) for end in axis.renewals.tolist()]
    return [np.stack(level, axis=1) for level in zip(*found, strict=True)]


def at_sampled_slots(blocks: Float, axis: TimeAxis) -> Float:
    """Values of blocks, at each of the sampled slots that lie in them."""
    return np.take(blocks, axis.sampled // axis.block_slots, axis=1)


def usual_spread(residuals: Float, axis: TimeAxis) -> Float:
    """Usual size of residuals ``[series, sampled slot]`` before each renewal from the first one due; NaN where unknown.

    The size on one day is the 90 % quantile in units of a normal deviation, or a quarter of the 99 % quantile where
    that is more: movements that come every few hours are usual, however flat the series is between them. Of the last
    seven days the median counts, so that an incident on some of them does not hide the next one.
    """
    sampled = np.flatnonzero(axis.sampled % axis.sampling_step == 0)
    slots = axis.sampled[sampled]
    sizes = np.abs(np.take(residuals, sampled, axis=1))
    renewals_per_day = max(axis.slots_per_day // axis.renewal_slots, 1)
    first = max(axis.first_renewal - (DAYS - 1) * renewals_per_day, 0)
    daily = []
    for end in axis.renewals[first:].tolist():
        begin, last = np.searchsorted(slots, (end - axis.slots_per_day, end)).tolist()
        high, highest = quantiles(sizes[:, begin:last], (0.9, 0.99))
        daily.append(np.fmax(high / 1.645, highest / 4))
    stack = np.stack(daily, axis=1)
    return median_of_layers([_shift(stack, renewals_per_day * k) for k in range(DAYS)])[:, axis.first_renewal - first :]


def distance_to_nearest(asked: Float, known: Float, slots: Index, axis: TimeAxis) -> Float:
    """Signed distance of each value to the nearest one measured before its last renewal; NaN where there was none.

    ``asked [series, sampled slot]`` are the values at the sampled slots of the axis, ``known [series, k]`` the values
    at ``slots [k]``, in order of time, that they are compared with.
    """
    distances = np.full(asked.shape, np.nan, np.float32)
    edges = [*axis.renewals.tolist(), axis.slots]
    ordered, count, pace = known[:, :0], 0, 0
    for first, last in pairwise(edges[1:]):
        begin, end = np.searchsorted(axis.sampled, (first, last)).tolist()
        if begin < end:
            earlier = int(np.searchsorted(slots, first))
            if pace != max(earlier // REFERENCES, 1):
                ordered, count, pace = known[:, :0], 0, max(earlier // REFERENCES, 1)
            ordered = _merged(ordered, known[:, count * pace : earlier : pace])
            count = ordered.shape[1]
            distances[:, begin:end] = distance_between(ordered, asked[:, begin:end])
    return distances


def reference_values(known: Float, slots: Index, renewal: int) -> Float:
    """Sorted values (NaN last) that ``distance_to_nearest`` compares with between a renewal and the next one."""
    earlier = int(np.searchsorted(slots, renewal))
    return np.sort(known[:, : earlier : max(earlier // REFERENCES, 1)], axis=1)


def _merged(ordered: Float, new: Float) -> Float:
    """Sorted values (NaN last) with new ones sorted in; a stable sort only merges, which is four times as quick."""
    both = np.concatenate([ordered, new], axis=1)
    both.sort(axis=1, kind="stable" if ordered.shape[1] else None)
    return both


def distance_between(known: Float, asked: Float) -> Float:
    """Signed distance of each asked value to the nearest known one; ``known [series, k]`` is sorted, NaN last."""
    width = known.shape[1]
    above = _search(known, asked)
    base = np.arange(len(known))[:, None] * width
    flat = known.ravel()
    up = asked - np.take(flat, base + np.minimum(above, width - 1))
    down = asked - np.take(flat, base + np.maximum(above - 1, 0))
    closer = np.isnan(up) | (np.abs(down) < np.abs(up))
    nearest: Float = np.where(closer, down, up)
    return nearest


def _search(known: Float, asked: Float) -> Index:
    """Index of the first known value that is not below each asked one; NaN in ``known`` is above everything."""
    bits = known.shape[1].bit_length()
    padded = np.full((len(known), 1 << bits), np.inf, np.float32)
    padded[:, : known.shape[1]] = known
    if np.isnan(known[:, -1]).any():
        padded[np.isnan(padded)] = np.inf
    flat = padded.ravel()
    before = np.repeat(np.arange(len(known))[:, None] * padded.shape[1] - 1, asked.shape[1], axis=1)
    start = before[:, :1] + 1
    for bit in range(bits - 1, -1, -1):
        step = 1 << bit
        before += step * (np.take(flat, before + step) < asked)
    index: Index = before + 1 - start
    return index


def beyond_record(values: Float, floor: Float, start: int) -> Float:
    """How far each value lies beyond everything measured before it, signed, in percent of the range until then.

    It is computed for the slots from ``start`` on; ``floor`` is the least spread there, of the shape of the result.
    """
    highest = np.fmax.accumulate(values, axis=1)[:, max(start - 1, 0) : -1]
    lowest = np.fmin.accumulate(values, axis=1)[:, max(start - 1, 0) : -1]
    if not start:
        highest, lowest = (np.concatenate([values[:, :1], extreme], axis=1) for extreme in (highest, lowest))
    now = values[:, start:]
    beyond = np.fmax(now - highest, 0) + np.fmin(now - lowest, 0)
    share: Float = 100 * beyond / np.fmax(highest - lowest, 10 * floor)
    return share


def _shift(values: Float, columns: int) -> Float:
    """Values as they were ``columns`` columns earlier, NaN before the first."""
    shifted = np.full_like(values, np.nan)
    if columns < values.shape[1]:
        shifted[:, columns:] = values[:, : values.shape[1] - columns]
    return shifted
