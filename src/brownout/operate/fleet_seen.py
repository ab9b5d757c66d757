"""The fleet that a database shows: hosts with their guests and consoles, and what in its tags is likely wrong."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.entities import Entity, EntityKind
from brownout.domain.repairs import Repair
from brownout.ingest.canonical import Canonical, Canonicaliser
from brownout.ingest.mapping import MeasurementSource, TelegrafMapping
from brownout.ingest.other_names import ALSO_CALLED, NAMES, TITLE, short_name
from brownout.ingest.raw import MeasurementSchema
from brownout.operate.checks import Check, State
from brownout.operate.sources_seen import HostSources, Sampled, odd_values, sampled
from brownout.operate.sources_seen.odd_values import some
from brownout.operate.telemetry_coverage import causes_at

__all__ = ["fleet_checks"]

SEEN = np.timedelta64(20 * 60_000, "ms")
"""How much of the last time is looked at."""
STALE_S = 900
PROCESSES = "procstat"
GUEST_USAGE, RUNS_GUESTS_PCT = "usage_guest", 0.1
"""Field of a host's CPU that only guests make use of, and from which percentage on there are some."""
MANY_HOSTS = 15
"""More hosts than this are shown together where they are alike."""
MANY_PARTS = 12
"""A host has seldom more interfaces, disks or file systems of its own."""

Schemas = Mapping[str, MeasurementSchema]


def fleet_checks(reader: Canonicaliser, schemas: Schemas, now: np.datetime64, knowledge: Knowledge) -> Iterator[Check]:
    """Check hosts and guests, ambiguous or missing names, and sampling intervals; raises what the database raises."""
    canonical = reader.read(now - SEEN, now, schemas)
    fleet = _Fleet(canonical)
    sources = HostSources.read(reader, schemas, now, fleet.names)
    causes = _Causes(reader.mapping, schemas, knowledge)
    yield _there(fleet, sources, causes, now)
    yield from _unnamed(canonical)
    yield from _clashes(fleet)
    samples = list(sampled(reader, schemas, now - SEEN, now))
    yield from _collector(fleet, samples)
    yield from _addresses(fleet)
    yield from _containers(canonical)
    yield from _parts(canonical)
    yield from _rhythm(samples, reader.interval_s)
    yield from odd_values(samples)


@dataclass(frozen=True)
class _Fleet:
    """Hosts and guests as they were read."""

    canonical: Canonical

    @property
    def guests(self) -> list[Entity]:
        return self.of(EntityKind.VM)

    def of(self, kind: str) -> list[Entity]:
        return [entity for entity in self.canonical.entities if entity.kind == kind]

    @property
    def measured(self) -> set[str]:
        return {name for table in self.canonical.tables for name in table["entity"].unique().to_pylist()}

    @property
    def names(self) -> dict[str, str]:
        """Host by each other name of it."""
        labels = ((host.id, host.labels.get(ALSO_CALLED, "")) for host in self.of(EntityKind.HOST))
        return {name: host for host, names in labels for name in names.split(", ") if name}

    def is_inside(self, host: str) -> bool:
        """Whether what calls itself a host is an agent inside a guest: by a name of one, in any case and length."""
        return short_name(host).casefold() in self._guest_names and host not in {e.parent for e in self.guests}

    @cached_property
    def _guest_names(self) -> set[str]:
        inside = {name for repair, name in self.canonical.repairs.counts if repair is Repair.IN_GUEST}
        agents = [guest for guest in self.guests if guest.id in inside]
        names = {
            name for guest in agents for name in (guest.id, *(guest.labels.get(tag, "") for tag in (*NAMES, TITLE)))
        }
        return {short_name(name).casefold() for name in names if name}


@dataclass(frozen=True)
class _Causes:
    """How many causes can be named by what is written; hosts that write the same are asked about once."""

    mapping: TelegrafMapping
    schemas: Schemas
    knowledge: Knowledge
    known: dict[tuple[tuple[str, str], ...], int] = field(default_factory=dict)

    def by(self, written: Sequence[MeasurementSource]) -> int:
        """Their number."""
        key = tuple((source.measurement, source.input) for source in written)
        if key not in self.known:
            self.known[key] = causes_at(self.mapping, self.schemas, written, self.knowledge)
        return self.known[key]


