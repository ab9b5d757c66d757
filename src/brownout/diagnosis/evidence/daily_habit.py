"""What recurs daily is usual: how far a metric goes at the same hours of other days, and how much days differ."""

from collections.abc import Sequence
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
    windows = []
    day = start - days(1)
    while day - AROUND >= before.start:
        windows.append(before.between(day - AROUND, min(day + (end - start) + AROUND, before.end)).values)
        day -= days(1)
    if len(windows) < LEAST_DAYS:
        return None
    tops, bottoms = _reached(windows, needed)
    known = np.isfinite(np.stack(tops)).sum(axis=0) >= LEAST_DAYS
    found = (*_middle_and_spread(tops), *_middle_and_spread(bottoms))
    top, top_spread, bottom, bottom_spread = (np.where(known, one, np.nan).astype(np.float32) for one in found)
    return DailyExtremes(top=top, bottom=bottom, top_spread=top_spread, bottom_spread=bottom_spread)


def _middle_and_spread(layers: list[Float]) -> tuple[Float, Float]:
    """Median over days, and how far days lie from it."""
    middle = median_of_layers(layers)
    return middle, MAD * median_of_layers([np.abs(layer - middle) for layer in layers])


def _reached(windows: Sequence[Float], needed: int) -> tuple[list[Float], list[Float]]:
    """The ``needed``-th highest and lowest value of each series in each window; NaN where too few were measured.

    Windows are ``[entity, time, metric]``, all of the same entities and metrics; results ``[entity, metric]``.
    """
    lengths = np.array([window.shape[1] for window in windows])
    entities, _, metrics = windows[0].shape
    ordered = np.full((len(windows), entities, metrics, max(lengths.max(), needed)), np.nan, np.float32)
    for window, row in zip(windows, ordered, strict=True):
        row[..., : window.shape[1]] = window.swapaxes(1, 2)
    count = np.isfinite(ordered).sum(axis=-1)
    ordered.sort(axis=-1)  # NaN sorts last
    least = np.maximum(needed, LEAST_COVERAGE * lengths)[:, None, None]
    highest = np.take_along_axis(ordered, np.maximum(count - needed, 0)[..., None], axis=-1)[..., 0]
    found = (np.where(count >= least, one, np.float32(np.nan)) for one in (highest, ordered[..., needed - 1]))
    tops, bottoms = (list(one) for one in found)
    return tops, bottoms
