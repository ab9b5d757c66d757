"""Which load drives a predicted breach: what the latency would be if the load were as usual."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from brownout.domain.forecasts import Driver, Forecasts
from brownout.domain.panel import Float
from brownout.forecasting.covariates.console_covariates import ConsoleCovariates, Load
from brownout.forecasting.covariates.load_model import LoadModel, Row
from brownout.forecasting.covariates.load_paths import Contributions, follow, groups_of, log_latency
from brownout.forecasting.series_rows import day_steps

__all__ = ["drivers_of"]

LEAST_SHARE = 0.05
"""Shares below it are noise."""
DAILY = 0.5
"""A rise over the usual of the hour that is less than this part of that over the median of all hours is a daily one."""
HIGHEST = -1
"""The quantile that comes near the limit first."""

Doubles = npt.NDArray[np.float64]
Marks = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _Rise:
    """Weighted over the likely steps of a breach: how much each load adds, ``[row, load]``, and ``total [row]``.

    ``daily`` marks the rows that were compared with all hours.
    """

    parts: Doubles
    total: Doubles
    daily: Marks


def drivers_of(
    model: LoadModel, forecasts: Forecasts, chance: Doubles, covariates: ConsoleCovariates
) -> tuple[tuple[Driver, ...] | None, ...]:
    """Drivers of each row of forecasts from the first origin of the covariates; ``chance [row, step]`` to be beyond.

    None for a row that is no console latency with a learned response.
    Curves add up, so what a load adds does not depend on the order in which loads are set to usual: these are its
    Shapley values.
    """
    found: list[tuple[Driver, ...] | None] = [None] * len(forecasts.series)
    rows = {name: row for row, name in enumerate(covariates.panel.entity_ids)}
    for metric in model.responses:
        places = [p for p, s in enumerate(forecasts.series) if s.metric == metric and s.entity in rows]
        if not places or metric not in covariates.panel.metric_names:
            continue
        consoles = np.array([rows[forecasts.series[place].entity] for place in places], np.int64)
        column = covariates.panel.metric_names.index(metric)
        row = Row(covariates.panel, column, consoles, np.full(len(places), covariates.origins[0], np.int64))
        weights = chance[places] / np.maximum(chance[places].sum(axis=1, keepdims=True), 1e-12)
        high = log_latency(forecasts.values[places][..., HIGHEST])
        for place, drivers in zip(places, _of_metric(model, row, covariates, (weights, high)), strict=True):
            found[place] = drivers
    return tuple(found)


def _of_metric(
    model: LoadModel, row: Row, covariates: ConsoleCovariates, likely: tuple[Doubles, Float]
) -> list[tuple[Driver, ...]]:
    response = model.responses[row.metric]
    given = model.contributions(row, covariates)
    gains = follow(response, given).gains
    rise = _rise(given, gains, likely, day_steps(covariates.panel.interval_s))
    past = covariates.measured(response.loads)[row.consoles, : covariates.origins[0] + 1]
    ahead = covariates.forecast(response.loads)[row.consoles, 0]
    usual = _usual(past, covariates.horizon, day_steps(covariates.panel.interval_s))
    levels: list[Doubles] = [
        _over(ahead, likely[0]),
        _over(usual, likely[0]),
        np.nanmedian(past, axis=1).astype(np.float64),
    ]
    owners = [covariates.owners(load.place) for load in response.loads]
    return [
        _named(response.loads, rise, place, levels=levels, owners=[names[console] for names in owners])
        for place, console in enumerate(row.consoles.tolist())
    ]


def _rise(given: Contributions, gains: Float, likely: tuple[Doubles, Float], day: int) -> _Rise:
    weights, high = likely
    steps = high.shape[1]
    at_hour, always = (
        _over((given.future - usual) * gains[:, None], weights)
        for usual in (_usual(given.past, steps, day), np.nanmedian(given.past, axis=1)[:, None])
    )
    hour, ever = (
        _over((high - usual)[..., None], weights)[:, 0]
        for usual in (_usual(given.latency[..., None], steps, day)[..., 0], np.nanmedian(given.latency, 1)[:, None])
    )
    daily = np.maximum(at_hour, 0).sum(axis=1) < DAILY * np.maximum(always, 0).sum(axis=1)
    return _Rise(np.where(daily[:, None], always, at_hour), np.where(daily, ever, hour), daily)


def _usual(past: Float, steps: int, day: int) -> Float:
    """Median of ``past [row, slot, column]`` at the time of day of each step: ``[row, step, column]``."""
    days = past.shape[1] // day
    if not days:
        return np.repeat(np.nanmedian(past, axis=1)[:, None], steps, axis=1)
    whole = past[:, past.shape[1] - days * day :].reshape(len(past), days, day, -1)
    usual: Float = np.nanmedian(whole, axis=1)[:, np.arange(steps) % day]
    return usual


def _over(values: Float, weights: Doubles) -> Doubles:
    """Weighted mean over the steps of ``values [row, step, column]``, without what is not known."""
    known = np.isfinite(values) * weights[..., None]
    mean: Doubles = (np.nan_to_num(values) * known).sum(axis=1) / np.maximum(known.sum(axis=1), 1e-12)
    return mean


def _named(
    loads: Sequence[Load], rise: _Rise, place: int, *, levels: Sequence[Doubles], owners: Sequence[str]
) -> tuple[Driver, ...]:
    """Drivers of one row: resources of the guest and of the host, the largest share first."""
    names, group = groups_of(loads)
    parts = rise.parts[place]
    sums = np.array([max(parts[group == g].sum(), 0.0) for g in range(len(names))])
    shares = sums / max(sums.sum(), float(rise.total[place]), 1e-9)
    forecast, hour, ever = (level[place] for level in levels)
    daily = bool(rise.daily[place])
    found = []
    for g in np.argsort(-shares, kind="stable").tolist():
        if shares[g] >= LEAST_SHARE:
            load = int(np.where(group == g, parts, -np.inf).argmax())
            found.append(
                Driver(
                    entity=owners[load],
                    resource=names[g][1],
                    metric=loads[load].metric,
                    share=float(shares[g]),
                    forecast=float(forecast[load]),
                    usual=float((ever if daily else hour)[load]),
                    daily=daily,
                )
            )
    return tuple(found)
