"""Sources that each host writes, since when one is silent, and those that only other hosts write."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from brownout.domain.entities import EntityKind
from brownout.ingest.canonical import Canonicaliser
from brownout.ingest.mapping import MeasurementSource
from brownout.ingest.raw import MeasurementSchema, Request
from brownout.numerics.slots import epoch_ms

__all__ = ["HostSources"]

LOOK_BACK = np.timedelta64(6 * 3_600_000, "ms")
"""A host that wrote nothing for longer is no part of the fleet that is shown."""
STEP_S = 600
"""Silence is told to ten minutes."""
OF_GUESTS = (EntityKind.VM, EntityKind.LINK, EntityKind.CONSOLE)
"""A host without guests need not be told of by these."""

Schemas = Mapping[str, MeasurementSchema]


@dataclass(frozen=True, eq=False)
class HostSources:
    """Newest samples (ms) by host and place of the source in ``sources``."""

    sources: Sequence[MeasurementSource]
    newest: Mapping[str, Mapping[int, int]]

    @classmethod
    def read(
        cls, reader: Canonicaliser, schemas: Schemas, now: np.datetime64, names: Mapping[str, str]
    ) -> "HostSources":
        """The last hours, a mean for each ten minutes and series; a host is called as ``names`` say."""
        sources = reader.mapping.sources
        newest: dict[str, dict[int, int]] = {}
        for index, field in _first_fields(sources, schemas).items():
            source = sources[index]
            request = Request(
                measurement=source.measurement,
                fields=(field,),
                start=now - LOOK_BACK,
                end=now,
                where=source.where,
                every_s=STEP_S,
            )
            raw = reader.database.read(request)
            last = np.zeros(len(raw.tags), np.int64)
            np.maximum.at(last, raw.series, raw.times)
            for tags, time in zip(raw.tags, last.tolist(), strict=True):
                host = _host(source, tags)
                own = newest.setdefault(names.get(host, host), {}) if host else {}
                own[index] = max(own.get(index, 0), time)
        return cls(sources, newest)

    def inputs(self, host: str) -> dict[str, int]:
        """Newest sample of each input at a host."""
        newest: dict[str, int] = {}
        for index, time in self.newest.get(host, {}).items():
            name = self.sources[index].input
            newest[name] = max(newest.get(name, 0), time)
        return newest

    def written(self, host: str) -> tuple[MeasurementSource, ...]:
        """Sources that a host writes, with those beside them in the same measurement of the same input."""
        own = {(self.sources[index].measurement, self.sources[index].input) for index in self.newest.get(host, {})}
        return tuple(source for source in self.sources if (source.measurement, source.input) in own)

    def silent(self, host: str, now: np.datetime64, patience_s: int) -> dict[str, int]:
        """Minutes since an input of a host fell silent."""
        minutes = {name: (epoch_ms(now) - time) // 60_000 for name, time in self.inputs(host).items()}
        return {name: since for name, since in sorted(minutes.items()) if since * 60 > patience_s + STEP_S}

    @property
    def hosts(self) -> frozenset[str]:
        """Hosts that write about themselves or their guests: what is only pinged is none."""
        kinds = {host: {self.sources[index].entity[0].kind for index in own} for host, own in self.newest.items()}
        return frozenset(host for host, own_kinds in kinds.items() if own_kinds - {EntityKind.LINK, EntityKind.CONSOLE})

    def missing(self, host: str, *, has_guests: bool) -> tuple[str, ...]:
        """Inputs that other hosts have and this one has not."""
        own = self.inputs(host)
        others = {self.sources[index].input: index for other in self.hosts for index in self.newest[other]}
        return tuple(
            name
            for name, index in sorted(others.items())
            if name not in own and (has_guests or self.sources[index].entity[0].kind not in OF_GUESTS)
        )


def _first_fields(sources: Sequence[MeasurementSource], schemas: Schemas) -> dict[int, str]:
    """The first available field of each source, by the index of the source; equal requests appear once."""
    fields: dict[int, str] = {}
    keys = set()
    for index, source in enumerate(sources):
        there = [n for n in source.needs if n in schemas[source.measurement].fields] if source.in_use(schemas) else []
        key = (source.measurement, source.input, source.entity, *there[:1])
        if there and key not in keys:
            keys.add(key)
            fields[index] = there[0]
    return fields


def _host(source: MeasurementSource, tags: Mapping[str, str]) -> str:
    """The host that a series is about; "" where it names none."""
    captured = {**tags, **{tag: rule.value(tags) for tag, rule in source.capture.items()}}
    chain = source.entities(captured) if source.takes(captured) else ()
    return chain[-1].id if chain and chain[-1].kind == EntityKind.HOST else ""
