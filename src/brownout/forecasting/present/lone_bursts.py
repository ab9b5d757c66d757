"""Lone bursts: stretches far beyond what a series does at that time of day, which are over and do not return.

They are the one-offs that nobody called an incident: those before the days that a night searches, those of entities
beside the one that was blamed. What returns at the same hour, on the same weekday or on many days is a habit, and what
is still going on is the present: both stay.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from brownout.domain.metrics import Metric, Worse
from brownout.domain.panel import Float, Marks, Panel
from brownout.numerics.order_statistics import median

__all__ = ["without_lone_bursts"]

FAR, NEAR = 8.0, 3.0
"""Robust standard deviations from the usual day that a burst reaches, and that the slots beside it go on with."""
LEAST_DAYS = 4
"""Days of past from which on there is a usual day."""
PART = 0.25
"""Largest share of the past that a burst lasts; a longer one is how the series was for a time."""
OVER_H = 1.0
"""Hours at the end of the past without it, after which a burst is over."""
JITTER_H = 1.0
"""What returns comes within so many hours of the same time of day."""
SAME_HOUR, ANY_HOUR, SHARE = 2, 3, 0.25
"""Other days with the like of it, at that hour or at any, from which on it is a habit; at any hour the share too."""
WEEK = 7


@dataclass(frozen=True, eq=False)
class _Away:
    """How far series ``[row, slot]`` are from their usual day, in robust standard deviations, positive = worse."""

    deviations: Float
    season: int

    @classmethod
    def of(cls, series: Float, season: int) -> Self:
        folded = _folded(series, season)
        usual = median(folded, axis=1)
        away = (folded - usual[:, None]).reshape(len(series), -1)[:, : series.shape[1]]
        spread = 1.4826 * np.nan_to_num(median(np.abs(away)))
        least = 0.01 * np.nan_to_num(median(np.abs(series))) + 1e-6
        return cls(away / np.maximum(spread, least)[:, None], season)

    def lone(self, row: int, over: int, jitter: int) -> Marks:
        """Slots of a row that lone bursts take up."""
        away = np.nan_to_num(self.deviations[row])
        seen = int(np.isfinite(self.deviations[row]).sum())
        marked = np.zeros(len(away), bool)
        for first, last in _stretches(away > NEAR):
            size = float(away[first:last].max())
            ended = np.isfinite(self.deviations[row, last:]).sum() >= over
            if size > FAR and last - first <= PART * seen and ended and not self._returns(away, first, last, jitter):
                marked[first:last] = True
        return marked

    def _returns(self, away: Float, first: int, last: int, jitter: int) -> bool:
        """Whether other days show the like of a burst: half as far at least."""
        own = float(np.median(away[first:last]))
        like = away > max(own / 2, NEAR)
        like[max(first - jitter, 0) : last + jitter] = False
        at = np.flatnonzero(like)
        days = np.unique(at // self.season)
        number = -(-len(away) // self.season)
        # Distance to the burst, less whole days, as far as the time of day is that of the burst.
        apart = np.round((at - (first + last - 1) / 2) / self.season).astype(int)
        inside = (at - apart * self.season >= first - jitter) & (at - apart * self.season < last + jitter)
        same = np.unique(apart[inside & (apart != 0)])
        habit = len(days) >= max(ANY_HOUR, SHARE * number)
        return bool(habit or len(same) >= SAME_HOUR or (same % WEEK == 0).any())


def without_lone_bursts(panel: Panel) -> Panel:
    """The panel without lone bursts; only what lies on the worse side of the usual is one.

    For grids on which bursts take few slots, such as half hours: of each series with one, all stretches are looked at.
    """
    season, step_h = panel.slots_per_day, panel.interval_s / 3600
    if panel.values.shape[1] < LEAST_DAYS * season:
        return panel
    over, jitter = max(round(OVER_H / step_h), 1), max(round(JITTER_H / step_h), 1)
    values = panel.values
    for column, metric in enumerate(panel.metrics):
        side = _side(metric)
        if not side:
            continue
        away = _Away.of(side * panel.values[..., column], season)
        for row in np.flatnonzero((np.nan_to_num(away.deviations) > FAR).any(axis=1)).tolist():
            lone = away.lone(row, over, jitter)
            if lone.any():
                values = values.copy() if values is panel.values else values
                values[row, lone, column] = np.nan
    return panel if values is panel.values else replace(panel, values=values)


def _side(metric: Metric) -> int:
    return {Worse.UP: 1, Worse.DOWN: -1}.get(metric.worse, 0)


def _folded(series: Float, season: int) -> Float:
    """Days ``[row, day, phase]``, the last one filled up with NaN."""
    days = -(-series.shape[1] // season)
    padded = np.full((len(series), days * season), np.nan, np.float32)
    padded[:, : series.shape[1]] = series
    return padded.reshape(len(series), days, season)


def _stretches(marked: Marks) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(marked.astype(np.int8), prepend=0, append=0))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
