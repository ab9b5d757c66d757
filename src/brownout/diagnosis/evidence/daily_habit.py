"""What recurs every day at the same hours is usual: how far a metric goes at these hours on most days."""

import numpy as np

from brownout.domain.panel import Float, Panel
from brownout.numerics.order_statistics import median_of_layers
from brownout.numerics.slots import days

__all__ = ["daily_extremes"]

AROUND = np.timedelta64(3_600_000, "ms")
"""What recurs may come so much earlier or later."""
LONGEST = np.timedelta64(12 * 3_600_000, "ms")
"""Spans from this length on have no hours of their own."""
LEAST_DAYS = 3
"""Days that make a habit."""
LEAST_COVERAGE = 0.5
"""Share of the hours of a day that must be measured for the day to count."""


def daily_extremes(
    before: Panel, start: np.datetime64, end: np.datetime64, *, share: float
) -> tuple[Float, Float] | None:
    """Levels that each metric reaches on most days, upwards and downwards, around the hours of a span.

    A level is reached where the metric is there for ``share`` of the length of the span, within an hour around its
    hours. Both are ``[entity, metric]``, medians over the days of the panel ``before`` the span, NaN where too few days
    were measured; None where the span is half a day or longer, or too few days are there.
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
    up, down = median_of_layers(tops), median_of_layers(bottoms)
    return np.where(known, up, np.nan).astype(np.float32), np.where(known, down, np.nan).astype(np.float32)


def _reached(values: Float, needed: int) -> tuple[Float, Float]:
    """The ``needed``-th highest and lowest value of each series ``[entity, time, metric]``; NaN where too few."""
    seen = np.isfinite(values)
    enough = (seen.sum(axis=1) >= needed) & (seen.mean(axis=1) >= LEAST_COVERAGE)
    if not values.shape[1] or needed > values.shape[1]:
        nothing = np.full((values.shape[0], values.shape[2]), np.nan, np.float32)
        return nothing, nothing
    highest = np.sort(np.where(seen, values, -np.inf), axis=1)[:, -needed]
    lowest = np.sort(np.where(seen, values, np.inf), axis=1)[:, needed - 1]
    return (
        np.where(enough, highest, np.nan).astype(np.float32),
        np.where(enough, lowest, np.nan).astype(np.float32),
    )
