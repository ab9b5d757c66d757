"""Time to saturation: from quantile paths to the probability and the dates of a breach."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from brownout.domain.exceedance import PathModel, corrected, crossed, exceedance
from brownout.domain.forecasts import Breach, Forecasts, Series
from brownout.domain.metrics import Metric, Worse
from brownout.numerics.arrays import Doubles, Marks

__all__ = ["PathModel", "breaches", "exceedance"]


def breaches(
    forecasts: Forecasts,
    metrics: Mapping[str, Metric],
    now: Mapping[Series, float],
    *,
    model: PathModel | None = None,
    min_probability: float = 0.0,
) -> tuple[Breach, ...]:
    """Limits that are crossed at least once within the horizon, most probable first.

    Rows whose metric has no limit or no direction are passed over. ``now`` holds the last measured values. Without a
    ``model`` each row's paths are as persistent as its forecaster learned.
    """
    limited = [
        row
        for row, series in enumerate(forecasts.series)
        if series.metric in metrics and metrics[series.metric].is_limited
    ]
    if not limited:
        return ()
    chosen = forecasts.rows(limited)
    kinds = [metrics[series.metric] for series in chosen.series]
    limits = np.array([metric.limit for metric in kinds], np.float32)
    upwards = np.array([metric.worse is Worse.UP for metric in kinds])
    chance = exceedance(chosen, limits, upwards=upwards)
    often = np.array([_without_forecast(chosen, row, limit) for row, limit in enumerate(limits.tolist())])
    possible = np.flatnonzero((chance.max(axis=1) >= min_probability / chosen.horizon) | (often >= min_probability))
    crossings = []
    for row in possible.tolist():
        beyond = crossed(chance[row], model or _model_of(chosen, row))
        series = chosen.series[row]
        last = now.get(series, float("nan"))
        breach = _breach(chosen, row, beyond, kinds[row].limit or 0.0, last)
        if breach.probability >= min_probability:
            exceeded = last > limits[row] if upwards[row] else last < limits[row]
            crossings.append(replace(breach, exceeded=bool(exceeded)))
    return tuple(sorted(crossings, key=lambda breach: (-breach.probability, breach.series)))


def _without_forecast(forecasts: Forecasts, row: int, limit: float) -> float:
    """Chance of a row to cross its limit where no forecast shows it."""
    odds = None if forecasts.odds is None else forecasts.odds[row]
    return odds.miss_rate if odds is not None and odds.speaks_of(limit) else 0.0


def _model_of(forecasts: Forecasts, row: int) -> PathModel:
    """With the persistence that the row's forecaster learned, where it did."""
    return PathModel() if forecasts.persistence is None else PathModel(persistence=forecasts.persistence[row])


def _breach(forecasts: Forecasts, row: int, beyond: Marks, limit: float, now: float) -> Breach:
    drawn = np.maximum.accumulate(beyond, axis=1).mean(axis=0)
    odds = None if forecasts.odds is None else forecasts.odds[row]
    evenly = np.arange(1, forecasts.horizon + 1) / forecasts.horizon
    elapsed = evenly if odds is None or odds.when is None else np.array(odds.when)
    by_then = corrected(drawn, [odds], elapsed) if odds is not None and odds.speaks_of(limit) else drawn
    correction = float(by_then[-1] / drawn[-1]) if drawn[-1] > 0 else 1.0
    earliest, likely, latest = (_reached(by_then, level, forecasts, row) for level in (0.1, 0.5, 0.9))
    return Breach(
        series=forecasts.series[row],
        limit=limit,
        probability=min(float(by_then[-1]), 1 - 0.5 / len(beyond)),  # all of so many paths are no certainty
        earliest=earliest,
        likely=likely,
        latest=latest,
        duration_s=float(beyond.mean(axis=0).sum() * forecasts.interval_s) * correction,
        horizon_s=float(forecasts.horizon * forecasts.interval_s),
        now=now,
        maker=forecasts.makers[row],
    )


def _reached(by_then: Doubles, level: float, forecasts: Forecasts, row: int) -> np.datetime64 | None:
    """When such a share of the cases in which a limit is crossed have crossed it; None where none does.

    The mean of a slot is that of its middle. Between the middles of two slots, and from the start of the first one to
    its middle, crossings come evenly.
    """
    if by_then[-1] <= 0:
        return None
    share, times = by_then / by_then[-1], forecasts.times(row)
    step = int(np.argmax(share >= level))
    before = share[step - 1] if step else 0.0
    part = float((level - before) / (share[step] - before))
    interval_ms = forecasts.interval_s * 1000
    start_ms, width_ms = ((step - 0.5) * interval_ms, interval_ms) if step else (0.0, interval_ms / 2)
    date: np.datetime64 = times[0] + np.timedelta64(round(start_ms + part * width_ms), "ms")
    return date
