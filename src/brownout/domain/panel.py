"""The panel: measurements of many entities on one regular time axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from brownout.domain.encoding import as_time
from brownout.domain.entities import Entity
from brownout.domain.errors import DataError
from brownout.domain.metrics import Metric

__all__ = ["DAY_S", "Doubles", "Float", "Index", "Marks", "Panel", "Times", "as_time", "slots_per_day"]

Float = npt.NDArray[np.float32]
"""Measurements, and what is computed of them, in single precision."""
Doubles = npt.NDArray[np.float64]
"""Values in double precision: probabilities, and sums of many values."""
Index = npt.NDArray[np.int64]
"""Positions in an array, counts, or milliseconds since the epoch."""
Marks = npt.NDArray[np.bool_]
"""True where something holds."""
Times = npt.NDArray[np.datetime64]
"""UTC times."""
DAY_S = 86_400
"""Seconds of a day."""


def slots_per_day(interval_s: int) -> int:
    """Number of slots of a day, at least one; the nearest one where the interval does not divide a day."""
    return max(round(DAY_S / interval_s), 1)


@dataclass(frozen=True, eq=False)
class Panel:
    """A dense block of measurements.

    Attributes
    ----------
    values
        float32 ``[entity, time, metric]``; NaN = not measured.
    start
        UTC time of the first slot, ``datetime64[ms]``, a multiple of the interval since the epoch. A slot holds what
        was measured from its time until just before the next.
    interval_s
        Width of a slot in seconds.
    """

    values: Float
    start: np.datetime64
    interval_s: int
    entities: tuple[Entity, ...]
    metrics: tuple[Metric, ...]

    def __post_init__(self) -> None:
        expected = (len(self.entities), self.values.shape[1], len(self.metrics)) if self.values.ndim == 3 else ()
        if self.values.shape != expected or self.values.dtype != np.float32:
            msg = (
                f"A panel of {len(self.entities)} entities and {len(self.metrics)} metrics cannot hold values of shape "
                f"{self.values.shape} and type {self.values.dtype}."
            )
            raise DataError(msg, remedy="Give float32 values of shape [entity, time, metric].")
        if self.interval_s <= 0:
            raise DataError(f"The interval {self.interval_s} s is not positive.", remedy="Give whole seconds above 0.")

    @property
    def step(self) -> np.timedelta64:
        """Width of a slot."""
        return np.timedelta64(self.interval_s * 1000, "ms")

    @property
    def slots_per_day(self) -> int:
        """Number of slots of a day, at least one."""
        return slots_per_day(self.interval_s)

    @property
    def times(self) -> Times:
        """Slot times, ``datetime64[ms]`` of shape ``[time]``."""
        return self.start + np.arange(self.values.shape[1]) * self.step

    @property
    def end(self) -> np.datetime64:
        """Time just after the last slot."""
        end: np.datetime64 = self.start + self.values.shape[1] * self.step
        return end

    @cached_property
    def entity_ids(self) -> tuple[str, ...]:
        """Ids in the order of the first axis."""
        return tuple(entity.id for entity in self.entities)

    @cached_property
    def metric_names(self) -> tuple[str, ...]:
        """Names in the order of the last axis."""
        return tuple(metric.name for metric in self.metrics)

    def slot(self, time: np.datetime64) -> int:
        """Index of the slot that holds a time; may lie outside the panel."""
        return int((time - self.start) // self.step)

    def between(self, start: np.datetime64, end: np.datetime64) -> Self:
        """The part from start to end (exclusive), clipped to what there is; values are a view."""
        first = min(max(self.slot(start + self.step - np.timedelta64(1, "ms")), 0), self.values.shape[1])
        last = min(max(self.slot(end + self.step - np.timedelta64(1, "ms")), first), self.values.shape[1])
        return type(self)(
            self.values[:, first:last],
            self.start + first * self.step,
            self.interval_s,
            self.entities,
            self.metrics,
        )

    def select(self, *, entities: Sequence[int] | None = None, metrics: Sequence[int] | None = None) -> Self:
        """The part with the entities and metrics of the given indices, in the given order."""
        rows = range(len(self.entities)) if entities is None else entities
        columns = range(len(self.metrics)) if metrics is None else metrics
        values = self.values if entities is None else self.values[list(rows)]
        values = values if metrics is None else values[:, :, list(columns)]
        return type(self)(
            values,
            self.start,
            self.interval_s,
            tuple(self.entities[i] for i in rows),
            tuple(self.metrics[i] for i in columns),
        )

    def measured(self) -> Self:
        """The panel without the metrics that none of its entities has ever measured."""
        present = np.isfinite(self.values).any(axis=(0, 1))
        return self if present.all() else self.select(metrics=np.flatnonzero(present).tolist())

    def coarsen(self, factor: int) -> Self:
        """Means over ``factor`` slots, aligned to multiples of the wider interval; a slot without samples stays NaN."""
        if factor == 1:
            return self
        wide = self.interval_s * factor
        offset = int(self.start.astype("datetime64[s]").astype(np.int64) % wide) // self.interval_s
        entities, times, metrics = self.values.shape
        slots = -(-(offset + times) // factor)
        padded = np.full((entities, slots * factor, metrics), np.nan, np.float32)
        padded[:, offset : offset + times] = self.values
        blocks = padded.reshape(entities, slots, factor, metrics)
        present = np.isfinite(blocks)
        count = present.sum(axis=2)
        total = np.where(present, blocks, 0).sum(axis=2, dtype=np.float64)
        means = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0).astype(np.float32)
        return type(self)(means, self.start - offset * self.step, wide, self.entities, self.metrics)
