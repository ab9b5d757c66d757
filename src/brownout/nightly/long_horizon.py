"""What is forecast for the weeks after the night's horizon: limits that a rise or fall will cross."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import Breach, Forecasts, Series
from brownout.domain.metrics import Metric
from brownout.domain.night import Chart
from brownout.domain.panel import Panel
from brownout.forecasting.baselines.naive import SeasonalNaive
from brownout.forecasting.baselines.trend import Trend
from brownout.forecasting.outlook import Outlook
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


def forecast_long_horizon(
    outlook: Outlook, panel: Panel, known: Collection[Series], metrics: Mapping[str, Metric], settings: ForecastSettings
) -> LongHorizon:
    """Limits that series of a forecast's panel will cross in the weeks ahead, without those that are ``known``.

    Only what rises or falls is looked at: that another day of the coming weeks may be a bad one is no news.
    """
    wide = outlook_panel(panel, settings)
    request = ForecastRequest(wide, (wide.values.shape[1] - 1,), outlook_steps(settings))
    forecasts = outlook.predict(request)
    rows = [r for r, maker in enumerate(forecasts.makers) if maker == Trend.name and forecasts.series[r] not in known]
    rising = forecasts.rows(rows)
    found = breaches(rising, metrics, _last(wide, rising), min_probability=settings.min_probability)
    coming = tuple(breach for breach in found if not breach.exceeded)
    place = {series: row for row, series in enumerate(rising.series)}
    naive = SeasonalNaive().predict(replace(request, horizon=forecasts.horizon)).rows(rows) if coming else rising
    charts = {}
    for series in (breach.series for breach in coming):
        row = [place[series]]
        limit = metrics[series.metric].limit
        charts[series] = forecast_chart(series, wide, rising.rows(row), naive.rows(row), limit)
    return LongHorizon(coming, charts)


def _last(panel: Panel, forecasts: Forecasts) -> dict[Series, float]:
    """Value of the last slot of each row."""
    if not forecasts.series:
        return {}
    entities = {name: place for place, name in enumerate(panel.entity_ids)}
    metrics = {name: place for place, name in enumerate(panel.metric_names)}
    places = np.array([(entities[series.entity], metrics[series.metric]) for series in forecasts.series])
    values = panel.values[places[:, 0], -1, places[:, 1]].tolist()
    return dict(zip(forecasts.series, values, strict=True))
