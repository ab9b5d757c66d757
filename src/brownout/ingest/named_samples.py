"""A data set whose hosts and guests have one name each, as those of a database have.

The same rules: a host that took its full name, or a guest that kept its UUID under another name, is one entity; an
agent inside a guest is no host. Truth and labels of a data set for evaluation are not touched by them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa

from brownout.domain.entities import Entity, EntityKind, Topology
from brownout.domain.metrics import Metric
from brownout.domain.ports import SampleStore, Span
from brownout.domain.repairs import Repair, Repairs
from brownout.ingest.identity import Identity
from brownout.ingest.other_names import ALSO_CALLED, GuestName
from brownout.numerics.slots import epoch_ms

__all__ = ["NamedSamples"]

KEYS = ("uuid", "vmid")
SEPARATORS = ("/", ":")
"""Between a host's name and that of a part of it."""


@dataclass(frozen=True, eq=False)
class NamedSamples:
    """Samples with other names replaced, and without agents inside guests."""

    samples: SampleStore

    @property
    def name(self) -> str:
        """Name of the data set."""
        return self.samples.name

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All columns."""
        return self.samples.metrics

    @property
    def interval_s(self) -> int | None:
        """Seconds between samples where the data set states one."""
        return self.samples.interval_s

    @cached_property
    def _identity(self) -> Identity:
        identity = Identity()
        spans = self.samples.spans()
        for entity in self.samples.topology:
            if entity.kind == EntityKind.VM:
                identity.named((entity, Entity(id=entity.parent, kind=EntityKind.HOST)))
                key = next((key for key in KEYS if entity.labels.get(key)), "")
                if key and entity.id in spans:
                    named = GuestName(key=(key, entity.labels[key]), name=entity.id, measurement="samples")
                    identity.others.see_guest(named, _times(spans[entity.id]))
            elif entity.kind == EntityKind.HOST:
                at = _times(spans[entity.id]) if entity.id in spans else (0, 0)
                identity.others.see_host(entity.id, "samples" if entity.id in spans else "", at)
        identity.learn()
        return identity

    @cached_property
    def names(self) -> Mapping[str, str]:
        """The entity that each other name stands for."""
        return {e.id: name for e in self.samples.topology if (name := self._name(e.id)) != e.id}

    def _name(self, entity: str) -> str:
        others = self._identity.others.hosts | self._identity.others.guests
        if entity in others:
            return others[entity]
        for other, own in others.items():
            if entity.startswith(other) and entity[len(other) : len(other) + 1] in SEPARATORS:
                return own + entity[len(other) :]
        return entity

    @cached_property
    def inside(self) -> Mapping[str, str]:
        """Guest by the id of each "host" that is an agent inside it, and by the ids of that host's parts."""
        hosts = {
            entity.id: guest
            for entity in self.samples.topology
            if entity.kind == EntityKind.HOST and (guest := self._identity.in_guest((entity,)))
        }
        return {e.id: hosts[name] for e in self.samples.topology for name in (e.id, e.parent) if name in hosts}

    @cached_property
    def topology(self) -> Topology:
        """The entities, each under its one name."""
        also = self._identity.others.also_called()
        table: dict[str, Entity] = {}
        for entity in self.samples.topology:
            if entity.id in self.inside:
                continue
            own = replace(entity, id=self._name(entity.id), parent=self._name(entity.parent))
            if own.id in also and own.kind == EntityKind.HOST:
                own = replace(own, labels={**own.labels, ALSO_CALLED: also[own.id]})
            if own.id not in table or own.id == entity.id:
                table[own.id] = own
        return Topology.of(table.values())

    def spans(self) -> Mapping[str, Span]:
        """When each entity was measured under any name."""
        own_spans: dict[str, Span] = {}
        for name, span in self.samples.spans().items():
            if name not in self.inside:
                own = self._name(name)
                own_spans[own] = _joined(own_spans[own], span) if own in own_spans else span
        return own_spans

    def read(
        self, entities: Sequence[str], *, start: np.datetime64 | None = None, end: np.datetime64 | None = None
    ) -> pa.Table:
        """Samples of some entities, including those stored under their other names."""
        wanted = set(entities)
        known = [*entities, *(other for other, own in self.names.items() if own in wanted)]
        table = self.samples.read(tuple(known), start=start, end=end)
        if not self.names:
            return table
        named = [self.names.get(name, name) for name in table["entity"].cast(pa.string()).to_pylist()]
        column = table.column_names.index("entity")
        return table.set_column(column, "entity", pa.array(named, pa.string()).dictionary_encode())

    def repairs(self, start: np.datetime64, end: np.datetime64) -> Repairs:
        """Counts of names replaced and samples left out, from start until before end."""
        counts: dict[tuple[Repair, str], int] = {}
        spans = self.samples.spans()
        for name in (name for name in (*self.names, *self.inside) if name in spans):
            kind = (Repair.IN_GUEST, self.inside[name]) if name in self.inside else (Repair.OTHER_NAME, name)
            counts[kind] = counts.get(kind, 0) + self.samples.read((name,), start=start, end=end).num_rows
        return Repairs({key: number for key, number in counts.items() if number})


def _times(span: Span) -> tuple[int, int]:
    return epoch_ms(span.first), epoch_ms(span.last)


def _joined(one: Span, other: Span) -> Span:
    return Span(
        first=min(one.first, other.first),
        last=max(one.last, other.last),
        interval_s=one.interval_s if one.rows >= other.rows else other.interval_s,
        rows=one.rows + other.rows,
        stray=one.stray + other.stray,
    )