def _there(fleet: _Fleet, sources: HostSources, causes: _Causes, now: np.datetime64) -> Check:
    numbers = Counter(entity.kind for entity in fleet.canonical.entities)
    if not fleet.canonical.entities:
        do = "See that Telegraf runs and that its points carry the tag host."
        return Check(state=State.BAD, about="fleet", found="nothing was written in the last 20 min", do=do)
    homes = {guest.id: guest.parent for guest in fleet.guests}
    running = Counter(homes.values())
    consoles = Counter(homes.get(entity.parent, "") for entity in fleet.of(EntityKind.CONSOLE))
    hosts = {host for host in sources.hosts if not fleet.is_inside(host)}
    rows = []
    troubled = False
    for name in sorted({*hosts, *running}):
        silent = sources.silent(name, now, STALE_S)
        whole = len(set(silent.values())) == 1 and set(silent) == set(sources.inputs(name))
        missing = sources.missing(name, has_guests=bool(running[name])) if name else ()
        troubled = troubled or bool(silent)
        lacks = _silences({"everything": next(iter(silent.values()))} if whole else silent)
        lacks += [f"no {', '.join(missing)}"] if missing else []
        number = str(causes.by(sources.written(name))) if name else ""
        rows.append((name or "(no host)", str(running[name]), str(consoles[name]), number, "; ".join(lacks)))
    shown = len((hosts | set(running)) - {""})
    finding = f"{shown} hosts, {numbers['vm']} guests, {numbers['console']} consoles in the last 20 min"
    return Check(
        state=State.WARNING if troubled or not shown else State.GOOD,
        about="fleet",
        found=finding,
        do="See why the sources named below are silent: Telegraf's log on that host says it." if troubled else "",
        table=(("host", "guests", "consoles", "causes it can show", "what it lacks"), *_together(rows)),
    )


def _silences(minutes: Mapping[str, int]) -> list[str]:
    """Since when inputs are silent, those of one time together."""
    together: dict[int, list[str]] = {}
    for name, since in minutes.items():
        together.setdefault(since, []).append(name)
    return [f"{', '.join(names)} silent for {_duration(since)}" for since, names in sorted(together.items())]


