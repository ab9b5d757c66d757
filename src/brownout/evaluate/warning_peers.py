"""Peers of the night's warnings: what a plain alert rule, a classical method or habit would have warned of.

``predict_linear`` is Prometheus' function: a least-squares line through the samples of a range, extended to the
horizon. ``holt-winters`` is triple exponential smoothing (additive trend and day), its weights chosen for each series
by its one-step errors. The naive ones take the last value, the last day or the last week with their past errors.
"""

from collections.abc import Callable, Mapping

import numpy as np

from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import Breach, Series
from brownout.domain.metrics import Metric, Worse
from brownout.domain.panel import Panel
from brownout.forecasting.baselines.naive import Naive, SeasonalNaive, WeeklyNaive
from brownout.numerics.arrays import Doubles
from brownout.planning.saturation import breaches

__all__ = ["NAIVE", "PEERS", "holt_winters", "predict_linear"]

HOUR_S = 3600.0
WEIGHTS = tuple((a, b, g) for a in (0.1, 0.3, 0.6) for b in (0.0, 0.02, 0.1) for g in (0.05, 0.2))
"""Weights of level, trend and season that are tried."""

Warner = Callable[[Panel, Panel, Mapping[str, Metric], float], tuple[Breach, ...]]
"""Warnings from a panel, the same on the slots of the forecast, the metrics with their limits, and the horizon in s."""


def predict_linear(values: Doubles, times_s: Doubles) -> tuple[Doubles, Doubles]:
    """Value at time 0 and slope a second of the least-squares line of each row ``[row, slot]``; NaN = no sample.

    NaN where a row has fewer than two samples; a row of equal values has slope 0.
    """
    measured = np.isfinite(values)
    count = measured.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        x = np.where(measured, times_s, 0.0)
        y = np.where(measured, values, 0.0)
        mean_x, mean_y = x.sum(axis=1) / count, y.sum(axis=1) / count
        apart = np.where(measured, times_s - mean_x[:, None], 0.0)
        slope = (apart * np.where(measured, values - mean_y[:, None], 0.0)).sum(axis=1) / (apart**2).sum(axis=1)
    enough = count >= 2
    slope = np.where(enough, slope, np.nan)
    return np.where(enough, mean_y - slope * mean_x, np.nan), slope


def holt_winters(past: Doubles, season: int, horizon: int) -> Doubles:
    """Paths ``[row, step]`` after a past ``[row, slot]`` of at least two seasons; NaN where there is less.

    A gap is filled with what was expected there. Of all weights those with the least squared one-step error count.
    """
    rows, slots = past.shape
    if slots < 2 * season:
        return np.full((rows, horizon), np.nan)
    best, paths = np.full(rows, np.inf), np.full((rows, horizon), np.nan)
    for weights in WEIGHTS:
        loss, path = _smoothed(past, season, horizon, weights)
        better = loss < best
        best, paths[better] = np.where(better, loss, best), path[better]
    return paths


def _smoothed(past: Doubles, season: int, horizon: int, weights: tuple[float, float, float]) -> tuple[Doubles, Doubles]:
    alpha, beta, gamma = weights
    folded = past[:, : 2 * season].reshape(len(past), 2, season)
    measured = np.isfinite(folded)
    means = np.where(measured, folded, 0).sum(axis=2) / np.maximum(measured.sum(axis=2), 1)
    level, trend = means[:, 0], (means[:, 1] - means[:, 0]) / season
    apart = np.where(measured, folded - means[..., None], 0)
    days = apart.sum(axis=1) / np.maximum(measured.sum(axis=1), 1)
    loss, count = np.zeros(len(past)), np.zeros(len(past))
    for slot in range(past.shape[1]):
        phase = slot % season
        expected = level + trend + days[:, phase]
        value = np.where(np.isfinite(past[:, slot]), past[:, slot], expected)
        loss += (value - expected) ** 2
        count += np.isfinite(past[:, slot])
        last, level = level, alpha * (value - days[:, phase]) + (1 - alpha) * (level + trend)
        trend = beta * (level - last) + (1 - beta) * trend
        days[:, phase] = gamma * (value - level) + (1 - gamma) * days[:, phase]
    steps = np.arange(1, horizon + 1)
    phases = (past.shape[1] - 1 + steps) % season
    return np.where(count > 0, loss, np.inf), level[:, None] + trend[:, None] * steps + days[:, phases]


