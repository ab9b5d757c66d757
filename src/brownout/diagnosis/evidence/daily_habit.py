"""What recurs daily is usual: how far a metric goes at the same hours of other days, and how much days differ."""

from dataclasses import dataclass

import numpy as np

from brownout.domain.panel import Float, Panel
from brownout.numerics.order_statistics import median_of_layers
from brownout.numerics.slots import days

__all__ = ["AROUND", "DailyExtremes", "daily_extremes"]

AROUND = np.timedelta64(3_600_000, "ms")
"""What recurs may come so much earlier or later."""
LONGEST = np.timedelta64(12 * 3_600_000, "ms")
"""Spans from this length on have no hours of their own."""
LEAST_DAYS = 3
"""Days that make a habit."""
LEAST_COVERAGE = 0.5
"""Share of the hours of a day that must be measured for the day to count."""
MAD = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DailyExtremes:
    """Levels that metrics reach at some hours, ``[entity, metric]``; NaN where too few days were measured.

    ``top`` and ``bottom`` are medians over the days, ``top_spread`` and ``bottom_spread`` how far days lie from them:
    the median of the distances, times 1.4826.
    """

    top: Float
    bottom: Float
    top_spread: Float
    bottom_spread: Float


def daily_extremes(before: Panel, start: np.datetime64, end: np.datetime64, *, share: float) -> DailyExtremes | None:
    """Levels that each metric reaches on the days before a span, upwards and downwards, around its hours.

    A level is reached where the metric is there for ``share`` of the length of the span, within an hour around its
    hours. None where the span is half a day or longer, or too few days are there.
    """
    if end - start >= LONGEST:
        return None
    needed = max(round(share * float((end - start) / before.step)), 1)
    tops, bottoms = [], []
    day = start - days(1)
    while day - AROUND >= before.start:
        values = before.between(day - AROUND, min(day + (end - start) + AROUND, before.end)).values
        top, bottom = _reached(values, needed)
        tops.append(top)
        bottoms.append(bottom)
        day -= days(1)
    if len(tops) < LEAST_DAYS:
        return None
    known = np.isfinite(np.stack(tops)).sum(axis=0) >= LEAST_DAYS
    found = (*_middle_and_spread(tops), *_middle_and_spread(bottoms))
    top, top_spread, bottom, bottom_spread = (np.where(known, one, np.nan).astype(np.float32) for one in found)
    return DailyExtremes(top=top, bottom=bottom, top_spread=top_spread, bottom_spread=bottom_spread)


def _middle_and_spread(layers: list[Float]) -> tuple[Float, Float]:
    """Median over days, and how far days lie from it."""
    middle = median_of_layers(layers)
    return middle, MAD * median_of_layers([np.abs(layer - middle) for layer in layers])


def _reached(values: Float, needed: int) -> tuple[Float, Float]:
    """The ``needed``-th highest and lowest value of each series ``[entity, time, metric]``; NaN where too few."""
    seen = np.isfinite(values)
    enough = (seen.sum(axis=1) >= needed) & (seen.mean(axis=1) >= LEAST_COVERAGE)
    if not values.shape[1] or needed > values.shape[1]:
        nothing = np.full((values.shape[0], values.shape[2]), np.nan, np.float32)
        return nothing, nothing
    ordered = np.sort(values, axis=1)  # NaN sorts last
    from_top = np.maximum(seen.sum(axis=1, keepdims=True) - needed, 0)
    highest, lowest = np.take_along_axis(ordered, from_top, axis=1)[:, 0], ordered[:, needed - 1]
    return (
        np.where(enough, highest, np.nan).astype(np.float32),
        np.where(enough, lowest, np.nan).astype(np.float32),
    )
