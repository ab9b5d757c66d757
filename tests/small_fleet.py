"""A few hosts and guests in a database in memory, read as a night reads them."""

import numpy as np
from memory_database import START, MemoryDatabase, raw

from brownout.domain.entities import Entity
from brownout.ingest.canonical import Canonical, Canonicaliser
from brownout.ingest.mapping import Names, TelegrafMapping
from brownout.ingest.raw import Raw

MINUTES = list(range(180))


def read(hours: int = 3, known: tuple[Entity, ...] = (), names: Names | None = None, **tables: Raw) -> Canonical:
    database = MemoryDatabase(**tables)
    reader = Canonicaliser(database, TelegrafMapping.load(), 60, names or Names())  # type: ignore[arg-type]
    return reader.read(START, START + np.timedelta64(hours, "h"), database.schemas(), known)


def kinds(found: Canonical) -> set[tuple[str, str, str]]:
    return {(entity.kind, entity.id, entity.parent) for entity in found.entities}


def cpu(*hosts: str, minutes: list[int] = MINUTES) -> Raw:
    number = len(hosts) * len(minutes)
    tags = [{"host": host, "cpu": "cpu-total"} if host else {"cpu": "cpu-total"} for host in hosts]
    return raw(tags, minutes, usage_idle=[60.0] * number, usage_iowait=[0.0] * number)


def guests(*placed: tuple[str, str], minutes: list[int] = MINUTES) -> dict[str, Raw]:
    tags = [{"host": host, "domain_name": name} for host, name in placed]
    number = len(tags) * len(minutes)
    return {
        "libvirt_state": raw(tags, minutes, state=[1.0] * number),
        "libvirt_balloon": raw(tags, minutes, current=[1.0] * number, maximum=[2.0] * number),
    }


def joined(*parts: Raw) -> Raw:
    """Series of several parts, one after the other."""
    shift = np.cumsum([0, *(len(part.tags) for part in parts)])
    return Raw(
        parts[0].fields,
        tuple(tags for part in parts for tags in part.tags),
        np.concatenate([part.series + by for part, by in zip(parts, shift, strict=False)]),
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.values for part in parts]),
    )
