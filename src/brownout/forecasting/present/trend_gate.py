"""How much a local trend counts: by its errors over the last hours beside those of the chosen forecaster."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from brownout.domain.forecasts import LOCAL_TREND, Forecasts, Odds, Series
from brownout.domain.panel import Doubles, Float, Index, Marks, Panel
from brownout.forecasting.baselines.classical import pasts
from brownout.forecasting.baselines.smoothing import filled
from brownout.forecasting.present.level_steps import without_step
from brownout.forecasting.present.local_trend import MEMORY, Runs, line_after, runs_of
from brownout.forecasting.selection.calibration import outer_of
from brownout.forecasting.series_rows import Rows

__all__ = ["Trending", "mixed_with_trends", "trends_of"]

TESTED = 3
"""The last part of a run that is forecast from before it, to see who does better: a third."""
WORSE, BETTER = 0.9, 0.5
"""Error of the trend as a share of the other's from which on it counts nothing, and up to which it alone counts."""
MAKES = 0.5
"""Weight from which on a trend is named as the maker, and its own chances hold."""
LEAST_PACE = 0.5
"""Share of its pace that a trend keeps since the step of its level."""
PERSISTENCE = 0.95
"""Autocorrelation of neighbouring steps of a trend: what its pace gets wrong stays wrong."""

T = TypeVar("T")
Medians = Callable[[Panel, int, int], Forecasts]
"""Forecasts of a panel by its chosen makers, from an origin for so many steps."""


@dataclass(frozen=True, eq=False)
class Trending:
    """Rows that a trend counts for: which, the trends, and how much each counts, above 0 and up to 1."""

    places: Index
    runs: Runs
    weights: Float


