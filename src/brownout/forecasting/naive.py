"""The forecasts to beat: the last value, and the value one season earlier, with empirical residual deciles."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from brownout.domain.forecasts import QUANTILES, Forecasts
from brownout.domain.panel import Float, Panel
from brownout.domain.ports import Progress, no_progress
from brownout.forecasting.rows import Rows, clip_to_bounds, day_steps, rows_of

__all__ = ["Naive", "SeasonalNaive", "WeeklyNaive", "deciles", "last_values", "pasts", "seasonal_scale"]

MEMORY = 28
"""Seasons of residuals that count: older ones come from another life of the series."""


@dataclass(frozen=True)
class Naive:
    """The last measured value, with the deciles of past changes growing with the root of the step."""

    name: ClassVar[str] = "naive"

    def fit(self, panels: Sequence[Panel], progress: Progress = no_progress) -> Self:
        """Nothing to learn."""
        del panels, progress
        return self

    def predict(self, panel: Panel, origins: Sequence[int], horizon: int) -> Forecasts:
        """Predict all series that were measured by an origin."""
        rows = rows_of(panel, origins, horizon)
        values = np.empty((len(rows), horizon, len(QUANTILES)), np.float32)
        growth = np.sqrt(np.arange(1, horizon + 1))[None, :, None]
        for part, past in pasts(rows, day_steps(panel.interval_s)):
            last = last_values(past)
            changes = np.diff(past, axis=1)
            values[part] = last[:, None, None] + deciles(changes)[:, None, :] * growth
        return rows.forecasts(clip_to_bounds(values, rows), self.name)


@dataclass(frozen=True)
class SeasonalNaive:
    """The value one season (default: a day) earlier, the last value where that is a gap; deciles of past misses."""

    season: int | None = None
    memory: int = MEMORY
    name: ClassVar[str] = "seasonal-naive"

    def fit(self, panels: Sequence[Panel], progress: Progress = no_progress) -> Self:
        """Nothing to learn."""
        del panels, progress
        return self

    def predict(self, panel: Panel, origins: Sequence[int], horizon: int) -> Forecasts:
        """Predict all series that were measured by an origin."""
        season = self.season or day_steps(panel.interval_s)
        rows = rows_of(panel, origins, horizon)
        values = np.empty((len(rows), horizon, len(QUANTILES)), np.float32)
        steps = np.arange(horizon)
        for part, past in pasts(rows, season, self.memory):
            places = past.shape[1] - season + steps % season
            held = past[:, np.maximum(places, 0)]
            middle = np.where((places >= 0) & np.isfinite(held), held, last_values(past)[:, None])
            misses = past[:, season:] - past[:, :-season] if past.shape[1] > season else past[:, :0]
            values[part] = middle[:, :, None] + deciles(misses)[:, None, :]
        return rows.forecasts(clip_to_bounds(values, rows), self.name)


@dataclass(frozen=True)
class WeeklyNaive:
    """The value a week (seven seasons) earlier: offices rest on Sundays."""

    season: int | None = None
    name: ClassVar[str] = "weekly-naive"

    def fit(self, panels: Sequence[Panel], progress: Progress = no_progress) -> Self:
        """Nothing to learn."""
        del panels, progress
        return self

    def predict(self, panel: Panel, origins: Sequence[int], horizon: int) -> Forecasts:
        """Predict all series that were measured by an origin."""
        week = 7 * (self.season or day_steps(panel.interval_s))
        made = SeasonalNaive(week, MEMORY // 7).predict(panel, origins, horizon)
        return replace(made, makers=(self.name,) * len(made.series))


def seasonal_scale(panel: Panel, season: int, *, end: int) -> Float:
    """In-sample mean absolute error of seasonal-naive before slot ``end``, ``[entity, metric]``; NaN where unknown."""
    past = panel.values[:, :end]
    misses = np.abs(past[:, season:] - past[:, :-season]) if end > season else past[:, :0]
    seen = np.isfinite(misses)
    total, count = np.where(seen, misses, 0).sum(axis=1, dtype=np.float64), seen.sum(axis=1)
    scale: Float = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0).astype(np.float32)
    return scale


def pasts(rows: Rows, season: int, memory: int = MEMORY) -> list[tuple[slice, Float]]:
    """For each origin its rows and their past ``[row, slot]`` up to it, at most ``memory`` seasons and one long."""
    series = rows.panel.values.transpose(0, 2, 1)
    bounds = np.flatnonzero(np.diff(rows.origins, prepend=-1, append=-1))
    parts = []
    for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        part = slice(first, last)
        origin = int(rows.origins[first])
        start = max(origin + 1 - (memory + 1) * season, 0)
        parts.append((part, series[rows.entities[part], rows.metrics[part], start : origin + 1]))
    return parts


def last_values(past: Float) -> Float:
    """Last measured value of each row, 0 where the window holds none."""
    seen = np.isfinite(past)
    place = past.shape[1] - 1 - seen[:, ::-1].argmax(axis=1)
    last = past[np.arange(len(past)), place]
    return np.where(np.isfinite(last), last, np.float32(0))


def deciles(residuals: Float) -> Float:
    """Empirical quantiles of each row, linear between order statistics; 0 where there are no residuals."""
    ordered = np.sort(residuals, axis=1)  # NaN sorts last
    count = np.isfinite(residuals).sum(axis=1)
    if not residuals.shape[1]:
        return np.zeros((len(residuals), len(QUANTILES)), np.float32)
    place = np.array(QUANTILES)[None, :] * np.maximum(count - 1, 0)[:, None]
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count - 1, 0)[:, None])
    below, above = np.take_along_axis(ordered, low, axis=1), np.take_along_axis(ordered, high, axis=1)
    deciles = below + (above - below) * (place - low)
    return np.where(count[:, None] > 0, deciles, 0).astype(np.float32)
