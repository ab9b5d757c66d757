"""What a low-rank model of an entity's metrics over the last hours leaves: relations between metrics that broke.

A slot is described by the means of every metric over the last minutes, the quarter, the hour and three hours. The main
components of such descriptions are learned from earlier ones, again as history grows; what they cannot rebuild is the
residual: each metric may be within its own range, and yet not where the others say that it should be.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from brownout.domain.panel import DAY_S, Doubles, Float, Index, Marks, Panel
from brownout.numerics.slots import whole_slots

__all__ = ["LEAST_METRICS", "KeptResiduals", "low_rank_residuals"]

LEAST_METRICS = 3
"""Metrics from which on relations between them can be learned; below, nothing is left over."""
SPANS_S = ((0, 300), (300, 900), (900, 3600), (3600, 10_800))
"""Seconds before the end of a slot that means are taken over, from and to."""
SPANS_SLOTS = ((0, 1), (1, 3), (3, 12), (12, 36))
"""The same in slots where slots are wider than this allows."""
KEPT = 0.9
"""Share of the variance that the components keep."""
GROWTH = 1.25
"""Components are learned anew each time that history has grown by this factor."""
FIRST_S = 2 * DAY_S
"""History that components are first learned from."""
ROWS = 1000
"""Most slots that they are learned from, evenly over the history, an odd number of slots apart."""
FLOOR = 0.02
"""Least spread of a mean as a share of its level."""
CAP = 10.0


@dataclass(frozen=True, eq=False)
class _Means:
    """Means over the spans before any slot: running sums ``[1 + time, metric]``, and the spans in slots.

    ``begin`` is the slot of the first value of each metric, ``last`` the value that a gap at the end is filled with;
    ``offset`` is how many slots are left out at the start.
    """

    sums: Doubles
    begin: Index
    spans: tuple[tuple[int, int], ...]
    last: Float
    offset: int = 0

    @classmethod
    def of(cls, values: Float, interval_s: int) -> Self:
        """A gap holds the last value, or the first one where there is none before."""
        seen = np.isfinite(values)
        begin = np.where(seen.any(axis=0), seen.argmax(axis=0), len(values))
        filled = values if seen.all() else _without_gaps(values, seen, begin)
        spans = tuple(
            (max(int(near // interval_s), least), max(int(far // interval_s), most))
            for (near, far), (least, most) in zip(SPANS_S, SPANS_SLOTS, strict=True)
        )
        zero = np.zeros((1, values.shape[1]))
        return cls(np.concatenate([zero, np.cumsum(filled, axis=0, dtype=np.float64)]), begin, spans, filled[-1])

    @property
    def slots(self) -> int:
        """How many slots there are, those left out included."""
        return self.offset + len(self.sums) - 1

    def extended(self, values: Float) -> Self:
        """With the values ``[time, metric]`` that follow, and without what no span of a later slot reaches."""
        filled = _without_gaps(np.concatenate([self.last[None], values]), *_seen_after(values))
        first = max(len(self.sums) - 1 - max(far for _, far in self.spans), 0)
        later = np.cumsum(np.concatenate([self.sums[-1:], filled[1:]], dtype=np.float64), axis=0)
        sums = np.concatenate([self.sums[first:-1], later])
        return type(self)(sums, self.begin, self.spans, filled[-1], self.offset + first)

    def at(self, slots: Index, metrics: Marks) -> Doubles:
        """Descriptions ``[slot, span and metric]`` of some metrics."""
        sums, count = self.sums if metrics.all() else self.sums[:, metrics], int(metrics.sum())
        means = np.empty((len(slots), len(self.spans) * count))
        for number, (near, far) in enumerate(self.spans):
            last = np.maximum(slots - near + 1, 1)
            first = np.clip(slots - far + 1, 0, last - 1)
            part = means[:, number * count : (number + 1) * count]
            np.subtract(sums[_run(last - self.offset)], sums[_run(first - self.offset)], out=part)
            part /= (last - first)[:, None]
        return means


def _run(slots: Index) -> Index | slice:
    """Slots that follow each other as a slice, which copies nothing; others as they are."""
    if len(slots) and np.all(np.diff(slots) == 1):
        return slice(int(slots[0]), int(slots[-1]) + 1)
    return slots


def _without_gaps(values: Float, seen: Marks, begin: Index) -> Float:
    known = np.where(seen, np.arange(len(values))[:, None], np.minimum(begin, len(values) - 1))
    filled: Float = np.nan_to_num(np.take_along_axis(values, np.maximum.accumulate(known, axis=0), axis=0))
    return filled


def _seen_after(values: Float) -> tuple[Marks, Index]:
    """Marks of values that follow a first row in which everything is known, and the slot of each first value."""
    seen = np.isfinite(values)
    known = np.concatenate([np.ones((1, values.shape[1]), bool), seen])
    return known, np.zeros(values.shape[1], np.int64)


def low_rank_residuals(panel: Panel, start: int = 0) -> Float:
    """Logarithm of the mean square of what is left, in spreads, ``[entity, time]`` from ``start`` on; 0 = unknown.

    A slot is compared with earlier ones only.
    """
    slots = panel.values.shape[1]
    result = np.zeros((len(panel.entities), slots - start), np.float32)
    stages = [stage for stage in _stages(whole_slots(FIRST_S, panel.interval_s, least=36), slots) if stage[1] > start]
    for row, values in enumerate(panel.values if stages else ()):
        means = _Means.of(values, panel.interval_s)
        for first, last in stages:
            model = _Components.of(means, first)
            if model is not None:
                here = np.arange(max(first, start), last)
                result[row, here - start] = np.log1p(model.residuals(means.at(here, model.metrics)))
    return result


@dataclass(slots=True, eq=False)
class KeptResiduals:
    """Residuals of the slots that follow a history, of which the components and the last means are kept.

    ``until`` is the slot from which on other components hold.
    """

    means: list[_Means]
    components: list["_Components | None"]
    until: int

    @classmethod
    def of(cls, panel: Panel, slot: int) -> Self:
        """Of what a panel holds before a slot, at least one."""
        learned = whole_slots(FIRST_S, panel.interval_s, least=36)
        first, until = next(((a, b) for a, b in _stages(learned, 2 * slot + 2) if a <= slot < b), (0, learned))
        means = [_Means.of(values[:slot], panel.interval_s) for values in panel.values]
        components = [_Components.of(one, first) if first else None for one in means]
        return cls([one.extended(panel.values[0, :0]) for one in means], components, until)

    def residuals(self, values: Float) -> Float:
        """Those of ``low_rank_residuals`` for the slots that follow, ``values [entity, time, metric]``; kept then."""
        result = np.zeros(values.shape[:2], np.float32)
        for row, model in enumerate(self.components):
            before = self.means[row].slots
            self.means[row] = means = self.means[row].extended(values[row])
            if model is not None:
                here = means.at(np.arange(before, means.slots), model.metrics)
                result[row] = np.log1p(model.residuals(here))
        return result


def _stages(first: int, slots: int) -> list[tuple[int, int]]:
    """Slots from which on, and until which, components that were learned from all before hold."""
    stages = []
    while first < slots:
        last = min(int(first * GROWTH) + 1, slots)
        stages.append((first, last))
        first = last
    return stages


@dataclass(frozen=True, slots=True, eq=False)
class _Components:
    """The main components of descriptions of some ``metrics``, with the middle and the spread of each mean."""

    metrics: Marks
    middle: Doubles
    spread: Doubles
    kept: Doubles

    @classmethod
    def of(cls, means: _Means, first: int) -> Self | None:
        """Learned from the slots before ``first``; None where too few metrics were measured."""
        metrics = means.begin < first
        if metrics.sum() < LEAST_METRICS:
            return None
        past = means.at(np.arange(0, first, -(-first // ROWS) | 1), metrics)
        middle = past.mean(axis=0)
        spread = np.maximum(past.std(axis=0), FLOOR * np.abs(middle) + 1e-6)
        usual = np.clip((past - middle) / spread, -CAP, CAP)
        power, components = np.linalg.eigh(usual.T @ usual / len(usual))
        explained = np.cumsum(power[::-1]) / max(power.sum(), 1e-12)
        return cls(metrics, middle, spread, components[:, ::-1][:, : int(np.searchsorted(explained, KEPT)) + 1])

    def residuals(self, here: Doubles) -> Doubles:
        """Mean squares of what the components do not rebuild of descriptions."""
        now = here - self.middle
        now /= self.spread
        np.clip(now, -CAP, CAP, out=now)
        now -= (now @ self.kept) @ self.kept.T
        left: Doubles = np.square(now, out=now).mean(axis=1)
        return left
