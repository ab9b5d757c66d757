"""Load attribution: which loads drive a predicted breach, by the latency that each adds to what is usual."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from brownout.domain.forecasts import Driver, Forecasts
from brownout.domain.panel import Float
from brownout.forecasting.covariates.console_covariates import ConsoleCovariates, Load
from brownout.forecasting.covariates.load_model import LoadModel, Row
from brownout.forecasting.covariates.load_paths import Contributions, follow, groups_of, latency_of, log_latency
from brownout.numerics.arrays import Doubles, Marks
from brownout.numerics.order_statistics import median

__all__ = ["drivers_of"]

LEAST_SHARE = 0.05
"""Shares below it are noise."""
DAILY = 0.5
"""A load is high every day where its rise over the usual of the hour is less than this part of that over all hours."""
HIGHEST = -1
"""The 90 % quantile, the first to reach a limit."""


@dataclass(frozen=True, slots=True, eq=False)
class _Rise:
    """Rise of log latency over what is usual, averaged over the steps of a breach, weighted by their chance.

    ``parts [row, load]`` is what each load adds, ``total [row]`` the rise of the forecast, ``rise_ms [row]`` the same
    in ms; ``daily [row]`` marks rows that are compared with all hours of the day, the others with the same hour.
    """

    parts: Doubles
    total: Doubles
    rise_ms: Doubles
    daily: Marks


def drivers_of(
    model: LoadModel, forecasts: Forecasts, chance: Doubles, covariates: ConsoleCovariates
) -> tuple[tuple[Driver, ...] | None, ...]:
    """Drivers of each row of forecasts from the first origin; ``chance [row, step]`` is that to be beyond the limit.

    None for a row that is no console latency with a learned response. As curves add up, what a load adds does not
    depend on the order in which loads are set to usual: it is its Shapley value.
    """
    by_row: list[tuple[Driver, ...] | None] = [None] * len(forecasts.series)
    rows = {name: row for row, name in enumerate(covariates.panel.entity_ids)}
    for metric in model.responses:
        chosen = [n for n, s in enumerate(forecasts.series) if s.metric == metric and s.entity in rows]
        if not chosen or metric not in covariates.panel.metric_names:
            continue
        consoles = np.array([rows[forecasts.series[n].entity] for n in chosen], np.int64)
        column = covariates.panel.metric_names.index(metric)
        row = Row(covariates.panel, column, consoles, np.full(len(chosen), covariates.origins[0], np.int64))
        weights = chance[chosen] / np.maximum(chance[chosen].sum(axis=1, keepdims=True), 1e-12)
        high = log_latency(forecasts.values[chosen][..., HIGHEST])
        for n, drivers in zip(chosen, _of_metric(model, row, covariates, (weights, high)), strict=True):
            by_row[n] = drivers
    return tuple(by_row)


def _of_metric(
    model: LoadModel, row: Row, covariates: ConsoleCovariates, likely: tuple[Doubles, Float]
) -> list[tuple[Driver, ...]]:
    response = model.responses[row.metric]
    given = model.contributions(row, covariates)
    gains = follow(response, given).gains
    rise = _rise(given, gains, likely, covariates.panel.slots_per_day)
    past = covariates.measured(response.loads)[row.consoles, : covariates.origins[0] + 1]
    ahead = covariates.forecast(response.loads)[row.consoles, 0]
    usual = _usual(past, covariates.horizon, covariates.panel.slots_per_day)
    levels: list[Doubles] = [
        _over(ahead, likely[0]),
        _over(usual, likely[0]),
        median(past, axis=1).astype(np.float64),
    ]
    owners = [covariates.owners(load.place) for load in response.loads]
    return [
        _named(response.loads, rise, n, levels=levels, owners=[names[console] for names in owners])
        for n, console in enumerate(row.consoles.tolist())
    ]


def _rise(given: Contributions, gains: Float, likely: tuple[Doubles, Float], day: int) -> _Rise:
    weights, high = likely
    steps = high.shape[1]
    at_hour, always = (
        _over((given.future - usual) * gains[:, None], weights)
        for usual in (_usual(given.past, steps, day), median(given.past, axis=1)[:, None])
    )
    usually = _usual(given.latency[..., None], steps, day)[..., 0], median(given.latency, axis=1)[:, None]
    hour, ever = (_over((high - usual)[..., None], weights)[:, 0] for usual in usually)
    hour_ms, ever_ms = (_over((latency_of(high) - latency_of(usual))[..., None], weights)[:, 0] for usual in usually)
    daily = np.maximum(at_hour, 0).sum(axis=1) < DAILY * np.maximum(always, 0).sum(axis=1)
    return _Rise(
        parts=np.where(daily[:, None], always, at_hour),
        total=np.where(daily, ever, hour),
        rise_ms=np.maximum(np.where(daily, ever_ms, hour_ms), 0),
        daily=daily,
    )


def _usual(past: Float, steps: int, day: int) -> Float:
    """Median of ``past [row, slot, column]`` at the time of day of each step: ``[row, step, column]``."""
    days = past.shape[1] // day
    if not days:
        return np.repeat(median(past, axis=1)[:, None], steps, axis=1)
    whole = past[:, past.shape[1] - days * day :].reshape(len(past), days, day, -1)
    usual: Float = median(whole, axis=1)[:, np.arange(steps) % day]
    return usual


def _over(values: Float, weights: Doubles) -> Doubles:
    """Weighted mean over the steps of ``values [row, step, column]``, without what is not known."""
    known = np.isfinite(values) * weights[..., None]
    mean: Doubles = (np.nan_to_num(values) * known).sum(axis=1) / np.maximum(known.sum(axis=1), 1e-12)
    return mean


def _named(
    loads: Sequence[Load], rise: _Rise, row: int, *, levels: Sequence[Doubles], owners: Sequence[str]
) -> tuple[Driver, ...]:
    """Drivers of a row: resources of the guest and of the host, the largest share first."""
    names, group = groups_of(loads)
    parts = rise.parts[row]
    sums = np.array([max(parts[group == g].sum(), 0.0) for g in range(len(names))])
    shares = sums / max(sums.sum(), float(rise.total[row]), 1e-9)
    forecast, hour, ever = (level[row] for level in levels)
    daily = bool(rise.daily[row])
    drivers = []
    for g in np.argsort(-shares, kind="stable").tolist():
        if shares[g] >= LEAST_SHARE:
            load = int(np.where(group == g, parts, -np.inf).argmax())
            drivers.append(
                Driver(
                    entity=owners[load],
                    resource=names[g][1],
                    metric=loads[load].metric,
                    share=float(shares[g]),
                    added=float(shares[g] * rise.rise_ms[row]),
                    forecast=float(forecast[load]),
                    usual=float((ever if daily else hour)[load]),
                    daily=daily,
                )
            )
    return tuple(drivers)
