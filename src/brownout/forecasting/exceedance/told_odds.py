"""Odds of a forecast's rows as they are told: with how often their series, and all of their metric, crossed a limit."""

import numpy as np

from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import Odds
from brownout.forecasting.exceedance.chance_correction import Chances
from brownout.forecasting.exceedance.habits import Windows, without_gaps_of
from brownout.forecasting.series_rows import Rows

__all__ = ["told_odds"]


def told_odds(chances: Chances, rows: Rows, request: ForecastRequest, horizon: int) -> tuple[Odds, ...]:
    """Odds ``[row]``; what was measured after an origin is not read for its rows."""
    names = [rows.panel.metric_names[column] for column in rows.metrics.tolist()]
    if not chances.habits:
        return tuple(chances.correction(name) for name in names)
    measured = rows.panel if request.measured is None else request.measured
    own = Windows.of(without_gaps_of(measured, rows.panel), horizon).until(rows.origins, rows.entities, rows.metrics)
    every = Windows.of(measured, horizon)
    rates: dict[tuple[str, int], float] = {}
    told = []
    for name, origin, column, crossed, windows in zip(
        names, rows.origins.tolist(), rows.metrics.tolist(), own[0].tolist(), own[1].tolist(), strict=True
    ):
        if (name, origin) not in rates and name in chances.habits:
            rates[name, origin] = chances.rate(name, *_of_metric(every, origin, column))
        told.append(chances.told(name, rates.get((name, origin), 0.0), crossed, windows))
    return tuple(told)


def _of_metric(windows: Windows, origin: int, column: int) -> tuple[float, float]:
    """Windows of all series of a metric before an origin: those with a crossing, and all."""
    entities = np.arange(len(windows.crossed), dtype=np.int64)
    slots, columns = np.full(len(entities), origin), np.full(len(entities), column)
    crossed, counted = windows.until(slots, entities, columns)
    return float(crossed.sum()), float(counted.sum())
