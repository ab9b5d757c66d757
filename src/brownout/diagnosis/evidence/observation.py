"""Observations: what each metric of each entity did in a span, against its own baseline before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from brownout.diagnosis.evidence.daily_habit import AROUND, DailyExtremes, daily_extremes
from brownout.diagnosis.evidence.surge import Surge, surges
from brownout.domain.findings import Episode
from brownout.domain.metrics import Metric, Role, shipped_catalogue
from brownout.domain.panel import Float, Panel
from brownout.numerics.order_statistics import measured_counts, quantile, quantiles
from brownout.numerics.slots import DAY_S, HOUR_S, second_of_day, whole_slots

__all__ = ["IncidentWindow", "Observation", "Observations", "observe"]

Marks = npt.NDArray[np.bool_]

LEAST_COVERAGE = 0.4
"""Share of a span that must be measured, else the metric counts as missing."""
LEAST_BASELINE = 8
"""Slots before a span that make a baseline."""
LEAST_PEERS = 4
"""Entities in a panel that make a median of peers."""
STEADY_COVERAGE = 0.8
"""Share of the baseline that must be measured for silence to mean anything."""
FLOOR = 0.02
"""Least spread as a share of the usual level."""
UPPER, LOWER = 0.75, 0.25
"""The robust high and low of a span."""
RAMP_HOURS = 12.0
JUMP = (0.35, 0.5)
"""Share of its range that a metric moves in one hour up to which it moves gradually, and from which it jumps."""
SAME_HOURS_DAYS = 3.0
"""Days of baseline from which on only the same hours of the day are compared."""


class _Habit(TypedDict):
    habit: tuple[float, float] | None
    habit_spread: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class IncidentWindow:
    """What is to be diagnosed: a span, the entities that it concerns, and the episodes it was made from.

    ``explained`` are resources of entities that incidents told before account for.
    """

    id: str
    start: np.datetime64
    end: np.datetime64
    entities: tuple[str, ...]
    episodes: tuple[Episode, ...] = ()
    open: bool = False
    explained: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One metric of one entity in a span.

    Attributes
    ----------
    usual, spread
        Median and spread of the baseline before the span.
    high, low
        Upper and lower quartile within the span.
    trend
        Correlation with time over the hours up to the end, −1 … 1: −1 is a steady fall.
    surge
        Only for metrics that are known by their role.
    apart
        Deviations of high and low from what the other entities of the panel did, in usual spreads.
    habit
        Level that it reaches for as long as ``high`` at these hours on most days, and the same for ``low``: what recurs
        daily is usual. Both are ``usual`` where there are too few days, or the span is most of a day.
    habit_spread
        How far both differ from day to day.
    """

    metric: Metric
    usual: float
    spread: float
    high: float
    low: float
    trend: float
    surge: Surge | None = None
    apart: tuple[float, float] = (0.0, 0.0)
    habit: tuple[float, float] | None = None
    habit_spread: tuple[float, float] = (0.0, 0.0)

    @property
    def rise(self) -> float:
        """Usual spreads that the high lies above what is usual for it; negative where it lies below."""
        return (self.high - self.usual_high) / max(self.spread, self.habit_spread[0])

    @property
    def fall(self) -> float:
        """Usual spreads that the low lies below what is usual for it; negative where it lies above."""
        return (self.usual_low - self.low) / max(self.spread, self.habit_spread[1])

    @property
    def usual_high(self) -> float:
        """What is usual for a high of these hours."""
        return self.usual if self.habit is None else max(self.usual, self.habit[0])

    @property
    def usual_low(self) -> float:
        """What is usual for a low of these hours."""
        return self.usual if self.habit is None else min(self.usual, self.habit[1])


@dataclass(frozen=True)
class Observations:
    """Observations by entity and metric name; what is not there is missing.

    ``silence`` is the share of the span without a metric of an entity, of those that were measured before.
    """

    table: Mapping[tuple[str, str], Observation] = field(default_factory=dict)
    entities: tuple[str, ...] = ()
    silence: Mapping[tuple[str, str], float] = field(default_factory=dict)

    def of(self, entity: str, metric: str) -> Observation | None:
        """One observation, None where it is missing."""
        return self.table.get((entity, metric))

    def by_role(self, entity: str, roles: Sequence[Role]) -> list[Observation]:
        """Observations of an entity's metrics that are known by their role only: no kind of entity carries them."""
        observations = (self.table[entity, name] for name in self.metrics.get(entity, ()))
        return [o for o in observations if o.metric.role in roles and not o.metric.entity_kinds]

    def generic(self, entity: str) -> bool:
        """Whether any of an entity's metrics is known by its role only."""
        return any(not self.table[entity, name].metric.entity_kinds for name in self.metrics.get(entity, ()))

    @cached_property
    def metrics(self) -> Mapping[str, list[str]]:
        """Names of the metrics observed, by entity."""
        names: dict[str, list[str]] = {}
        for entity, metric in self.table:
            names.setdefault(entity, []).append(metric)
        return names