def trends_of(rows: Rows, horizon: int, chosen_at: Medians) -> Trending:
    """Trends of rows, each tested against the chosen forecaster on the last third of its run."""
    panel, season = rows.panel, rows.panel.slots_per_day
    places, runs, weights = [], [], []
    fills = np.array([metric.fills_up for metric in panel.metrics], bool)
    for part, whole in pasts(rows, MEMORY * season):
        filling = np.flatnonzero(fills[rows.metrics[part]])
        if not len(filling):
            continue
        past, since = without_step(whole[filling], season)
        found = runs_of(past, season)
        own = np.flatnonzero(found.found & _goes_on(past, since, found))
        if not len(own):
            continue
        chosen = found.rows(own)
        at = np.arange(part.start, part.stop)[filling[own]]
        origin = int(rows.origins[part.start])
        tested = np.clip(chosen.slots // TESTED, 3, horizon)
        weight = np.zeros(len(own), np.float32)
        for steps in np.unique(tested).tolist():
            these = np.flatnonzero(tested == steps)
            series = rows.entities[at[these]], rows.metrics[at[these]]
            theirs = _missed_by_chosen(panel, series, origin, steps, chosen_at)
            weight[these] = _weights(_missed_by_trend(past[own[these]], chosen.rows(these), steps), theirs)
        places.append(at[weight > 0])
        runs.append(chosen.rows(np.flatnonzero(weight > 0)))
        weights.append(weight[weight > 0])
    if not places:
        nothing = runs_of(np.zeros((0, 1), np.float32), 1)
        return Trending(np.zeros(0, np.int64), nothing, np.zeros(0, np.float32))
    joined = {name: np.concatenate([getattr(one, name) for one in runs]) for name in Runs.__dataclass_fields__}
    return Trending(np.concatenate(places), Runs(**joined), np.concatenate(weights))


def _goes_on(past: Float, since: Index, runs: Runs) -> Marks:
    """Whether the trend of each row goes on after the step of its level, at half of its pace at least."""
    goes_on = np.ones(len(past), bool)
    for row in np.flatnonzero(runs.found & (since > 0) & (since < runs.slots)).tolist():
        slots = int(since[row])
        day = runs.day[row, np.arange(-slots, 0) % runs.day.shape[1]]
        own = line_after(filled(past[row : row + 1, -slots:] - day).astype(np.float64))[1][0]
        goes_on[row] = own * np.sign(runs.slope[row]) > LEAST_PACE * abs(runs.slope[row])
    return goes_on


def mixed_with_trends(made: Forecasts, trends: Trending) -> Forecasts:
    """Forecasts whose quantiles are mixed with those of the trends; those of mostly a trend have its name and odds."""
    if not len(trends.places):
        return made
    paths = trends.runs.paths(np.arange(1, made.horizon + 1, dtype=np.float32))
    weight = trends.weights[:, None, None]
    values, outer = made.values.copy(), outer_of(made)
    beyond = outer_of(replace(made.rows(trends.places.tolist()), values=paths, outer=None))
    values[trends.places] = (1 - weight) * values[trends.places] + weight * paths
    outer[trends.places] = (1 - weight) * outer[trends.places] + weight * beyond
    by_trend = trends.places[trends.weights >= MAKES].tolist()
    return replace(
        made,
        values=values,
        outer=outer,
        makers=_with(made.makers, by_trend, LOCAL_TREND),
        persistence=None if made.persistence is None else _with(made.persistence, by_trend, PERSISTENCE),
        odds=None if made.odds is None else _with(made.odds, by_trend, Odds()),
    )


def _with(items: Sequence[T], places: Sequence[int], item: T) -> tuple[T, ...]:
    changed = list(items)
    for place in places:
        changed[place] = item
    return tuple(changed)


def _missed_by_chosen(panel: Panel, series: tuple[Index, Index], origin: int, steps: int, chosen_at: Medians) -> Float:
    """Mean absolute error of the chosen forecasters' medians over the last steps, ``[row]``; NaN where unknown."""
    entities, metrics = series
    if origin < steps:
        return np.full(len(entities), np.nan, np.float32)
    own = np.unique(entities)
    made = chosen_at(panel.select(entities=own.tolist()), origin - steps, steps)
    place = {one: row for row, one in enumerate(made.series)}
    missed = np.full(len(entities), np.nan, np.float32)
    for row, (entity, metric) in enumerate(zip(entities.tolist(), metrics.tolist(), strict=True)):
        at = place.get(Series(panel.entity_ids[entity], panel.metric_names[metric]))
        if at is not None:
            actual = panel.values[entity, origin - steps + 1 : origin + 1, metric]
            missed[row] = _mean_miss((made.values[at, :, made.values.shape[2] // 2] - actual)[None])[0]
    return missed


def _missed_by_trend(past: Float, runs: Runs, steps: int) -> Float:
    """The same of lines through the runs as they were so many steps ago."""
    slots = past.shape[1]
    phase = np.arange(-slots, 0) % runs.day.shape[1]
    flat = past - runs.day[:, phase]
    missed = np.empty(len(past), np.float32)
    for length in np.unique(runs.slots).tolist():
        these = np.flatnonzero(runs.slots == length)
        tail = flat[these, -length:]
        level, slope = line_after(filled(tail[:, :-steps]).astype(np.float64))
        missed[these] = _mean_miss(tail[:, -steps:] - level[:, None] - slope[:, None] * np.arange(1, steps + 1))
    return missed


def _mean_miss(missed: Float | Doubles) -> Float:
    known = np.isfinite(missed)
    total = np.where(known, np.abs(missed), 0).sum(axis=1)
    return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan).astype(np.float32)


def _weights(trend: Float, chosen: Float) -> Float:
    """Weight of each trend, 0 … 1; 1 where nothing is known of the other."""
    share = np.divide(trend, chosen, out=np.full_like(trend, np.inf), where=chosen > 0)
    share = np.where(np.isfinite(chosen), share, 0)
    return np.clip((WORSE - share) / (WORSE - BETTER), 0, 1).astype(np.float32)
