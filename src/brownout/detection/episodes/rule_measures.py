"""Measures that threshold rules compare: how far a value rose, its ratio to the usual one, when it will run out.

Each takes values ``[entity, time]``, the interval and a span in seconds, and looks back only.
"""

from collections.abc import Callable, Mapping

import numpy as np

from brownout.domain.panel import Float
from brownout.numerics.order_statistics import median
from brownout.numerics.rolling import rolling_extreme, rolling_sum
from brownout.numerics.slots import HOUR_S, nearest_slots, slots_per_day, whole_slots

__all__ = ["MEASURES", "line_above_usual", "measure_values"]

DAYS = 7
PARTS = 12
"""Equal parts of the span whose means show a trend."""
SIGNIFICANT = 2.326
"""Normal deviate of a one-sided p of 0.01 in the Mann-Kendall test."""
MAD = 1.4826


def rise(values: Float, interval_s: int, span_s: float) -> Float:
    """Value minus the least value of the span up to it, ``[entity, time]``."""
    return -drop(-values, interval_s, span_s)


def drop(values: Float, interval_s: int, span_s: float) -> Float:
    """Value minus the greatest value of the span up to it: negative where it fell."""
    fallen: Float = values - rolling_extreme(np.fmax, values, nearest_slots(span_s, interval_s))
    return fallen


def shift(values: Float, interval_s: int, span_s: float) -> Float:
    """Value minus the median of the span before the hour it lies in; NaN where less than half of that is measured."""
    width = whole_slots(HOUR_S, interval_s)
    span = nearest_slots(span_s, interval_s)
    moved = np.full(values.shape, np.nan, np.float32)
    for first in range(width, values.shape[1], width):
        before = values[:, max(first - span, 0) : first]
        known = np.isfinite(before).sum(axis=1) >= span / 2
        if known.any():
            usual = median(before[known])[:, None]
            moved[known, first : first + width] = values[known, first : first + width] - usual
    return moved


def times(values: Float, interval_s: int, span_s: float) -> Float:
    """Value divided by the median of the same hour on the last seven days; NaN where that is unknown or not above 0."""
    del span_s
    usual, _ = _usual(values, interval_s)
    ratio: Float = np.divide(values, usual, out=np.full_like(values, np.nan), where=usual > 0)
    return ratio


def line_above_usual(values: Float, interval_s: int, spreads: float) -> Float:
    """Line so many usual spreads (1.4826 MAD) above the median of this hour on the last seven days; NaN = unknown."""
    usual, spread = _usual(values, interval_s)
    line: Float = usual + np.float32(spreads) * spread
    return line


def hours_left(values: Float, interval_s: int, span_s: float) -> Float:
    """Hours until the value reaches zero, by the Theil-Sen slope of twelve means over the span.

    Infinite unless the Mann-Kendall test finds a fall; NaN where a mean is missing. Computed after each twelfth of the
    span, and kept until the next.
    """
    part = nearest_slots(span_s / PARTS, interval_s)
    count = values.shape[1] // part
    left = np.full(values.shape, np.nan, np.float32)
    if count < PARTS:
        return left
    blocks = values[:, : count * part].reshape(len(values), count, part)
    seen = np.isfinite(blocks).sum(axis=2)
    sums = np.where(np.isfinite(blocks), blocks, 0).sum(axis=2, dtype=np.float64)
    means = np.where(seen >= part / 2, sums / np.maximum(seen, 1), np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(means, PARTS, axis=1)
    first, second = np.triu_indices(PARTS, 1)
    rises = windows[..., second] - windows[..., first]
    slope = np.median(rises / ((second - first) * part * interval_s / HOUR_S), axis=-1)
    score = np.sign(rises).sum(axis=-1)
    deviate = (score + 1) / np.sqrt(PARTS * (PARTS - 1) * (2 * PARTS + 5) / 18)
    falls = (slope < 0) & (deviate <= -SIGNIFICANT)
    last = np.maximum(windows[..., -1], 0)
    until = np.where(falls, last / np.where(falls, -slope, 1), np.inf)
    until[~np.isfinite(windows).all(axis=-1)] = np.nan
    # Known from the end of the window's last part on.
    known = np.repeat(until, part, axis=1).astype(np.float32)
    begin = PARTS * part - 1
    length = min(values.shape[1] - begin, known.shape[1])
    left[:, begin : begin + length] = known[:, :length]
    return left


def _usual(values: Float, interval_s: int) -> tuple[Float, Float]:
    """At each slot, median and spread of the same hour of the day on up to seven earlier days; NaN on the first day."""
    width = whole_slots(HOUR_S, interval_s)
    day = slots_per_day(width * interval_s)
    count = -(-values.shape[1] // width)
    padded = np.full((len(values), count * width), np.nan, np.float32)
    padded[:, : values.shape[1]] = values
    hours = padded.reshape(len(values), count, width)
    usual, spread = (np.full((len(values), count), np.nan, np.float32) for _ in range(2))
    for hour in range(day, count):
        before = hours[:, [hour - day * back for back in range(1, DAYS + 1) if hour >= day * back]]
        pool = before.reshape(len(values), before.shape[1] * width)
        rows = np.isfinite(pool).sum(axis=1) >= pool.shape[1] / 2
        if rows.any():
            middle = median(pool[rows])
            usual[rows, hour] = middle
            spread[rows, hour] = MAD * median(np.abs(pool[rows] - middle[:, None]))
    slots = np.arange(values.shape[1]) // width
    return usual[:, slots], spread[:, slots]


def measure_values(name: str, values: Float, interval_s: int, span_s: float) -> Float:
    """Values of a measure by name ``[entity, time]``; NaN where less than 80 % of its span was measured."""
    figures = MEASURES[name](values, interval_s, span_s)
    width = nearest_slots(span_s, interval_s)
    covered = rolling_sum(np.isfinite(values), width) >= 0.8 * width
    return np.where(covered, figures, np.float32(np.nan))


MEASURES: Mapping[str, Callable[[Float, int, float], Float]] = {
    "value": lambda values, _interval, _span: values,
    "rise": rise,
    "drop": drop,
    "shift": shift,
    "times": times,
    "hours_left": hours_left,
}
