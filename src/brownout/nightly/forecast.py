"""Watch: forecast and search one shard with the models of the night."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from brownout.detection.alert_state import AlertState
from brownout.detection.baseline.newcomers import since
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.domain.findings import Episode, Shift, SuppressedEpisode
from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import Breach, Forecasts, Series
from brownout.domain.metrics import Metric, Worse
from brownout.domain.night import Chart
from brownout.domain.panel import Panel
from brownout.domain.ports import SampleStore
from brownout.domain.repairs import Repairs
from brownout.forecasting.baselines.naive import SeasonalNaive
from brownout.forecasting.cold_start.newcomer_forecasts import forecast_by_peers
from brownout.forecasting.covariates.console_covariates import covariate_entities
from brownout.forecasting.outlook import Outlook
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.forecasting.series_rows import day_steps
from brownout.nightly.calendars import calendar_of
from brownout.nightly.charts import forecast_chart
from brownout.nightly.context import NightSpan, days, forecast_panel, usual_panel, with_limits
from brownout.nightly.detect import search
from brownout.nightly.long_horizon import look_later
from brownout.nightly.siblings import peers_of
from brownout.nightly.write_back import Sink, forecast_points, score_points
from brownout.planning.actions import LATENCY
from brownout.planning.saturation import breaches, exceedance
from brownout.settings import Settings
from brownout.store.shards import ShardPlan, plan_shards, read_shard

__all__ = ["ShardFindings", "Watchers", "plan_watch", "watch_shard"]

CHARTS_A_SHARD = 12
"""Forecasts that a shard offers to the report: those nearest to their limits."""
CHART_DAYS = 3.0
CHRONIC = 0.5
"""Share of the window beyond the limit from which crossing it is how a series always is, and no news."""
DETECTOR_PAST_DAYS = 7.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShardFindings:
    """What the night found in one shard.

    Attributes
    ----------
    measured
        By metric name: slots of the window with a value, and all slots of the entities that carry the metric.
    latency
        Console latency in the window on forecast slots, one entity a row; None where the shard has no consoles.
    chronic
        Series that were beyond their limit for most of the window: no breach is forecast for them.
    quiet
        Episodes that are not alarmed: single outliers, and what was said about their like.
    shifts
        Levels that were accepted as usual, lately or in earlier nights.
    by_peers
        Entities that are forecast by their peers too.
    closeness
        Chance of each charted forecast to be beyond its limit, by series: orders charts over shards.
    """

    breaches: tuple[Breach, ...]
    chronic: tuple[Series, ...]
    episodes: tuple[Episode, ...]
    charts: Mapping[Series, Chart]
    closeness: Mapping[Series, float]
    measured: Mapping[str, tuple[int, int]]
    latency: Panel | None
    repairs: Repairs
    series: int
    by_peers: tuple[str, ...] = ()
    suppressed: tuple[SuppressedEpisode, ...] = ()
    shifts: tuple[Shift, ...] = ()


def plan_watch(store: SampleStore, settings: Settings) -> tuple[ShardPlan, ...]:
    """Shards of everything measured lately, with the past that forecasts, scores and the outlook need."""
    span, forecast = NightSpan.of(store, settings), settings.forecast
    lately = min(span.end - days(forecast.context_days), span.window - days(DETECTOR_PAST_DAYS))
    start = max(span.first, min(lately, span.end - days(forecast.outlook_context_days)))
    entities = [name for name, measured in store.spans().items() if measured.last >= lately]
    return plan_shards(store, size=settings.shard_size, start=start, end=span.end, entities=entities)


@dataclass(frozen=True, slots=True)
class Watchers:
    """What a shard is watched with, where forecasts and scores are written to, if anywhere, and what is remembered."""

    forecaster: SelectedForecaster
    outlook: Outlook
    detector: IsolationForestDetector
    sink: Sink | None = None
    memory: AlertState = field(default_factory=AlertState)


def watch_shard(store: SampleStore, plan: ShardPlan, watchers: Watchers, settings: Settings) -> ShardFindings:
    """Forecast every series to its limit and merge what is abnormal in the window into episodes."""
    shard = read_shard(store, plan)
    whole, span = calendar_of(settings).without(shard.panel, store.topology), NightSpan.of(store, settings)
    coarse = forecast_panel(whole, settings.forecast)
    panel = whole.between(span.window - days(DETECTOR_PAST_DAYS), whole.end)
    first = min(max(panel.slot(span.window), 1), panel.values.shape[1])
    searched = search(store, panel, first, watchers.detector, watchers.memory, settings)
    window = shard.panel.between(span.window, span.end)
    beside, siblings = _beside(store, plan, coarse, settings), _siblings(store, whole, settings)
    request = _request(watchers.forecaster, coarse, beside, settings)
    forecasts = watchers.forecaster.predict(replace(request, siblings=siblings))
    naive = SeasonalNaive().predict(request)
    metrics = with_limits({metric.name: metric for metric in panel.metrics}, settings.forecast)
    if watchers.sink is not None:
        topology = store.topology
        watchers.sink([forecast_points(forecasts, metrics, topology), score_points(searched.scores, topology)])
    chronic = _chronic(coarse.between(span.window, coarse.end), metrics)
    forecasts, naive = (_without(chronic, made) for made in (forecasts, naive))
    found = breaches(forecasts, metrics, _now(coarse), min_probability=settings.forecast.min_probability)
    found = _driven(found, forecasts, watchers.forecaster, request)
    closeness = _closeness(forecasts, {name: metric.limit for name, metric in metrics.items()}, coarse)
    nearest = sorted(closeness, key=lambda series: (-closeness[series], series))[:CHARTS_A_SHARD]
    shown = coarse.between(span.end - days(CHART_DAYS), coarse.end)
    place = {series: row for row, series in enumerate(forecasts.series)}
    charts = {
        series: forecast_chart(
            series, shown, forecasts.rows([place[series]]), naive.rows([place[series]]), metrics[series.metric].limit
        )
        for series in dict.fromkeys([*(breach.series for breach in found), *nearest])
    }
    later = look_later(watchers.outlook, coarse, {*chronic, *(b.series for b in found)}, metrics, settings.forecast)
    return ShardFindings(
        breaches=(*found, *later.breaches),
        chronic=chronic,
        episodes=searched.episodes,
        suppressed=searched.suppressed,
        shifts=searched.shifts,
        charts={**charts, **later.charts},
        closeness={series: closeness[series] for series in charts},
        measured=_measured(window),
        latency=_latency(coarse.between(span.window, coarse.end)),
        repairs=shard.repairs,
        series=len(forecasts.series) + len(chronic),
        by_peers=forecast_by_peers(forecasts),
    )


def _beside(store: SampleStore, plan: ShardPlan, coarse: Panel, settings: Settings) -> list[Panel]:
    """What surrounds the consoles of a shard; nothing beside a shard of anything else."""
    if plan.kind != "console":
        return []
    wanted = covariate_entities(coarse.entities, store.topology)
    plans = plan_shards(store, size=settings.shard_size, start=plan.start, end=plan.end, entities=wanted)
    return [forecast_panel(usual_panel(store, other, settings), settings.forecast) for other in plans]


def _siblings(store: SampleStore, whole: Panel, settings: Settings) -> tuple[Panel, ...]:
    """The siblings of what has less than a day of past, on the slots of the forecast."""
    day = day_steps(whole.interval_s)
    young = {row: first for row, first in since(whole).items() if first > whole.values.shape[1] - day}
    peers = peers_of(store, whole, young, settings, until=whole.end)
    return (forecast_panel(peers, settings.forecast),) if peers.entities else ()


def _request(
    forecaster: SelectedForecaster, coarse: Panel, beside: Sequence[Panel], settings: Settings
) -> ForecastRequest:
    """The forecast of the night, from the last slot that is over; ``beside`` are covariates of a panel of consoles."""
    origins = (coarse.values.shape[1] - 1,)
    horizon = min(settings.forecast.steps, forecaster.settings.horizon)
    return ForecastRequest(coarse, origins, horizon, forecaster.covariates_ahead(coarse, origins, beside, horizon))


def _driven(
    found: Sequence[Breach], forecasts: Forecasts, forecaster: SelectedForecaster, request: ForecastRequest
) -> tuple[Breach, ...]:
    """Breaches with what drives them, where that is known: those of console latency."""
    if not found or not any(covariate.forecasts for covariate in request.covariates):
        return tuple(found)
    place = {series: row for row, series in enumerate(forecasts.series)}
    rows = forecasts.rows([place[breach.series] for breach in found])
    limits = np.array([breach.limit for breach in found], np.float32)
    # What drives a breach is asked of console latency only, which gets worse upwards.
    chance = exceedance(rows, limits, upwards=np.ones(len(found), bool))
    drivers = forecaster.drivers(rows, chance, request)
    return tuple(replace(breach, drivers=found) for breach, found in zip(found, drivers, strict=True))


def _chronic(window: Panel, metrics: Mapping[str, Metric]) -> tuple[Series, ...]:
    """Series that were beyond their limit for most of the slots measured in the window."""
    found = []
    for column, name in enumerate(window.metric_names):
        limit, worse = metrics[name].limit, metrics[name].worse
        if limit is None or worse is Worse.NONE:
            continue
        values = window.values[..., column]
        beyond = (values > limit) if worse is Worse.UP else (values < limit)
        share = beyond.sum(axis=1) / np.maximum(np.isfinite(values).sum(axis=1), 1)
        found += [Series(window.entity_ids[row], name) for row in np.flatnonzero(share >= CHRONIC).tolist()]
    return tuple(found)


def _without(chronic: Collection[Series], forecasts: Forecasts) -> Forecasts:
    left_out = set(chronic)
    return forecasts.rows([row for row, series in enumerate(forecasts.series) if series not in left_out])


def _now(coarse: Panel) -> dict[Series, float]:
    """The last slot's value of each series, where there is one."""
    last = coarse.values[:, -1]
    return {
        Series(coarse.entity_ids[row], coarse.metric_names[column]): float(last[row, column])
        for row, column in zip(*np.nonzero(np.isfinite(last)), strict=True)
    }


