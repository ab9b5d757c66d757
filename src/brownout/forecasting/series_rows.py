"""Rows of a forecast: which series are forecast from which origin, and in which order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from brownout.domain.forecasts import Forecasts, Series
from brownout.domain.panel import Float, Panel
from brownout.numerics.arrays import Index

__all__ = ["Rows", "clip_to_bounds", "rows_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A row for every origin and every series that was measured by then.

    ``origins``, ``entities`` and ``metrics`` are indices ``[row]`` into the panel.
    """

    panel: Panel
    origins: Index
    entities: Index
    metrics: Index

    def __len__(self) -> int:
        return len(self.origins)

    def forecasts(self, values: Float, maker: str) -> Forecasts:
        """Quantile paths ``[row, step, quantile]`` with the names of their series."""
        names = [[Series(e, m) for m in self.panel.metric_names] for e in self.panel.entity_ids]
        series = tuple(names[e][m] for e, m in zip(self.entities.tolist(), self.metrics.tolist(), strict=True))
        times = self.panel.start + self.origins * self.panel.step
        return Forecasts(series, times, self.panel.interval_s, values, (maker,) * len(series))


def rows_of(panel: Panel, origins: Sequence[int]) -> Rows:
    """Rows in the order origin, entity, metric; origins are slots of the panel."""
    slots = panel.values.shape[1]
    present = np.isfinite(panel.values)
    first = np.where(present.any(axis=1), present.argmax(axis=1), slots)
    starts = np.asarray(origins, np.int64)
    chosen, entities, metrics = np.nonzero(first[None] <= starts[:, None, None])
    return Rows(panel, starts[chosen], entities.astype(np.int64), metrics.astype(np.int64))


def clip_to_bounds(values: Float, rows: Rows) -> Float:
    """Quantile paths ``[row, step, quantile]`` within the valid range of their metric."""
    bounds = np.array([(m.lower, m.upper) for m in rows.panel.metrics], np.float32).reshape(-1, 2)[rows.metrics]
    clipped: Float = np.clip(values, bounds[:, 0, None, None], bounds[:, 1, None, None])
    return clipped
