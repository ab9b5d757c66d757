"""What the past of each series tells: its usual level at this time of day, and how far it usually strays.

Everything here looks back only. Statistics that are costly are renewed every few hours from what lies before, so that
a shift of level is the new normal after a day and a change of spread after a few.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from brownout.domain.panel import Float

__all__ = [
    "Clock",
    "at_slots",
    "novelty",
    "past_quantiles",
    "quantiles",
    "record",
    "seasonal",
    "spread",
    "trailing_mean",
    "trailing_std",
    "trailing_sum",
]

Index = npt.NDArray[np.int64]

DAY_S = 86_400
BLOCK_S = 900
"""Levels are kept by the quarter of an hour: fine enough for a day's shape, coarse enough to be quick."""
DAYS = 7
RENEW_S = 6 * 3600
"""Spreads are renewed every six hours."""
REFERENCES = 2000
"""Earlier slots that a value is compared with, evenly chosen."""
SAMPLES = 200
"""Slots of a day that its spread is measured on."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The time axis of a panel in slots: its length, its blocks, its days."""

    slots: int
    interval_s: int

    @property
    def block(self) -> int:
        """Slots of a block: a quarter of an hour, or less where the panel spans less than a day."""
        span = self.slots * self.interval_s
        return max(int(min(BLOCK_S, span // 96)) // self.interval_s, 1)

    @property
    def day(self) -> int:
        """Blocks of a day."""
        return max(round(DAY_S / (self.block * self.interval_s)), 1)

    def window(self, seconds: int, least: int) -> int:
        """Slots of a window that is at least ``least`` slots wide."""
        return max(seconds // self.interval_s, least)

    @property
    def renewals(self) -> Index:
        """Slots at which spreads are renewed; the first is 0."""
        return np.arange(0, self.slots, self.window(RENEW_S, 12))

    def from_renewals(self, statistics: Float, start: int = 0) -> Float:
        """Statistics ``[entity, renewal, metric]`` at every slot from ``start`` on, each from its last renewal."""
        which = np.arange(start, self.slots) // self.window(RENEW_S, 12)
        return statistics[:, which]


def seasonal(values: Float, clock: Clock) -> Float:
    """Levels that the past leads to expect, ``[way, entity, block, metric]``, NaN where it is too short.

    The ways: the median of the same time of the last seven days, the same time a week ago, the median of the last day.
    """
    blocks = _blocks(values, clock.block)
    day = clock.day
    shifted = np.stack([_shift(blocks, day * k) for k in range(1, DAYS + 1)])
    recent = np.full_like(blocks, np.nan)
    every = max(day // 24, 1)
    for first in range(0, blocks.shape[1], every):
        recent[:, first : first + every] = quantiles(blocks[:, max(first - day, 0) : first], (0.5,))[0][:, None]
    return np.stack([_median(shifted), shifted[DAYS - 1], recent])


def past_quantiles(values: Float, levels: tuple[float, ...], clock: Clock) -> Float:
    """Quantiles of all that lies before each renewal, ``[level, entity, renewal, metric]``; NaN where nothing does."""
    found = [quantiles(values[:, : end : max(end // SAMPLES, 1)], levels) for end in clock.renewals.tolist()]
    return np.stack([np.stack(level, axis=1) for level in zip(*found, strict=True)])


def at_slots(blocks: Float, clock: Clock) -> Float:
    """Values of blocks at each of their slots."""
    if clock.block == 1:
        return blocks
    return blocks[:, np.arange(clock.slots) // clock.block]


def spread(residuals: Float, clock: Clock) -> Float:
    """Usual size of residuals ``[entity, renewal, metric]`` on the days before each renewal; NaN where unknown.

    Of a day, the 90 % quantile in units of a normal deviation, or a quarter of the 99 % quantile where that is more:
    movements that come every few hours are usual, however flat the series is between them. Of the last seven days the
    median, so that an incident on some of them does not hide the next one.
    """
    day = max(DAY_S // clock.interval_s, 1)
    daily = []
    for end in clock.renewals.tolist():
        past = residuals[:, max(end - day, 0) : end]
        sample = np.abs(past[:, :: max(past.shape[1] // SAMPLES, 1)])
        high, highest = quantiles(sample, (0.9, 0.99))
        daily.append(np.fmax(high / 1.645, highest / 4))
    stack = np.stack(daily, axis=1)
    a_day = max(day // clock.window(RENEW_S, 12), 1)
    return _median(np.stack([_shift(stack, a_day * k) for k in range(DAYS)]))


def novelty(values: Float, clock: Clock) -> Float:
    """Distance of each value to the nearest that was measured before its last renewal, signed; NaN where none was."""
    found = np.full(values.shape, np.nan, np.float32)
    edges = [*clock.renewals.tolist(), clock.slots]
    for first, last in pairwise(edges[1:]):
        known = np.sort(values[:, : first : max(first // REFERENCES, 1)], axis=1)  # NaN sorts last
        asked = values[:, first:last]
        above = _search(known, asked)
        upper = np.take_along_axis(known, np.minimum(above, known.shape[1] - 1), axis=1)
        lower = np.take_along_axis(known, np.maximum(above - 1, 0), axis=1)
        up, down = asked - upper, asked - lower
        closer = np.isnan(up) | (np.abs(down) < np.abs(up))
        found[:, first:last] = np.where(closer, down, up)
    return found


def _search(known: Float, asked: Float) -> Index:
    """Place of the first known value that is not below each asked one; both ``[entity, slot, metric]``."""
    low = np.zeros(asked.shape, np.int64)
    high = np.full(asked.shape, known.shape[1], np.int64)
    for _ in range(known.shape[1].bit_length()):
        middle = (low + high) // 2
        here = np.take_along_axis(known, np.minimum(middle, known.shape[1] - 1), axis=1)
        open_ = low < high
        below = here < asked
        low = np.where(open_ & below, middle + 1, low)
        high = np.where(open_ & ~below, middle, high)
    return low


def record(values: Float, floor: Float) -> Float:
    """How far a value lies beyond all that was measured before it, signed, in percent of the range until then."""
    seen = np.where(np.isfinite(values), values, np.nan)
    highest, lowest = np.fmax.accumulate(seen, axis=1), np.fmin.accumulate(seen, axis=1)
    highest = np.concatenate([seen[:, :1], highest[:, :-1]], axis=1)
    lowest = np.concatenate([seen[:, :1], lowest[:, :-1]], axis=1)
    beyond = np.fmax(seen - highest, 0) + np.fmin(seen - lowest, 0)
    share: Float = (100 * beyond / np.fmax(highest - lowest, 10 * floor)).astype(np.float32)
    return share


def trailing_mean(values: Float, width: int) -> Float:
    """Mean of what was measured in the last ``width`` slots; NaN where the slot itself is a gap."""
    if width == 1:
        return values
    seen = np.isfinite(values)
    total = trailing_sum(np.where(seen, values, 0), width)
    count = trailing_sum(seen, width)
    return np.where(seen, total / np.maximum(count, 1), np.nan).astype(np.float32)


def trailing_std(values: Float, width: int) -> Float:
    """Standard deviation of what was measured in the last ``width`` slots; NaN where the slot itself is a gap."""
    seen = np.isfinite(values)
    # Any constant near the values keeps the difference of squares exact; the first value measured is known in time.
    centre = np.take_along_axis(values, seen.argmax(axis=1)[:, None], axis=1)
    moved = np.where(seen, values - centre, 0)
    count = np.maximum(trailing_sum(seen, width), 1)
    mean = trailing_sum(moved, width) / count
    variance = trailing_sum(moved.astype(np.float64) ** 2, width) / count - mean**2
    return np.where(seen, np.sqrt(np.maximum(variance, 0)), np.nan).astype(np.float32)


def quantiles(values: Float, levels: tuple[float, ...]) -> list[Float]:
    """Quantiles over axis 1 of what is measured, each ``[entity, metric]``; NaN where nothing is."""
    if not values.shape[1]:
        return [np.full((values.shape[0], values.shape[2]), np.nan, np.float32) for _ in levels]
    ordered = np.sort(values, axis=1)  # NaN sorts last
    count = np.isfinite(ordered).sum(axis=1)
    found = []
    for level in levels:
        place = np.round(level * np.maximum(count - 1, 0)).astype(np.int64)
        chosen = np.take_along_axis(ordered, place[:, None], axis=1)[:, 0]
        found.append(np.where(count > 0, chosen, np.nan).astype(np.float32))
    return found


def trailing_sum(values: npt.NDArray[np.generic], width: int) -> npt.NDArray[np.float64]:
    """Sum over the last ``width`` slots (axis 1), over fewer at the begin."""
    total = np.cumsum(values, axis=1, dtype=np.float64)
    total[:, width:] -= total[:, :-width].copy()
    return total


def _blocks(values: Float, size: int) -> Float:
    """Means over blocks of ``size`` slots from the first slot on; a block without samples is NaN."""
    if size == 1:
        return values
    entities, slots, metrics = values.shape
    count = -(-slots // size)
    padded = np.full((entities, count * size, metrics), np.nan, np.float32)
    padded[:, :slots] = values
    parts = padded.reshape(entities, count, size, metrics)
    seen = np.isfinite(parts)
    present = seen.sum(axis=2)
    total = np.where(seen, parts, 0).sum(axis=2, dtype=np.float64)
    means: Float = np.where(present > 0, total / np.maximum(present, 1), np.nan).astype(np.float32)
    return means


def _shift(values: Float, blocks: int) -> Float:
    """Values ``blocks`` earlier, NaN before the first."""
    shifted = np.full_like(values, np.nan)
    if blocks < values.shape[1]:
        shifted[:, blocks:] = values[:, : values.shape[1] - blocks]
    return shifted


def _median(stack: Float) -> Float:
    """Median over the first axis of what is measured, NaN where nothing is."""
    ordered = np.sort(stack, axis=0)
    count = np.isfinite(ordered).sum(axis=0, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0), axis=0)
    high = np.take_along_axis(ordered, np.minimum(count // 2, len(stack) - 1), axis=0)
    middle: Float = np.where(count > 0, (low + np.where(np.isfinite(high), high, low)) / 2, np.nan)[0]
    return middle
