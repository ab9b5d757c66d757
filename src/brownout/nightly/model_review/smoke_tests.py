"""Smoke tests: whether a stored model works on the newest data, before any night relies on it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from brownout.detection.forest.detector import IsolationForestDetector
from brownout.domain.errors import BrownoutError
from brownout.domain.findings.model_cards import SmokeCheck
from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import Forecasts
from brownout.domain.panel import DAY_S, Panel
from brownout.forecasting.fleet_forecaster import FleetForecaster
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.nightly.context import NightContext
from brownout.nightly.model_review.detector_comparison import detector_panels
from brownout.numerics.arrays import Marks

__all__ = ["smoke_detector", "smoke_forecaster"]

LOADS = "loads from its files"
STRAY_SHARE = 0.05
"""Share of series whose median forecast may leave twice the range of their last week."""
WEEK = 7
ALARMED_SHARE = 0.5
"""Share of the entities that may be abnormal in the last day: more is an outage of a site, or a broken model."""


def smoke_forecaster(folder: Path, panels: Sequence[Panel]) -> tuple[SmokeCheck, ...]:
    """Load a forecaster as a night will, and forecast from the end of the data."""
    try:
        forecaster = SelectedForecaster.load(folder)
        fleet = FleetForecaster(forecaster, panels)
        horizon = forecaster.settings.horizon
        forecasts_by_panel = [fleet.predict(ForecastRequest(p, (p.values.shape[1] - 1,), horizon)) for p in panels]
    except BrownoutError as error:
        return (SmokeCheck(title=LOADS, passed=False, why=error.what),)
    if forecaster.learned_nothing_:
        return (SmokeCheck(title=LOADS, passed=True, why="it learned nothing and forecasts nothing"),)
    rows = sum(len(forecasts.series) for forecasts in forecasts_by_panel)
    whole = all(np.isfinite(f.values).all() and (np.diff(f.values, axis=2) >= 0).all() for f in forecasts_by_panel)
    stray = sum(_stray(forecasts, panel) for forecasts, panel in zip(forecasts_by_panel, panels, strict=True))
    return (
        SmokeCheck(title=LOADS, passed=True, why=f"{len(panels)} panels"),
        SmokeCheck(title="forecasts what is measured today", passed=rows > 0, why=f"{rows} series"),
        SmokeCheck(title="quantiles are finite and ordered", passed=whole, why="all" if whole else "not all are"),
        SmokeCheck(
            title="medians stay near the range of the last week",
            passed=stray <= STRAY_SHARE * max(rows, 1),
            why=f"{stray} of {rows} series leave it",
        ),
    )


def smoke_detector(folder: Path, context: NightContext) -> tuple[SmokeCheck, ...]:
    """Load a detector as a night will, and score the last day."""
    try:
        detector = IsolationForestDetector.load(folder)
        if detector.waits_:
            return (SmokeCheck(title=LOADS, passed=True, why="it waits for a day of history"),)
        entities = alarmed = scored = 0
        for panel, first in detector_panels(context):
            scores = detector.score(panel, first).scores
            lately = scores[:, -max(round(DAY_S / panel.interval_s), 1) :]
            known: Marks = np.asarray(np.isfinite(lately).any(axis=1))
            entities, scored = entities + len(known), scored + int(known.sum())
            alarmed += int((lately > 1.0).any(axis=1).sum())
    except BrownoutError as error:
        return (SmokeCheck(title=LOADS, passed=False, why=error.what),)
    return (
        SmokeCheck(title=LOADS, passed=True, why=f"{len(detector.forests_)} kinds of entities"),
        SmokeCheck(title="scores what is measured today", passed=scored > 0, why=f"{scored} of {entities} entities"),
        SmokeCheck(
            title="most of the fleet is not abnormal",
            passed=alarmed <= ALARMED_SHARE * max(scored, 1),
            why=f"{alarmed} of {scored} entities were in the last day",
        ),
    )


def _stray(forecasts: Forecasts, panel: Panel) -> int:
    """Series whose median leaves what they were in the last week by more than that range."""
    week = panel.values[:, -WEEK * panel.slots_per_day :]
    measured = np.isfinite(week)
    low, high = np.where(measured, week, np.inf).min(axis=1), np.where(measured, week, -np.inf).max(axis=1)
    row_of = {name: row for row, name in enumerate(panel.entity_ids)}
    column_of = {name: column for column, name in enumerate(panel.metric_names)}
    rows = [row_of[series.entity] for series in forecasts.series]
    columns = [column_of[series.metric] for series in forecasts.series]
    low, high = low[rows, columns], high[rows, columns]
    room = np.maximum(high - low, 0.05 * np.maximum(np.abs(low), np.abs(high)))
    middle = forecasts.values[..., forecasts.quantiles.index(0.5)]
    with np.errstate(invalid="ignore"):
        away = (middle < (low - room)[:, None]) | (middle > (high + room)[:, None])
    return int(away.any(axis=1).sum())
