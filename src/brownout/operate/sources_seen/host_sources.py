"""Which sources each host writes, since when one is silent, and which others have that it has not."""

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
        for place, field in _first_fields(sources, schemas).items():
            source = sources[place]
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
                own[place] = max(own.get(place, 0), time)
        return cls(sources, newest)

    def inputs(self, host: str) -> dict[str, int]:
        """Newest sample of each input at a host."""
        found: dict[str, int] = {}
        for place, time in self.newest.get(host, {}).items():
            name = self.sources[place].input
            found[name] = max(found.get(name, 0), time)
        return found

    def written(self, host: str) -> tuple[MeasurementSource, ...]:
        """Sources that a host writes, with those beside them in the same measurement of the same input."""
        own = {(self.sources[place].measurement, self.sources[place].input) for place in self.newest.get(host, {})}
        return tuple(source for source in self.sources if (source.measurement, source.input) in own)

    def silent(self, host: str, now: np.datetime64, patience_s: int) -> dict[str, int]:
        """Minutes since an input of a host fell silent."""
        minutes = {name: (epoch_ms(now) - time) // 60_000 for name, time in self.inputs(host).items()}
        return {name: since for name, since in sorted(minutes.items()) if since * 60 > patience_s + STEP_S}

    @property
    def hosts(self) -> frozenset[str]:
        """Hosts that write about themselves or their guests: what is only pinged is none."""
        kinds = {host: {self.sources[place].entity[0].kind for place in own} for host, own in self.newest.items()}
        return frozenset(host for host, found in kinds.items() if found - {EntityKind.LINK, EntityKind.CONSOLE})

    def missing(self, host: str, *, has_guests: bool) -> tuple[str, ...]:
        """Inputs that other hosts have and this one has not."""
        own = self.inputs(host)
        others = {self.sources[place].input: place for other in self.hosts for place in self.newest[other]}
        return tuple(
            name
            for name, place in sorted(others.items())
            if name not in own and (has_guests or self.sources[place].entity[0].kind not in OF_GUESTS)
        )


def _first_fields(sources: Sequence[MeasurementSource], schemas: Schemas) -> dict[int, str]:
    """Places of sources with a field of each that is there; of those that ask for the same, one."""
    found: dict[int, str] = {}
    seen = set()
    for place, source in enumerate(sources):
        there = [n for n in source.needs if n in schemas[source.measurement].fields] if source.in_use(schemas) else []
        key = (source.measurement, source.input, source.entity, *there[:1])
        if there and key not in seen:
            seen.add(key)
            found[place] = there[0]
    return found


def _host(source: MeasurementSource, tags: Mapping[str, str]) -> str:
    """The host that a series is about; "" where it names none."""
    captured = {**tags, **{tag: rule.value(tags) for tag, rule in source.capture.items()}}
    chain = source.entities(captured) if source.takes(captured) else ()
    return chain[-1].id if chain and chain[-1].kind == EntityKind.HOST else ""