def _linear(hours: float) -> Warner:
    def warn(panel: Panel, coarse: Panel, metrics: Mapping[str, Metric], horizon_s: float) -> tuple[Breach, ...]:
        del coarse
        slots = max(round(hours * HOUR_S / panel.interval_s), 2)
        part = panel.values[:, -slots:].astype(np.float64)
        times = (np.arange(part.shape[1]) - part.shape[1] + 1.0) * panel.interval_s
        steps = np.arange(1, max(round(horizon_s / panel.interval_s), 1) + 1)
        breaches: list[Breach] = []
        for column, name in enumerate(panel.metric_names):
            if metrics[name].is_limited:
                base, slope = predict_linear(part[..., column], times[None, :])
                path = base[:, None] + slope[:, None] * steps * panel.interval_s
                ending = _beyond(path[:, -1], metrics[name])
                breaches += _crossed(panel, metrics[name], np.where(ending[:, None], path, np.nan))
        return tuple(breaches)

    return warn


def _smoothing(panel: Panel, coarse: Panel, metrics: Mapping[str, Metric], horizon_s: float) -> tuple[Breach, ...]:
    del panel
    horizon = max(round(horizon_s / coarse.interval_s), 1)
    breaches: list[Breach] = []
    for column, name in enumerate(coarse.metric_names):
        if metrics[name].is_limited:
            path = holt_winters(coarse.values[..., column].astype(np.float64), coarse.slots_per_day, horizon)
            breaches += _crossed(coarse, metrics[name], path)
    return tuple(breaches)


def _naive(maker: Naive | SeasonalNaive | WeeklyNaive) -> Warner:
    def warn(panel: Panel, coarse: Panel, metrics: Mapping[str, Metric], horizon_s: float) -> tuple[Breach, ...]:
        del panel
        horizon = max(round(horizon_s / coarse.interval_s), 1)
        forecasts = maker.predict(ForecastRequest(coarse, [coarse.values.shape[1] - 1], horizon))
        return breaches(forecasts, metrics, _last(coarse), min_probability=0.2)

    return warn


def _beyond(values: Doubles, metric: Metric) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
    limit = float("nan") if metric.limit is None else metric.limit
    return (values > limit) if metric.worse is Worse.UP else (values < limit)


def _crossed(panel: Panel, metric: Metric, path: Doubles) -> list[Breach]:
    """A certain warning for each path that goes beyond its limit, at the step that does so first."""
    beyond, last = _beyond(path, metric), _last(panel)
    warnings = []
    for row in np.flatnonzero(beyond.any(axis=1)).tolist():
        series = Series(panel.entity_ids[row], metric.name)
        at = panel.end + int(np.argmax(beyond[row])) * panel.step
        now = last.get(series, float("nan"))
        warnings.append(
            Breach(
                series=series, limit=metric.limit or 0.0, probability=1.0, earliest=at, likely=at, latest=at,
                duration_s=float(beyond[row].sum() * panel.interval_s),
                horizon_s=float(path.shape[1] * panel.interval_s), now=now, maker="",
                exceeded=bool(_beyond(np.array([now]), metric)[0]),
            )
        )  # fmt: skip
    return warnings


def _last(panel: Panel) -> dict[Series, float]:
    """The value of the last slot of each series, where there is one."""
    last = panel.values[:, -1]
    return {
        Series(panel.entity_ids[row], panel.metric_names[column]): float(last[row, column])
        for row, column in zip(*np.nonzero(np.isfinite(last)), strict=True)
    }


NAIVE: Mapping[str, Warner] = {
    "last value": _naive(Naive()),
    "same time yesterday": _naive(SeasonalNaive()),
    "same time last week": _naive(WeeklyNaive()),
}
PEERS: Mapping[str, Warner] = {
    "predict_linear 1h": _linear(1),
    "predict_linear 6h": _linear(6),
    "predict_linear 24h": _linear(24),
    "holt-winters": _smoothing,
    **NAIVE,
}
"""Everything that warnings are compared with, by the name in ``peers.parquet``."""
