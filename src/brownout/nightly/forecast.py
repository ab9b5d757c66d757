"""Forecasts of a night: every series of one shard to its limit, what drives a breach, and the weeks after."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from brownout.detection.baseline.newcomers import newcomers_in
from brownout.domain.entities import EntityKind
from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import Breach, Forecasts, Series
from brownout.domain.metrics import Metric, Worse
from brownout.domain.night import Chart
from brownout.domain.panel import Panel
from brownout.forecasting.baselines.naive import SeasonalNaive
from brownout.forecasting.cold_start.newcomer_forecasts import forecast_by_peers
from brownout.forecasting.covariates.console_covariates import covariate_entities
from brownout.forecasting.present import Spans
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.nightly.context import NightContext
from brownout.nightly.detect import ShardDetection
from brownout.nightly.long_horizon import forecast_long_horizon
from brownout.nightly.one_off_spans import one_offs, usual_forecast_panel
from brownout.nightly.panels import forecast_panel, with_limits, worst_panel
from brownout.nightly.siblings import sibling_panel
from brownout.numerics.slots import days, slots_per_day
from brownout.planning.placing.fleet_ahead import LOAD_METRICS
from brownout.planning.saturation import breaches, exceedance
from brownout.reporting.charts import forecast_chart
from brownout.store.shards import ShardPlan, plan_shards

__all__ = ["ShardForecast", "forecast"]

CHARTS_A_SHARD = 12
"""Forecasts that a shard offers to the report: those nearest to their limits."""
CHART_DAYS = 3.0
CHRONIC = 0.5
"""Share of the window beyond the limit from which crossing it is the usual state of a series."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShardForecast:
    """What was forecast in a shard.

    Attributes
    ----------
    series
        How many series were forecast, chronic ones included.
    forecasts
        Of all of them; None where the context keeps no points.
    chronic
        Series that were beyond their limit for most of the window: no breach is forecast for them.
    closeness
        Chance of each charted forecast to be beyond its limit, by series: orders charts over shards.
    by_peers
        Entities that are forecast by their siblings too.
    loads
        Of the metrics that say what fits where.
    """

    series: int
    forecasts: Forecasts | None
    breaches: tuple[Breach, ...]
    chronic: tuple[Series, ...]
    charts: Mapping[Series, Chart]
    closeness: Mapping[Series, float]
    by_peers: tuple[str, ...]
    loads: Forecasts


def forecast(
    context: NightContext, plan: ShardPlan, panel: Panel, detection: ShardDetection | None = None
) -> ShardForecast | None:
    """Forecast every series of a panel; None where the context has no forecaster.

    What incidents of the night's ``detection`` or of the night before did, which are over, is no season.
    """
    forecaster, outlook, settings = context.models.forecaster, context.models.outlook, context.settings.forecast
    if forecaster is None:
        return None
    once = one_offs(context, detection)
    measured, coarse = forecast_panel(panel, settings), usual_forecast_panel(context, panel, forecaster.parts, once)
    metrics = with_limits({metric.name: metric for metric in panel.metrics}, settings)
    request = _request(context, forecaster, coarse, _neighbours(context, plan, coarse, once))
    sustained, worst = (worst_panel(panel, settings, brief=brief) for brief in (False, True))
    every = forecaster.predict(replace(request, siblings=_siblings(context, panel), measured=sustained, worst=worst))
    naive = SeasonalNaive().predict(request)
    chronic = _chronic(measured.between(context.span.window, coarse.end), metrics)
    forecasts, naive = (_without(chronic, one) for one in (every, naive))
    likely_breaches = breaches(forecasts, metrics, _now(measured), min_probability=settings.min_probability)
    likely_breaches = _driven(likely_breaches, forecasts, forecaster, request)
    closeness = _closeness(forecasts, {name: metric.limit for name, metric in metrics.items()}, coarse)
    nearest = sorted(closeness, key=lambda series: (-closeness[series], series))[:CHARTS_A_SHARD]
    shown = measured.between(context.span.end - days(CHART_DAYS), coarse.end)
    row_of = {series: row for row, series in enumerate(forecasts.series)}
    charts = {
        series: forecast_chart(
            series, shown, forecasts.rows([row_of[series]]), naive.rows([row_of[series]]), metrics[series.metric].limit
        )
        for series in dict.fromkeys([*(breach.series for breach in likely_breaches), *nearest])
    }
    known = {*chronic, *(breach.series for breach in likely_breaches)}
    later = None
    if outlook is not None:
        trends = forecaster.trends(request)
        later = forecast_long_horizon(outlook, coarse, known, metrics, settings, trends=trends)
    return ShardForecast(
        series=len(every.series),
        forecasts=every if context.keep_points else None,
        breaches=(*likely_breaches, *(later.breaches if later else ())),
        chronic=chronic,
        charts={**charts, **(later.charts if later else {})},
        closeness={series: closeness[series] for series in charts},
        by_peers=forecast_by_peers(forecasts),
        loads=every.rows([row for row, series in enumerate(every.series) if series.metric in LOAD_METRICS]),
    )


