"""Odds of a forecast's rows as they are told: with how often their series, and all of their metric, crossed a limit."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import Odds
from brownout.domain.panel import Panel
from brownout.forecasting.exceedance.chance_correction import MOST_KNOWN, Chances, independent_shares, share_of
from brownout.forecasting.exceedance.habit_times import first_crossings, times_of
from brownout.forecasting.exceedance.habits import Windows, without_gaps_of
from brownout.forecasting.series_rows import Rows
from brownout.numerics.arrays import Doubles

__all__ = ["told_odds"]


def told_odds(chances: Chances, rows: Rows, request: ForecastRequest, horizon: int) -> tuple[Odds, ...]:
    """Odds ``[row]``; what was measured after an origin is not read for its rows."""
    names = _names(rows)
    if not chances.habits:
        return tuple(chances.correction(name) for name in names)
    measured = rows.panel if request.measured is None else request.measured
    usual = without_gaps_of(measured, rows.panel)
    own = Windows.of(usual, horizon).until(rows.origins, rows.entities, rows.metrics)
    every, share = Windows.of(request.worst or measured, horizon), independent_shares([measured])[0]
    rates: dict[tuple[str, int], float] = {}
    told = []
    for name, origin, column, crossed, windows in zip(
        names, rows.origins.tolist(), rows.metrics.tolist(), own[0].tolist(), own[1].tolist(), strict=True
    ):
        if (name, origin) not in rates and name in chances.habits:
            rates[name, origin] = min(share_of(*_of_metric(every, share, origin, column)), MOST_KNOWN)
        told.append(chances.told(name, rates.get((name, origin), 0.0), crossed, windows))
    return _with_times(told, chances, rows, (usual, request.horizon), own)


def _with_times(
    told: Sequence[Odds], chances: Chances, rows: Rows, past: tuple[Panel, int], own: tuple[Doubles, Doubles]
) -> tuple[Odds, ...]:
    """Odds with the times of the habits that are a part of them: the rest of what no forecast shows comes evenly.

    ``past`` is the panel of the habits and the horizon, ``own`` the windows of each row with a crossing, and all.
    """
    panel, horizon = past
    timed = list(told)
    parts = np.array([_own_part(chances, *one) for one in zip(told, _names(rows), *own, strict=True)])
    evenly = (np.arange(horizon) + 1.0) / horizon
    for origin in np.unique(rows.origins[parts > 0]).tolist():
        chosen = np.flatnonzero((parts > 0) & (rows.origins == origin))
        series = rows.entities[chosen], rows.metrics[chosen]
        times = times_of(first_crossings(panel, *series, origin=origin, horizon=horizon), horizon)
        for row, share, when in zip(chosen.tolist(), parts[chosen].tolist(), times, strict=True):
            timed[row] = replace(timed[row], when=tuple((share * when + (1 - share) * evenly).tolist()))
    return tuple(timed)


def _own_part(chances: Chances, odds: Odds, name: str, crossed: float, windows: float) -> float:
    """Share of a row's crossings that no forecast shows which are the habit of its series."""
    habit = chances.habits.get(name)
    if habit is None or not habit.trust or not crossed or odds.miss_rate <= 0:
        return 0.0
    own = (1 - habit.share) * habit.trust * crossed / (habit.trust * windows + 1)
    return min(own / odds.miss_rate, 1.0)


def _names(rows: Rows) -> list[str]:
    return [rows.panel.metric_names[column] for column in rows.metrics.tolist()]


def _of_metric(windows: Windows, share: float, origin: int, column: int) -> tuple[float, float]:
    """Independent windows of all series of a metric before an origin: those with a crossing, and all.

    ``share`` is that of independent observations an entity.
    """
    entities = np.arange(windows.crossed.shape[1], dtype=np.int64)
    slots, columns = np.full(len(entities), origin), np.full(len(entities), column)
    crossed, counted = windows.until(slots, entities, columns, any_day=True)
    return share * float(crossed.sum()), share * float(counted.sum())
