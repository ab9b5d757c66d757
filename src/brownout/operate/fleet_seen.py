"""The fleet that a database shows: hosts with their guests and consoles, and what in its tags is likely wrong."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from brownout.domain.entities import Entity, EntityKind
from brownout.domain.repairs import Repair
from brownout.ingest.canonical import Canonical, Canonicaliser
from brownout.ingest.raw import MeasurementSchema, Request
from brownout.operate.checks import Check, State

__all__ = ["fleet_checks"]

SEEN = np.timedelta64(20 * 60_000, "ms")
"""How much of the last time is looked at."""
LISTED = 5
"""Names that a line has room for."""

Schemas = Mapping[str, MeasurementSchema]


def fleet_checks(reader: Canonicaliser, schemas: Schemas, now: np.datetime64) -> Iterator[Check]:
    """Who is there, what names nothing or two things, and how often it is written; raises what the database raises."""
    found = reader.read(now - SEEN, now, schemas)
    yield _there(found)
    yield from _unnamed(found)
    yield from _clashes(found)
    yield from _collector(found)
    yield from _addresses(found)
    yield from _rhythm(reader, schemas, now)


def _there(found: Canonical) -> Check:
    numbers = Counter(entity.kind for entity in found.entities)
    hosts = [entity.id for entity in found.entities if entity.kind == EntityKind.HOST]
    guests = _guests(found)
    homes = {guest.id: guest.parent for guest in guests}
    consoles = Counter(homes.get(entity.parent, "") for entity in found.entities if entity.kind == EntityKind.CONSOLE)
    running = Counter(guest.parent for guest in guests)
    rows = tuple((name or "(no host)", str(running[name]), str(consoles[name])) for name in sorted({*hosts, *running}))
    said = f"{numbers['host']} hosts, {numbers['vm']} guests, {numbers['console']} consoles in the last 20 min"
    if not found.entities:
        do = "See that Telegraf runs and that its points carry the tag host."
        return Check(state=State.WARNING, about="fleet", found="nothing was written in the last 20 min", do=do)
    return Check(
        state=State.GOOD, about="fleet", found=said, table=(("host", "guests", "consoles"), *rows) if rows else ()
    )


def _guests(found: Canonical) -> list[Entity]:
    return [entity for entity in found.entities if entity.kind == EntityKind.VM]


def _unnamed(found: Canonical) -> Iterator[Check]:
    for (repair, source), number in sorted(found.repairs.counts.items()):
        if repair is Repair.NO_ENTITY:
            said = f"{number} samples name no host or guest: nothing of them can be used"
            do = "Set omit_hostname = false in telegraf.conf; see which tags the input writes."
            yield Check(state=State.WARNING, about=source, found=said, do=do)


def _clashes(found: Canonical) -> Iterator[Check]:
    told = {repair: sorted(name for one, name in found.repairs.counts if one is repair) for repair in Repair}
    if told[Repair.IN_GUEST]:
        said = f"agents inside guests are left out: {_some(told[Repair.IN_GUEST])}"
        yield Check(state=State.GOOD, about="names", found=said)
    apart = sorted({entity.id for entity in _guests(found)} & set(told[Repair.TOLD_APART]))
    if apart:
        said = f"one name on several hosts or for a host and a guest, told apart: {_some(apart)}"
        do = 'Rename one of them, or set [influxdb.ids] vm = "{host}/{domain_name}".'
        yield Check(state=State.WARNING, about="names", found=said, do=do)


def _collector(found: Canonical) -> Iterator[Check]:
    """All guests below one host, and none below several others: the tag may be that of a collector."""
    homes = {guest.parent for guest in _guests(found)}
    hosts = {e.id for e in found.entities if e.kind == EntityKind.HOST and not e.parent} & _measured(found)
    others = sorted(hosts - homes)
    if len(homes) == 1 and "" not in homes and len(others) > 1 and len(_guests(found)) > 1:
        home = min(homes)
        said = f"all guests are on {home}, none on {_some(others)}: is {home} a collector far from the hypervisors?"
        do = '[[inputs.libvirt]] once for each hypervisor, each with [inputs.libvirt.tags] host = "HYPERVISOR".'
        yield Check(state=State.WARNING, about="hosts", found=said, do=do)


def _measured(found: Canonical) -> set[str]:
    return {name for table in found.tables for name in table["entity"].unique().to_pylist()}


def _addresses(found: Canonical) -> Iterator[Check]:
    known = _measured(found) | {guest.id for guest in _guests(found)}
    far = {e.parent for e in found.entities if e.kind == EntityKind.LINK} - known - {""}
    if far and known:
        said = f"goes to {_some(sorted(far))}, which is no host here"
        do = '[influxdb.aliases.url] "ADDRESS" = "HOST" says which host an address is.'
        yield Check(state=State.WARNING, about="ping", found=said, do=do)


def _rhythm(reader: Canonicaliser, schemas: Schemas, now: np.datetime64) -> Iterator[Check]:
    """The database is slower than the settings say, whatever is looked at."""
    apart = []
    for measurement, sources in reader.mapping.measurements.items():
        fields = tuple(dict.fromkeys(n for s in sources if s.makes(schemas) for n in s.needs))
        there = tuple(name for name in fields if name in schemas[measurement].fields) if fields else ()
        if there and not any(source.hold_s for source in sources):
            raw = reader.database.read(Request(measurement=measurement, fields=there[:1], start=now - SEEN, end=now))
            own = np.diff(raw.times)[np.diff(raw.series) == 0]
            apart += [float(np.median(own)) / 1000] if len(own) else []
    if apart and min(apart) > 1.5 * reader.interval_s:
        slots = [second for second in (60, 120, 180, 300, 600, 900, 1200, 1800, 3600) if second >= 0.9 * min(apart)]
        said = f"points come every {min(apart):.0f} s at best, interval_s is {reader.interval_s}"
        yield Check(state=State.WARNING, about="interval", found=said, do=f"Set interval_s = {(slots or [3600])[0]}.")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