def _neighbours(context: NightContext, plan: ShardPlan, coarse: Panel, once: Spans) -> list[Panel]:
    """Guests and hosts of the consoles of a shard, whose loads drive the latency; none for other kinds.

    Without one-offs, as the consoles themselves: those of this night's detection are of other shards, but what lies far
    from the usual days is left out.
    """
    forecaster = context.models.forecaster
    if plan.kind != EntityKind.CONSOLE or forecaster is None:
        return []
    wanted = covariate_entities(coarse.entities, context.topology)
    size = context.settings.shard_size
    plans = plan_shards(context.store, size=size, start=plan.start, end=plan.end, entities=wanted)
    return [usual_forecast_panel(context, context.usual_panel(other), forecaster.parts, once) for other in plans]


def _siblings(context: NightContext, panel: Panel) -> tuple[Panel, ...]:
    """Siblings of what has less than a day of past, on the slots of the forecast."""
    day = slots_per_day(panel.interval_s)
    young = {row: first for row, first in newcomers_in(panel).items() if first > panel.values.shape[1] - day}
    siblings = sibling_panel(context, panel, young, until=panel.end)
    return (forecast_panel(siblings, context.settings.forecast),) if siblings.entities else ()


def _request(
    context: NightContext, forecaster: SelectedForecaster, coarse: Panel, neighbours: Sequence[Panel]
) -> ForecastRequest:
    """The forecast of the night, from the last slot that is over, with what is forecast of the neighbours."""
    origins = (coarse.values.shape[1] - 1,)
    horizon = min(context.settings.forecast.steps, forecaster.settings.horizon)
    return ForecastRequest(coarse, origins, horizon, forecaster.covariates_ahead(coarse, origins, neighbours, horizon))


def _driven(
    likely_breaches: Sequence[Breach], forecasts: Forecasts, forecaster: SelectedForecaster, request: ForecastRequest
) -> tuple[Breach, ...]:
    """Breaches with what drives them, where that is known: those of console latency."""
    if not likely_breaches or not any(covariate.forecasts for covariate in request.covariates):
        return tuple(likely_breaches)
    row_of = {series: row for row, series in enumerate(forecasts.series)}
    rows = forecasts.rows([row_of[breach.series] for breach in likely_breaches])
    limits = np.array([breach.limit for breach in likely_breaches], np.float32)
    # What drives a breach is asked of console latency only, which gets worse upwards.
    chance = exceedance(rows, limits, upwards=np.ones(len(likely_breaches), bool))
    drivers_of_breaches = forecaster.drivers(rows, chance, request)
    return tuple(
        replace(breach, drivers=drivers) for breach, drivers in zip(likely_breaches, drivers_of_breaches, strict=True)
    )


def _chronic(window: Panel, metrics: Mapping[str, Metric]) -> tuple[Series, ...]:
    """Series that were beyond their limit for most of the slots measured in the window."""
    chronic = []
    for column, name in enumerate(window.metric_names):
        if not metrics[name].is_limited:
            continue
        values = window.values[..., column]
        beyond = metrics[name].exceeds(values)
        share = beyond.sum(axis=1) / np.maximum(np.isfinite(values).sum(axis=1), 1)
        chronic += [Series(window.entity_ids[row], name) for row in np.flatnonzero(share >= CHRONIC).tolist()]
    return tuple(chronic)


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
