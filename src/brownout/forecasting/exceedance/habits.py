"""Habits: how often a series crossed its own limit lately, drawn towards how often the series of its metric do.

A build server that is at its limit each working day will be tomorrow, whatever is said of guests in general, and will
not be at the weekend. How much a series' own past says of it is learned for each metric, from past days alone; where it
says nothing, the share of all series holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from brownout.domain.panel import Float, Index, Marks, Panel
from brownout.numerics.arrays import Doubles
from brownout.numerics.slots import is_weekend

__all__ = ["LEAST", "Habit", "Windows", "learn_trust", "without_gaps_of"]

PARTS = 12
"""Origins a horizon that windows are counted from."""
MEMORY_DAYS = 14
"""Days of a series' own past that count."""
TRUSTS = (0.0, 0.1, 0.3, 1.0, 3.0)
"""Weights of an own window to choose from; that of what is known of the metric is 1."""
GAIN = 0.02
"""Least share of the loss that the own past of series takes away, for it to count."""
OTHER_DAYS = 0.05
"""Weight of an own window of working days where one of a weekend is asked for, and the other way round."""
LEAST = 0.1, 10.0
"""Crossings and windows that the share of a metric starts from: one in a hundred."""


@dataclass(frozen=True, slots=True)
class Habit:
    """How chances of a metric are told: a ``share`` is the forecast's, the rest what is known without a forecast.

    That is ``rate``, the share of windows in which series of the metric cross the limit, and the windows of the series
    itself, each of which counts ``trust`` times as much.
    """

    share: float
    rate: float
    trust: float = 0.0

    def known(self, crossed: Doubles | float, windows: Doubles | float) -> Doubles:
        """Chance of series that crossed their limit in so many of so many windows of their own, without a forecast."""
        chance: Doubles = np.asarray((self.trust * crossed + self.rate) / (self.trust * windows + 1), np.float64)
        return chance


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of a panel: the ``horizon`` slots after every so-many-th one that was measured and not beyond its limit.

    Attributes
    ----------
    crossed, counted
        Sums ``[weekend, entity, origin + 1, metric]`` of the windows of all earlier origins: of those with a crossing,
        and all; first of those of working days.
    weekend
        Whether most of the window after a slot lies in a weekend: ``[slot]``.
    step, horizon
        Slots from one origin to the next, and of a window.
    memory
        Origins that are looked back.
    """

    crossed: Float
    counted: Float
    weekend: Marks
    step: int
    horizon: int
    memory: int

    @classmethod
    def of(cls, panel: Panel, horizon: int) -> Self:
        """Count the windows of a panel; metrics without a limit have none."""
        slots, step = panel.values.shape[1], max(horizon // PARTS, 1)
        origins = np.arange(0, max(slots - horizon, 0), step)
        weekend = is_weekend(panel.start + panel.step * np.arange(1, slots + horizon))
        mostly = 2 * _number_after(weekend[None], np.arange(-1, slots - 1), horizon)[0] >= horizon
        own_days = np.stack([~mostly[origins], mostly[origins]])[:, None]
        crossed = np.zeros((2, len(panel.entities), len(origins) + 1, len(panel.metrics)), np.float32)
        counted = np.zeros_like(crossed)
        for column, metric in enumerate(panel.metrics):
            if not metric.is_limited:
                continue
            values = panel.values[..., column]
            beyond, measured = metric.exceeds(values), np.isfinite(values)
            happened, known = (_any_after(marks, origins, horizon) for marks in (beyond, measured))
            asked = measured[:, origins] & ~beyond[:, origins] & known
            crossed[:, :, 1:, column] = np.cumsum(own_days & happened & asked, axis=2)
            counted[:, :, 1:, column] = np.cumsum(own_days & asked, axis=2)
        return cls(crossed, counted, mostly, step, horizon, max(MEMORY_DAYS * panel.slots_per_day // step, 1))

    @property
    def weight(self) -> float:
        """Independent windows that one counts for, as they overlap."""
        return min(self.step / self.horizon, 1.0)

    def alike(self, slots: Index) -> Doubles:
        """Weight of the windows of working days, and of weekends, for those after some slots: ``[2, slot]``."""
        return np.where(self.weekend[slots] == np.array([[False], [True]]), 1.0, OTHER_DAYS)

    def until(self, slots: Index, entities: Index, metrics: Index, *, any_day: bool = False) -> tuple[Doubles, Doubles]:
        """Independent windows with a crossing, and all, of series over the days up to a slot each: both ``[row]``.

        Those of other days count ``OTHER_DAYS``, or as much as any where it is ``any_day``.
        """
        last = np.clip((slots - self.horizon) // self.step + 1, 0, self.crossed.shape[2] - 1)
        first = np.maximum(last - self.memory, 0)
        weights = self.weight * (np.ones((2, 1)) if any_day else self.alike(slots))
        crossed, counted = (
            (weights * (sums[:, entities, last, metrics] - sums[:, entities, first, metrics])).sum(axis=0)
            for sums in (self.crossed, self.counted)
        )
        return crossed, counted


def without_gaps_of(panel: Panel, usual: Panel) -> Panel:
    """A panel without what is a gap in its usual form: one-offs are no habit."""
    if panel is usual:
        return panel
    return replace(panel, values=np.where(np.isfinite(usual.values), panel.values, np.float32(np.nan)))


def learn_trust(windows: Sequence[tuple[Panel, Windows]]) -> Mapping[str, float]:
    """Weight of a series' own windows by metric: the one that foretells later windows best, by Brier score.

    0 where it is not better by ``GAIN`` than the share of all series.
    """
    losses: dict[str, Doubles] = {}
    for panel, counts in windows:
        lag = -(-counts.horizon // counts.step)
        for column, metric in enumerate(panel.metrics):
            loss = _losses(counts, column, lag)
            if metric.is_limited and loss is not None:
                losses[metric.name] = losses.get(metric.name, np.zeros(len(TRUSTS))) + loss
    return {
        name: TRUSTS[int(loss.argmin())] if loss.min() < (1 - GAIN) * loss[0] else 0.0 for name, loss in losses.items()
    }


def _losses(counts: Windows, column: int, lag: int) -> Doubles | None:
    """Squared errors of what the windows that were over by each origin say of the one that begins there."""
    crossed, counted = (np.asarray(part[..., column], np.float64) for part in (counts.crossed, counts.counted))
    origins = crossed.shape[2] - 1
    if origins <= 2 * lag:
        return None
    later = np.arange(2 * lag, origins)
    over = later - lag + 1
    first = np.maximum(over - counts.memory, 0)
    known = [counts.weight * (part[..., over] - part[..., first]) for part in (crossed, counted)]
    own, every = ((counts.alike(later * counts.step)[:, None] * part).sum(axis=0) for part in known)
    asked: Marks = np.any(counted[..., later + 1] > counted[..., later], axis=0)
    happened = (crossed[..., later + 1] - crossed[..., later]).sum(axis=0)
    if not happened.any():
        return None
    hit, windows = (part.sum(axis=(0, 1)) for part in known)
    rate = (hit + LEAST[0]) / (windows + LEAST[1])
    chances = [(trust * own + rate) / (trust * every + 1) for trust in TRUSTS]
    return np.array([float(((chance - happened)[asked] ** 2).sum()) for chance in chances])


def _any_after(marks: Marks, origins: Index, horizon: int) -> Marks:
    """Whether any of the ``horizon`` slots after each origin is marked: ``[series, origin]``."""
    marked: Marks = _number_after(marks, origins, horizon) > 0
    return marked


def _number_after(marks: Marks, origins: Index, horizon: int) -> Index:
    """How many of the ``horizon`` slots after each origin are marked: ``[series, origin]``."""
    counted = np.cumsum(np.pad(marks, ((0, 0), (1, 0))), axis=1)
    number: Index = counted[:, origins + 1 + horizon] - counted[:, origins + 1]
    return number
