"""Open excursions: memory that is far worse than usual does not return at the first step, nor do consoles beside it.

Trainings leave out incidents that are over, so that no forecaster knows how long one lasts. How long says survival: of
the excursions of a family of metrics that had lasted so long, the share that lasted so much longer. A forecast is then
the mixture of the present level, as far as the excursion lasts, and of what is forecast without it. Consoles have it
where the memory of their guest or host is out of the usual too, so that what slows them goes on; without such a
mechanism most slow hours of consoles are over sooner than anything says, and the mixture made their forecasts worse.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

import numpy as np
from scipy.stats import norm

from brownout.domain.entities import EntityKind
from brownout.domain.forecasts import QUANTILES, Forecasts, Odds
from brownout.domain.metrics import Family, Metric
from brownout.domain.panel import Doubles, Float, Index, Marks, Panel
from brownout.forecasting.baselines.classical import pasts
from brownout.forecasting.present.usual_day import FAR, JITTER_H, LEAST_DAYS, NEAR, Away, side_of, stretches
from brownout.forecasting.selection.calibration import outer_of
from brownout.forecasting.series_rows import Rows, rows_of

__all__ = ["Survival", "mixture", "with_open_excursions"]

AGES = (2, 4, 8, 16, 32)
"""Ages in slots from which on excursions are counted apart."""
PRIOR = 3.0
"""Ends of excursions that the prior counts for: what has lasted so long lasts as long again in half of the cases."""
MOST = 0.95
"""Largest chance to end within a slot."""
MEMORY = 15
"""Seasons of the past that are read."""
LEAST = 2
"""Slots from which on what is far from usual is an excursion; a single one is noise."""
PART = 0.25
"""Largest share of the past; what has lasted longer is how the series is."""
NOW = 3
"""Slots whose median is the present level."""
SPREAD_OF = 12
"""Slots of an excursion that say how far it wanders."""
LEAST_SPREAD = 0.02
"""Least standard deviation of the present level, as a share of it."""
LADDER = np.array((0.05, *QUANTILES, 0.95))
"""Levels that are mixed; each stands for the part of the distribution up to half way to its neighbours."""


@dataclass(frozen=True)
class Survival:
    """How long excursions last: by family of metrics and age, their ends in units of those that the prior expects."""

    ends: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @classmethod
    def learn(cls, panels: Sequence[Panel]) -> Self:
        """From the excursions in panels as measured; one that goes on at the end counts for as long as it was seen."""
        seen: dict[str, Doubles] = {}
        for panel in panels:
            for column, metric in enumerate(panel.metrics):
                if side_of(metric):
                    counts = seen.setdefault(metric.family.value, np.zeros((2, len(AGES))))
                    counts += _ended_and_expected(panel, column, metric)
        return cls({name: tuple(((one[0] + PRIOR) / (one[1] + PRIOR)).tolist()) for name, one in seen.items()})

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Self:
        """From what ``asdict`` made of one, lists for tuples where it went through JSON."""
        return cls({name: tuple(ends) for name, ends in table["ends"].items()})

    def lasting(self, family: str, ages: Index, steps: int) -> Doubles:
        """Chance of excursions of an age to go on so many slots later: ``[row, step]``."""
        at = ages[:, None] + np.arange(steps)
        ends = np.array(self.ends.get(family, (1.0,) * len(AGES)))[_bins(at)] / (at + 1)
        lasting: Doubles = np.cumprod(1 - np.minimum(ends, MOST), axis=1)
        return lasting


class _Open(NamedTuple):
    """Excursions that go on: row of the request, age in slots, present level and its standard deviation."""

    places: Index
    ages: Index
    level: Float
    spread: Float


def with_open_excursions(
    made: Forecasts, rows: Rows, survival: Survival, trending: Index, beside: Sequence[Panel] = ()
) -> Forecasts:
    """Forecasts mixed with the present level of what is in an excursion at its origin, but for rows that trend.

    ``beside`` are the panels of the guests and hosts of consoles. Where the last value is beyond its limit the chance
    is the mixture's own, as what it tells is how long that lasts.
    """
    found = _open(rows, _candidates(rows, set(trending.tolist()), beside))
    if not len(found.places):
        return made
    steps = np.arange(1, made.horizon + 1)
    names = np.array([metric.family.value for metric in rows.panel.metrics])[rows.metrics[found.places]]
    lasting = np.empty((len(names), made.horizon))
    for name in np.unique(names).tolist():
        lasting[names == name] = survival.lasting(name, found.ages[names == name], made.horizon)
    wanders = found.spread[:, None] * np.sqrt(1 + steps / found.ages[:, None])
    present = found.level[:, None, None] + wanders[..., None] * norm.ppf(LADDER)
    bounds = outer_of(made)
    own = np.concatenate([bounds[found.places, :, :1], made.values[found.places], bounds[found.places, :, 1:]], axis=-1)
    mixed = mixture(own.astype(np.float64), present, lasting).astype(np.float32)
    values, outer = made.values.copy(), bounds.copy()
    values[found.places], outer[found.places] = mixed[..., 1:-1], mixed[..., [0, -1]]
    odds = None if made.odds is None else list(made.odds)
    for place, level in zip(found.places.tolist(), found.level.tolist(), strict=True):
        metric = rows.panel.metrics[rows.metrics[place]]
        if odds is not None and metric.is_limited and metric.exceeds(level):
            odds[place] = Odds()
    return replace(made, values=values, outer=outer, odds=None if odds is None else tuple(odds))


def mixture(usual: Doubles, present: Doubles, share: Doubles) -> Doubles:
    """Quantiles ``[row, step, level]`` at ``LADDER`` of mixtures of two, ``share [row, step]`` of the second."""
    edges = np.concatenate([[0.0], (LADDER[1:] + LADDER[:-1]) / 2, [1.0]])
    mass = np.diff(edges)
    points = np.concatenate([usual, present], axis=-1)
    weights = np.concatenate([(1 - share)[..., None] * mass, share[..., None] * mass], axis=-1)
    order = np.argsort(points, axis=-1, kind="stable")
    points, weights = (np.take_along_axis(part, order, axis=-1) for part in (points, weights))
    middle = np.cumsum(weights, axis=-1) - weights / 2
    flat = zip(points.reshape(-1, points.shape[-1]), middle.reshape(-1, points.shape[-1]), strict=True)
    mixed: Doubles = np.array([np.interp(LADDER, at, value) for value, at in flat]).reshape(usual.shape)
    return mixed


def _candidates(rows: Rows, trending: set[int], beside: Sequence[Panel]) -> Marks:
    """Rows whose excursions go on: of memory, and of consoles at a place whose memory is in one, ``[row]``."""
    memory = np.array([metric.family is Family.MEMORY for metric in rows.panel.metrics], bool)[rows.metrics]
    console = np.array([entity.kind == EntityKind.CONSOLE for entity in rows.panel.entities], bool)[rows.entities]
    chosen = memory.copy()
    if console.any() and beside:
        parents = {entity.id: entity.parent for panel in (*beside, rows.panel) for entity in panel.entities}
        for origin in np.unique(rows.origins[console]).tolist():
            out = _out_of_memory(rows.panel.start + origin * rows.panel.step, beside)
            ids = [entity.id for entity in rows.panel.entities]
            there = np.array([not out.isdisjoint(_places_of(name, parents)) for name in ids], bool)
            chosen |= console & (rows.origins == origin) & there[rows.entities]
    chosen[list(trending)] = False
    return chosen


def _out_of_memory(time: np.datetime64, panels: Sequence[Panel]) -> set[str]:
    """Entities of panels whose memory is in an excursion at a time."""
    found: set[str] = set()
    for panel in panels:
        slot = panel.slot(time)
        columns = [column for column, metric in enumerate(panel.metrics) if metric.family is Family.MEMORY]
        if not columns or not 0 <= slot < panel.values.shape[1]:
            continue
        rows = rows_of(panel.select(metrics=columns), (slot,))
        every = _open(rows, np.ones(len(rows), bool))
        found |= {panel.entity_ids[rows.entities[place]] for place in every.places.tolist()}
    return found


def _places_of(name: str, parents: Mapping[str, str | None]) -> set[str]:
    """An entity with its parents, as far as they are known."""
    places: set[str] = set()
    parent: str | None = name
    while parent and parent not in places:
        places.add(parent)
        parent = parents.get(parent)
    return places


def _open(rows: Rows, candidates: Marks) -> _Open:
    """Excursions of the rows that are candidates."""
    season = rows.panel.slots_per_day
    sides = np.array([side_of(metric) for metric in rows.panel.metrics])
    found: list[tuple[int, int, float, float]] = []
    for part, past in pasts(rows, MEMORY * season):
        chosen = np.flatnonzero(candidates[part] & (sides[rows.metrics[part]] != 0))
        if past.shape[1] < LEAST_DAYS * season or not len(chosen):
            continue
        away = Away.of(sides[rows.metrics[part]][chosen, None].astype(np.float32) * past[chosen], season)
        for at in np.flatnonzero(np.nan_to_num(away.deviations[:, -1]) > NEAR).tolist():
            age = _age(away, at, _jitter(rows.panel))
            if age:
                row = int(chosen[at])
                level = float(np.median(past[row, -age:][-NOW:]))
                spread = 1.4826 * float(np.median(np.abs(past[row, -age:][-SPREAD_OF:] - level)))
                found.append((part.start + row, age, level, max(spread, LEAST_SPREAD * abs(level))))
    table = np.array(found, np.float64).reshape(-1, 4)
    places, ages = table[:, :2].astype(np.int64).T
    level, spread = table[:, 2:].astype(np.float32).T
    return _Open(places, ages, level, spread)


def _age(away: Away, row: int, jitter: int) -> int:
    """Slots that the excursion at the end of a row has lasted; 0 where there is none, or where it is a habit."""
    own = np.nan_to_num(away.deviations[row])
    first, last = stretches(own > NEAR)[-1]
    seen = int(np.isfinite(away.deviations[row]).sum())
    lasts = LEAST <= last - first <= PART * seen
    return last - first if lasts and own[first:last].max() > FAR and not away.returns(own, first, last, jitter) else 0


def _ended_and_expected(panel: Panel, column: int, metric: Metric) -> Doubles:
    """Ends of excursions by age, and those that the prior expects: ``[2, age]``."""
    season, counts = panel.slots_per_day, np.zeros((2, len(AGES)))
    if panel.values.shape[1] < LEAST_DAYS * season:
        return counts
    away = Away.of(side_of(metric) * panel.values[..., column], season)
    for row in np.flatnonzero((np.nan_to_num(away.deviations) > FAR).any(axis=1)).tolist():
        own = np.nan_to_num(away.deviations[row])
        for first, last in stretches(own > NEAR):
            far = np.flatnonzero(own[first:last] > FAR)
            if not len(far) or last - first < LEAST or away.returns(own, first, last, _jitter(panel)):
                continue
            ages = np.arange(max(int(far[0]) + 1, LEAST), last - first + 1)
            known = last < len(own) and np.isfinite(away.deviations[row, last])
            at_risk = ages if known else ages[:-1]
            np.add.at(counts[1], _bins(at_risk), 1 / (at_risk + 1))
            if known and len(at_risk):
                counts[0, _bins(at_risk[-1:])] += 1
    return counts


def _bins(ages: Index) -> Index:
    return np.maximum(np.searchsorted(AGES, ages, side="right") - 1, 0)


def _jitter(panel: Panel) -> int:
    return max(round(JITTER_H * 3600 / panel.interval_s), 1)