def _closeness(forecasts: Forecasts, limits: Mapping[str, float | None], panel: Panel) -> dict[Series, float]:
    """Largest chance of a step to be beyond the limit; 0 for a series without one."""
    worse = {metric.name: metric.worse for metric in panel.metrics}
    rows = [
        row
        for row, series in enumerate(forecasts.series)
        if limits[series.metric] is not None and worse[series.metric] is not Worse.NONE
    ]
    if not rows:
        return dict.fromkeys(forecasts.series, 0.0)
    chosen = forecasts.rows(rows)
    lines = np.array([limits[series.metric] for series in chosen.series], np.float32)
    upwards = np.array([worse[series.metric] is Worse.UP for series in chosen.series])
    chance = exceedance(chosen, lines, upwards=upwards).max(axis=1)
    return dict(zip(chosen.series, chance.tolist(), strict=True))


def _measured(window: Panel) -> dict[str, tuple[int, int]]:
    seen = np.isfinite(window.values).sum(axis=1)
    slots = window.values.shape[1]
    return {
        name: (int(seen[:, column].sum()), int((seen[:, column] > 0).sum()) * slots)
        for column, name in enumerate(window.metric_names)
        if seen[:, column].any()
    }


def _latency(window: Panel) -> Panel | None:
    if LATENCY not in window.metric_names:
        return None
    return window.select(metrics=[window.metric_names.index(LATENCY)])
