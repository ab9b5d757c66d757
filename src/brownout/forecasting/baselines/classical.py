"""Classical forecasters: they learn nothing beforehand and read everything off the past of a series."""

from collections.abc import Sequence
from typing import Protocol, Self

import numpy as np

from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import QUANTILES, Forecasts
from brownout.domain.panel import Float, Panel
from brownout.domain.ports import Progress, no_progress
from brownout.forecasting.series_rows import Rows, clip_to_bounds, rows_of

__all__ = ["Classical", "pasts"]


class Classical(Protocol):
    """A forecaster that needs no training and predicts origin by origin; subclasses give the paths."""

    @property
    def season(self) -> int | None:
        """Slots of a season, None for a day."""

    @property
    def memory(self) -> int:
        """Seasons of the past that are read, beside the first."""

    @property
    def name(self) -> str:
        """Name of the forecaster."""

    def paths(self, past: Float, season: int, horizon: int) -> Float:
        """Quantile paths ``[row, step, quantile]`` after a past ``[row, slot]``."""
        ...

    def fit(self, panels: Sequence[Panel], progress: Progress = no_progress) -> Self:
        """Return the forecaster as it is."""
        del panels, progress
        return self

    def predict(self, request: ForecastRequest) -> Forecasts:
        """Predict all series that were measured by an origin."""
        panel, horizon = request.panel, request.horizon
        season = self.season or panel.slots_per_day
        rows = rows_of(panel, request.origins)
        values = np.empty((len(rows), horizon, len(QUANTILES)), np.float32)
        for part, past in pasts(rows, (self.memory + 1) * season):
            values[part] = self.paths(past, season, horizon)
        return rows.forecasts(clip_to_bounds(values, rows), self.name)


def pasts(rows: Rows, slots: int) -> list[tuple[slice, Float]]:
    """For each origin its rows and their past ``[row, slot]`` up to it, of at most so many slots."""
    series = rows.panel.values.transpose(0, 2, 1)
    bounds = np.flatnonzero(np.diff(rows.origins, prepend=-1, append=-1))
    parts = []
    for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        part = slice(first, last)
        origin = int(rows.origins[first])
        start = max(origin + 1 - slots, 0)
        parts.append((part, series[rows.entities[part], rows.metrics[part], start : origin + 1]))
    return parts
