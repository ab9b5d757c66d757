"""What is forecast for the weeks after the night's horizon: limits that a rise or fall will cross."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import LOCAL_TREND, Breach, Forecasts, Series
from brownout.domain.metrics import Metric
from brownout.domain.night import Chart
from brownout.domain.panel import Panel
from brownout.forecasting.baselines.naive import SeasonalNaive
from brownout.forecasting.baselines.trend import Trend
from brownout.forecasting.outlook import Outlook
from brownout.forecasting.present import MAKES, PERSISTENCE, Trending
from brownout.forecasting.series_rows import Rows, clip_to_bounds, rows_of
from brownout.nightly.panels import outlook_panel, outlook_steps
from brownout.planning.saturation import breaches
from brownout.reporting.charts import forecast_chart
from brownout.settings import ForecastSettings

__all__ = ["LongHorizon", "forecast_long_horizon"]


@dataclass(frozen=True, slots=True, eq=False)
class LongHorizon:
    """Breaches that come after the horizon of the night, with the charts of their weeks."""

    breaches: tuple[Breach, ...]
    charts: Mapping[Series, Chart]


def forecast_long_horizon(  # noqa: PLR0913 - what is forecast, by what, and what is known of it already
    outlook: Outlook,
    panel: Panel,
    known: Collection[Series],
    metrics: Mapping[str, Metric],
    settings: ForecastSettings,
    *,
    trends: Trending | None = None,
) -> LongHorizon:
    """Limits that series of a forecast's panel will cross in the weeks ahead, without those that are ``known``.

    Only what rises or falls is looked at: that another day of the coming weeks may be bad is known. Series that
    a local trend makes, of the ``trends`` of the panel's last slot, are carried on by it.
    """
    wide = outlook_panel(panel, settings)
    request = ForecastRequest(wide, (wide.values.shape[1] - 1,), outlook_steps(settings))
    by_trend = None if trends is None else _carried_on(trends, panel, wide, request.horizon)
    carried = set() if by_trend is None else set(by_trend.series)
    forecasts = outlook.predict(request)
    rows = [
        row
        for row, (series, maker) in enumerate(zip(forecasts.series, forecasts.makers, strict=True))
        if maker == Trend.name and series not in known and series not in carried
    ]
    parts = [_coming(forecasts.rows(rows), request, metrics, settings)]
    if by_trend is not None:
        new = [row for row, series in enumerate(by_trend.series) if series not in known]
        parts.append(_coming(by_trend.rows(new), request, metrics, settings))
    charts = {series: chart for part in parts for series, chart in part.charts.items()}
    return LongHorizon(tuple(breach for part in parts for breach in part.breaches), charts)


def _carried_on(trends: Trending, panel: Panel, wide: Panel, horizon: int) -> Forecasts | None:
    """Forecasts on wide slots by the trends that make their series in the night too; None where there is none."""
    own = np.flatnonzero(trends.weights >= MAKES)
    if not len(own):
        return None
    rows, runs = rows_of(panel, (panel.values.shape[1] - 1,)), trends.runs.rows(own)
    middles = wide.end + wide.step * np.arange(horizon) + wide.step // 2
    ahead = ((middles - panel.end) / panel.step).astype(np.float32)
    indices = trends.places[own]
    chosen = Rows(panel, rows.origins[indices], rows.entities[indices], rows.metrics[indices])
    named = chosen.forecasts(clip_to_bounds(runs.paths(np.maximum(ahead, 1)), chosen), LOCAL_TREND)
    origins = np.full(len(own), wide.end - wide.step)
    return replace(named, origins=origins, interval_s=wide.interval_s, persistence=(PERSISTENCE,) * len(own))


def _coming(
    rising: Forecasts, request: ForecastRequest, metrics: Mapping[str, Metric], settings: ForecastSettings
) -> LongHorizon:
    """Breaches that are still to come, with their charts."""
    wide = request.panel
    likely_breaches = breaches(rising, metrics, _last(wide, rising), min_probability=settings.min_probability)
    coming = tuple(breach for breach in likely_breaches if not breach.exceeded)
    if not coming:
        return LongHorizon((), {})
    naive = SeasonalNaive().predict(replace(request, horizon=rising.horizon))
    row_of = {series: row for row, series in enumerate(rising.series)}
    naive_row_of = {series: row for row, series in enumerate(naive.series)}
    charts = {}
    for series in (breach.series for breach in coming):
        limit = metrics[series.metric].limit
        forecasts, plain = rising.rows([row_of[series]]), naive.rows([naive_row_of[series]])
        charts[series] = forecast_chart(series, wide, forecasts, plain, limit)
    return LongHorizon(coming, charts)


def _last(panel: Panel, forecasts: Forecasts) -> dict[Series, float]:
    """Value of the last slot of each row."""
    if not forecasts.series:
        return {}
    entities = {name: index for index, name in enumerate(panel.entity_ids)}
    metrics = {name: index for index, name in enumerate(panel.metric_names)}
    cells = np.array([(entities[series.entity], metrics[series.metric]) for series in forecasts.series])
    values = panel.values[cells[:, 0], -1, cells[:, 1]].tolist()
    return dict(zip(forecasts.series, values, strict=True))