def _duration(minutes: int) -> str:
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _together(rows: Sequence[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Rows of hosts; where there are many, those that differ only in numbers as one."""
    if len(rows) <= MANY_HOSTS:
        yield from rows
        return
    alike: dict[tuple[str, str], list[tuple[str, ...]]] = {}
    for row in rows:
        alike.setdefault((row[3], row[4]), []).append(row)
    for (causes, lacks), own in alike.items():
        guests, consoles = (str(sum(int(row[column]) for row in own)) for column in (1, 2))
        yield some([row[0] for row in own]), guests, consoles, causes, lacks


def _unnamed(canonical: Canonical) -> Iterator[Check]:
    """Samples that name nothing, those of all sources in one line."""
    unnamed = {
        name: number for (repair, name), number in canonical.repairs.counts.items() if repair is Repair.NO_ENTITY
    }
    unnamed.pop(PROCESSES, None)  # what is wrong with these is told by itself
    if unnamed:
        number, names = sum(unnamed.values()), ", ".join(sorted(unnamed))
        finding = f"{number} samples name no host or guest, nothing of them can be used: {names}"
        do = "Set omit_hostname = false in telegraf.conf; see which tags these inputs write."
        yield Check(state=State.WARNING, about="tags", found=finding, do=do)
    homeless = sorted(e.id for e in canonical.entities if e.kind == EntityKind.VM and not e.parent)
    if homeless:
        finding = f"nothing says which host {some(homeless)} run on: their hosts and neighbours cannot be causes"
        do = "omit_hostname = false in Telegraf, HostnameFormat hostname and PluginInstanceFormat name in collectd."
        yield Check(state=State.WARNING, about="tags", found=finding, do="As above." if unnamed else do)


def _clashes(fleet: _Fleet) -> Iterator[Check]:
    names_by_repair = {
        repair: sorted(name for one, name in fleet.canonical.repairs.counts if one is repair and name)
        for repair in Repair
    }
    if names_by_repair[Repair.IN_GUEST]:
        finding = f"agents inside guests are left out: {some(names_by_repair[Repair.IN_GUEST])}"
        do = "If one is a host of its own, name all hosts in influxdb.hosts."
        yield Check(state=State.GOOD, about="names", found=finding, do=do)
    apart = sorted({entity.id for entity in fleet.guests} & set(names_by_repair[Repair.TOLD_APART]))
    if apart:
        finding = f"one name for several guests, or for a host and a guest, told apart: {some(apart)}"
        do = "Rename one of them, so that reports are understood."
        if any("/" in name for name in apart):
            do = 'Rename one of them, or set [influxdb.ids] vm = "{host}/{domain_name}".'
        yield Check(state=State.WARNING, about="names", found=finding, do=do)
    also = [f"{host} is {name} too" for name, host in sorted(fleet.names.items())]
    also += [
        f"{name} is another name of a guest" for name in names_by_repair[Repair.OTHER_NAME] if name not in fleet.names
    ]
    if also:
        yield Check(state=State.GOOD, about="names", found=f"told as one: {some(also)}")


def _collector(fleet: _Fleet, samples: Sequence[Sampled]) -> Iterator[Check]:
    """Guests below one host and none below others, below what nobody measures, or below hosts that run none."""
    homes = {guest.parent for guest in fleet.guests}
    hosts = {host.id for host in fleet.of(EntityKind.HOST) if not host.parent} & fleet.measured
    others = sorted(hosts - homes)
    alone = len(homes) == 1 and "" not in homes and len(others) > 1 and len(fleet.guests) > 1
    suspects = sorted(homes - hosts - {""}) if others else []
    suspects = suspects or _running_none(samples, homes, others) or (sorted(homes) if alone else [])
    if suspects:
        home = some(suspects)
        verb, what = ("is", "a collector") if len(suspects) < 2 else ("are", "collectors")
        finding = f"guests are on {home}, none on {some(others)}: {verb} {home} {what} far from the hypervisors?"
        do = '[[inputs.libvirt]] once for each hypervisor, each with [inputs.libvirt.tags] host = "HYPERVISOR".'
        yield Check(state=State.WARNING, about="hosts", found=finding, do=do)


def _running_none(samples: Sequence[Sampled], homes: AbstractSet[str], others: Sequence[str]) -> list[str]:
    """Hosts said to have guests whose CPUs run none, where those of others, said to have none, do."""
    usage: dict[str, float] = {}
    for one in samples:
        values = one.values(GUEST_USAGE) if one.measurement == "cpu" else np.empty(0)
        for series, tags in enumerate(one.raw.tags if len(values) else ()):
            own = values[one.raw.series == series]
            if np.isfinite(own).any():
                host = tags.get("host", "")
                usage[host] = max(usage.get(host, 0.0), float(np.nanmean(own)))
    busy = any(usage.get(host, 0.0) > RUNS_GUESTS_PCT for host in others)
    return sorted(host for host in homes if host in usage and not usage[host]) if busy else []


def _addresses(fleet: _Fleet) -> Iterator[Check]:
    known = fleet.measured | {guest.id for guest in fleet.guests} | {guest.parent for guest in fleet.guests}
    far = {entity.parent for entity in fleet.of(EntityKind.LINK)} - known - {""}
    if far and known:
        finding = f"goes to {some(sorted(far))}, which is no host here"
        do = '[influxdb.aliases.url] "ADDRESS" = "HOST" says which host an address is.'
        yield Check(state=State.WARNING, about="ping", found=finding, do=do)


def _containers(canonical: Canonical) -> Iterator[Check]:
    """Containers, which are left out since they have no kernel of their own."""
    sources = sorted(name for repair, name in canonical.repairs.counts if repair is Repair.LEFT_OUT)
    if sources:
        finding = f"containers are left out: they share their host's kernel and have no console ({', '.join(sources)})"
        yield Check(state=State.GOOD, about="containers", found=finding)


def _parts(canonical: Canonical) -> Iterator[Check]:
    """Interfaces and disks that were left out, and hosts that still have many."""
    left = {name: number for (repair, name), number in canonical.repairs.counts.items() if repair is Repair.NOT_OWN}
    parts = Counter((entity.parent, entity.kind) for entity in canonical.entities)
    many = [f"{host} has {n}" for (host, kind), n in sorted(parts.items()) if kind == "interface" and n > MANY_PARTS]
    if left:
        finding = f"interfaces and disks of guests, overlays and media are left out ({', '.join(sorted(left))})"
        yield Check(state=State.GOOD, about="interfaces", found=finding)
    if many:
        do = "Add `brownout facts` on these hosts, which asks the kernel; or namedrop them in telegraf.conf."
        yield Check(state=State.WARNING, about="interfaces", found=f"{some(many)} of its own: are all real?", do=do)


def _rhythm(samples: Sequence[Sampled], interval_s: int) -> Iterator[Check]:
    """The database is slower than the settings say, as a whole or in parts."""
    apart = {one.measurement: one.every_s() for one in samples if not any(source.hold_s for source in one.sources)}
    known = {name: seconds for name, seconds in apart.items() if np.isfinite(seconds)}
    if known and min(known.values()) > 1.5 * interval_s:
        best = min(known.values())
        slots = [second for second in (60, 120, 180, 300, 600, 900, 1200, 1800, 3600) if second >= 0.9 * best]
        finding = f"points come every {best:.0f} s at best, interval_s is {interval_s}"
        yield Check(
            state=State.WARNING, about="interval", found=finding, do=f"Set interval_s = {(slots or [3600])[0]}."
        )
        return
    slow = sorted(name for name, seconds in known.items() if seconds > 1.5 * interval_s)
    if slow:
        finding = f"{some(slow)} come less often than interval_s ({interval_s} s): each value holds until the next one"
        yield Check(state=State.GOOD, about="interval", found=finding)