def observe(panels: Sequence[Panel], start: np.datetime64, end: np.datetime64) -> Observations:
    """Observe all series of panels that hold a span and the baseline before it, vectorised over each panel."""
    table: dict[tuple[str, str], Observation] = {}
    surge, silence = surges(panels, start, end), dict[tuple[str, str], float]()
    for panel in panels:
        before, within = panel.between(panel.start, start), panel.between(start, max(end, start + panel.step))
        if not within.values.size or before.values.shape[1] < LEAST_BASELINE:
            continue
        silence |= _silence(before, within)
        near = _same_hours(before, start, end)
        past = before.values[:, near]
        usual, spread, known = _baseline(past, panel.metrics)
        high, low = quantiles(within.values, (UPPER, LOWER))
        covered = _shares(within.values) >= LEAST_COVERAGE
        # A leak that was stopped within the incident climbed before it: both views count.
        trends = _trend(panel, start + (end - start) // 4), _trend(panel, end)
        trend = np.where(np.abs(trends[0]) > np.abs(trends[1]), *trends) * _has_seen_a_day(before)[:, None]
        above, below = _apart(before, past, within, near, (start, end))
        habits = daily_extremes(before, start, end, share=1 - UPPER)
        for row, column in zip(*np.nonzero(known & covered), strict=True):
            metric = panel.metrics[column]
            table[panel.entity_ids[row], metric.name] = Observation(
                metric=metric,
                usual=float(usual[row, column]),
                spread=float(spread[row, column]),
                high=float(high[row, column]),
                low=float(low[row, column]),
                trend=float(trend[row, column]),
                surge=surge.get((panel.entity_ids[row], metric.name)),
                apart=(float(above[row, column]), float(below[row, column])),
                **_habit_of(habits, row, column),
            )
    return Observations(table, tuple(entity for panel in panels for entity in panel.entity_ids), silence)


def _habit_of(habits: DailyExtremes | None, row: int, column: int) -> _Habit:
    """What an observation says of the habits of its metric."""
    if habits is None or not np.isfinite(habits.top[row, column]):
        return {"habit": None, "habit_spread": (0.0, 0.0)}
    return {
        "habit": (float(habits.top[row, column]), float(habits.bottom[row, column])),
        "habit_spread": (float(habits.top_spread[row, column]), float(habits.bottom_spread[row, column])),
    }


def _apart(
    before: Panel, past: Float, within: Panel, near: Marks, span: tuple[np.datetime64, np.datetime64]
) -> tuple[Float, Float]:
    """Deviations of the high and the low from the median of the peers, in usual spreads of that difference.

    ``past`` are the values of the slots before that are compared, ``near [time]``: medians over peers are costly.
    """
    shape = (len(before.entities), len(before.metrics))
    if len(before.entities) < LEAST_PEERS:
        return np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    apart = past - _middle(past)
    usual, spread, known = _baseline(apart, before.metrics)
    high, low = quantiles(within.values - _middle(within.values), (UPPER, LOWER))
    usually = np.full_like(before.values, np.nan)
    usually[:, near] = apart
    habits = daily_extremes(replace(before, values=usually), *span, share=1 - UPPER)
    if habits is None:
        return np.where(known, (high - usual) / spread, 0), np.where(known, (low - usual) / spread, 0)
    rise = (high - np.fmax(usual, habits.top)) / np.fmax(spread, habits.top_spread)
    fall = (low - np.fmin(usual, habits.bottom)) / np.fmax(spread, habits.bottom_spread)
    return np.where(known, rise, 0), np.where(known, fall, 0)


def _middle(values: Float) -> Float:
    """Median over entities of each slot, ``[1, time, metric]``."""
    return quantile(values.swapaxes(0, 1), 0.5)[None]


def _silence(before: Panel, within: Panel) -> dict[tuple[str, str], float]:
    """Share of a span without a metric, of the metrics of an entity that nearly all of the baseline has.

    Metric by metric: a collector that hangs does not silence what others write of the same entity.
    """
    wrote, writes = _shares(before.values), _shares(within.values)
    return {
        (before.entity_ids[row], before.metric_names[column]): float(1 - writes[row, column])
        for row, column in zip(*np.nonzero(wrote >= STEADY_COVERAGE), strict=True)
    }


def _shares(values: Float) -> npt.NDArray[np.float64]:
    """Share of the slots in which each series is measured, ``[entity, metric]``."""
    shares: npt.NDArray[np.float64] = measured_counts(values).astype(np.float64) / values.shape[1]
    return shares


def _same_hours(before: Panel, start: np.datetime64, end: np.datetime64) -> Marks:
    """Slots before a span that it is compared with: where there are days of them, those of the same hours, else all.

    The same hours are those that habits of the day are read from as well.
    """
    slots, hours = before.values.shape[1], np.timedelta64(3_600_000, "ms")
    span_h, around_h = float((end - start) / hours), float(AROUND / hours)
    if slots * before.interval_s / DAY_S < SAME_HOURS_DAYS or span_h >= 12:
        return np.ones(slots, bool)
    hour = second_of_day(before.times) / HOUR_S
    first = float(second_of_day(np.array([start]))[0]) / HOUR_S
    return np.asarray((hour - first + around_h) % 24 <= span_h + 2 * around_h)


def _baseline(past: Float, metrics: Sequence[Metric]) -> tuple[Float, Float, Marks]:
    """Median and spread of a past ``[entity, metric]``, and where enough was measured."""
    known = measured_counts(past) >= LEAST_BASELINE
    low, usual, high = quantiles(past, (0.15, 0.5, 0.85))
    away = past - usual[:, None]
    spread = 1.4826 * quantile(np.abs(away, out=away), 0.5)
    wide = (high - low) / 2.07
    floors = np.array([shipped_catalogue().diagnosis_floor(metric) for metric in metrics], np.float32)
    spread = np.maximum(np.maximum(spread, 0.5 * wide), np.maximum(FLOOR * np.abs(usual), floors))
    return usual, np.maximum(spread, 1e-6), known


def _trend(panel: Panel, end: np.datetime64) -> Float:
    """Correlation with time of hourly means over the hours before ``end``, 0 where there are fewer than six.

    A step correlates with time as well, but does in an hour or two what a ramp does in all of them: it counts as none.
    """
    hours = panel.between(end - np.timedelta64(int(RAMP_HOURS * 3_600_000), "ms"), end)
    factor = whole_slots(HOUR_S, panel.interval_s)
    if hours.values.shape[1] < 6:
        return np.zeros((len(panel.entities), len(panel.metrics)), np.float32)
    values = hours.coarsen(factor).values if factor * 6 <= hours.values.shape[1] else hours.values
    seen = np.isfinite(values)
    time = np.arange(values.shape[1])[None, :, None] * np.ones(values.shape)
    count = np.maximum(seen.sum(axis=1, keepdims=True), 1)
    t = np.where(seen, time - (time * seen).sum(axis=1, keepdims=True) / count, 0)
    v = np.where(seen, values, 0).astype(np.float64)  # squares of large values need the room
    v = np.where(seen, v - v.sum(axis=1, keepdims=True) / count, 0)
    norm = np.sqrt((t**2).sum(axis=1) * (v**2).sum(axis=1))
    correlation = np.where(norm > 1e-9, (t * v).sum(axis=1) / np.maximum(norm, 1e-9), 0)
    return (correlation * _gradual(values)).astype(np.float32)


def _has_seen_a_day(before: Panel) -> Marks:
    """Which entities were measured a day and more ago: of a newer one nobody knows what it does in the course of a day.

    Where the panel begins within a day nobody knows of any, and all count.
    """
    day_ago = before.values.shape[1] - before.slots_per_day
    if day_ago <= 0:
        return np.ones(len(before.entities), bool)
    return np.asarray(np.isfinite(before.values[:, :day_ago]).any(axis=(1, 2)), bool)


def _gradual(values: Float) -> Float:
    """1 where no single slot's change is much of the whole range, 0 where one or two make most of it."""
    low, high = quantiles(values, (0.0, 1.0))
    jumps = np.abs(np.diff(values, axis=1))
    largest = np.max(np.where(np.isfinite(jumps), jumps, 0), axis=1)
    share = np.divide(largest, high - low, out=np.zeros_like(largest), where=(high - low) > 1e-9)
    gradual: Float = np.clip((JUMP[1] - share) / (JUMP[1] - JUMP[0]), 0, 1).astype(np.float32)
    return gradual
