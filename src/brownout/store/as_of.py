"""A store as it was at a time: blind to everything that was measured later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa

from brownout.domain.entities import Topology
from brownout.domain.metrics import Metric
from brownout.domain.ports import SampleStore, Span
from brownout.ingest.spans import spans_of

__all__ = ["StoreAsOf"]

ENTITIES_AT_ONCE = 256
RECENT = tuple(np.timedelta64(hours, "h").astype("timedelta64[ms]") for hours in (1, 24, 24 * 7, 24 * 60))
"""How far back the last sample before the time is looked for, nearest first; what lies further back is not."""
ONE_MS = np.timedelta64(1, "ms")


@dataclass(frozen=True)
class StoreAsOf:
    """Everything that a store had measured before ``time``.

    Entities are where they were then, with where they had been before; one that was first measured later is not there
    at all.
    """

    store: SampleStore
    time: np.datetime64

    @property
    def name(self) -> str:
        """Name of the store."""
        return self.store.name

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All metrics of the store."""
        return self.store.metrics

    @property
    def interval_s(self) -> int | None:
        """Seconds between samples where the store states one."""
        return self.store.interval_s

    @cached_property
    def topology(self) -> Topology:
        """Entities that had been measured, or that contain one that had, where they were at the time and before."""
        then = self.store.topology.as_of(self.time)
        spans = self._spans
        later = {name for name in self.store.spans() if name not in spans}
        return Topology.of(entity for entity in then if entity.id not in later)

    def spans(self) -> Mapping[str, Span]:
        """When each entity had been measured."""
        return self._spans

    @cached_property
    def _spans(self) -> Mapping[str, Span]:
        known = {name: span for name, span in self.store.spans().items() if span.first < self.time}
        last = self._last([name for name, span in known.items() if span.last >= self.time])
        return {name: replace(span, last=min(span.last, last.get(name, span.last))) for name, span in known.items()}

    def _last(self, entities: Sequence[str]) -> dict[str, np.datetime64]:
        """Time of the last sample before the time, of entities that were measured later too."""
        last: dict[str, np.datetime64] = {}
        for width in RECENT:
            missing = [name for name in entities if name not in last]
            for first in range(0, len(missing), ENTITIES_AT_ONCE):
                table = self.store.read(
                    missing[first : first + ENTITIES_AT_ONCE], start=self.time - width, end=self.time
                ).select(["time", "entity"])
                last |= {name: span.last for name, span in spans_of(table, self.interval_s or 60).items()}
        return {name: last.get(name, self.time - RECENT[-1]) for name in entities}

    def read(
        self, entities: Sequence[str], *, start: np.datetime64 | None = None, end: np.datetime64 | None = None
    ) -> pa.Table:
        """Read as the store does, but nothing from the time on."""
        return self.store.read(entities, start=start, end=self.time if end is None else min(end, self.time))
