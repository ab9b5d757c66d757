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

__all__ = ["LEAST_METRICS", "low_rank_residuals"]

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

    ``begin`` is the slot of the first value of each metric.
    """

    sums: Doubles
    begin: Index
    spans: tuple[tuple[int, int], ...]

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
        return cls(np.concatenate([zero, np.cumsum(filled, axis=0, dtype=np.float64)]), begin, spans)

    def at(self, slots: Index, metrics: Marks) -> Doubles:
        """Descriptions ``[slot, span and metric]`` of some metrics."""
        sums, parts = self.sums[:, metrics], []
        for near, far in self.spans:
            last = np.maximum(slots - near + 1, 1)
            first = np.clip(slots - far + 1, 0, last - 1)
            parts.append((sums[last] - sums[first]) / (last - first)[:, None])
        return np.concatenate(parts, axis=1)


def _without_gaps(values: Float, seen: Marks, begin: Index) -> Float:
    known = np.where(seen, np.arange(len(values))[:, None], np.minimum(begin, len(values) - 1))
    filled: Float = np.nan_to_num(np.take_along_axis(values, np.maximum.accumulate(known, axis=0), axis=0))
    return filled


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
            metrics = means.begin < first
            if metrics.sum() >= LEAST_METRICS:
                here = np.arange(max(first, start), last)
                past = means.at(np.arange(0, first, -(-first // ROWS) | 1), metrics)
                result[row, here - start] = np.log1p(_residuals(past, means.at(here, metrics)))
    return result


def _stages(first: int, slots: int) -> list[tuple[int, int]]:
    """Slots from which on, and until which, components that were learned from all before hold."""
    stages = []
    while first < slots:
        last = min(int(first * GROWTH) + 1, slots)
        stages.append((first, last))
        first = last
    return stages


def _residuals(past: Doubles, here: Doubles) -> Doubles:
    """Mean squares of what the main components of the past do not rebuild."""
    middle = past.mean(axis=0)
    spread = np.maximum(past.std(axis=0), FLOOR * np.abs(middle) + 1e-6)
    usual = np.clip((past - middle) / spread, -CAP, CAP)
    power, components = np.linalg.eigh(usual.T @ usual / len(usual))
    explained = np.cumsum(power[::-1]) / max(power.sum(), 1e-12)
    kept = components[:, ::-1][:, : int(np.searchsorted(explained, KEPT)) + 1]
    now = np.clip((here - middle) / spread, -CAP, CAP)
    left: Doubles = ((now - (now @ kept) @ kept.T) ** 2).mean(axis=1)
    return left
