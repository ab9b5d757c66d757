"""What operators do to a healthy fleet: live migrations and announced maintenance.

Guests move within a cluster, the hosts that are simulated together. Copying a guest's memory loads the uplinks and a
core of both hosts, its last pages stop it for a moment and close its console, and its load is on the new host from then
on. A host under maintenance is emptied, restarted and filled again; where its guests have nowhere to go they stay, and
the host is only busy.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from brownout.domain.errors import SettingsError
from brownout.domain.truth import Event
from brownout.simulation.fleet_settings import FleetSettings
from brownout.simulation.layout.fleet_layout import Indices, Layout, Move
from brownout.simulation.physics.drivers import Drivers, within

__all__ = ["Background", "Migration", "Upkeep", "apply_background", "draw_background", "events_of"]

CLUSTER = 4
"""Hosts among which guests migrate."""
QUIET_S = 3600
"""Least time between a fault and a background event at one host, so that neither hides the other."""
BANDWIDTH = 0.4
"""Share of the slower uplink that a migration may use."""
DIRTY = 1.3
"""Pages are copied so many times: a guest writes while it is copied."""
HELD = 0.6
"""Share of a guest's memory that is resident at its host."""
CORES = (0.7, 0.4)
"""What copying takes of the CPUs of the old host and of the new one."""
SLOWER = 0.95
"""Instructions a cycle of a guest whose pages are write-protected to be tracked."""
WORK_S = (2700, 7200)
EVENING, MORNING = 20, 3
"""Hours, UTC, between which maintenance begins."""
MOST_USED, MOST_WANTED, AT_NIGHT = 0.82, 1.4, 2.4
"""A host takes a guest in up to this share of memory in use and so many vCPUs a core, more of them for a night."""
TRIES, LATER_S = 400, 600
LAST_S, LONGEST_DAYS = 4 * 3600, 1.3
"""Nothing begins in the last hours, so that it ends before the data does."""


@dataclass(frozen=True, kw_only=True)
class Migration:
    """A guest that is copied from slot ``first`` on and runs on the target from ``switch`` on.

    ``rate_kbs`` is what is copied; ``share`` the part of these slots in which it is; ``noticed`` whether a collector
    that looks once a slot sees it.
    """

    vm: int
    source: int
    target: int
    first: int
    switch: int
    rate_kbs: float
    share: float
    noticed: bool


@dataclass(frozen=True, kw_only=True)
class Upkeep:
    """Announced maintenance of a host; ``restart`` is the slot in which it restarts, None where it does not."""

    host: int
    first: int
    last: int
    restart: int | None
    load: float


@dataclass(frozen=True, kw_only=True)
class Background:
    """All of a fleet, in order of time."""

    migrations: tuple[Migration, ...] = ()
    upkeeps: tuple[Upkeep, ...] = ()

    def touches(self, host: int, first: int, last: int, interval_s: int) -> bool:
        """Whether anything goes on at a host between two slots, or less than ``QUIET_S`` before or after them."""
        margin = max(QUIET_S // interval_s, 1)
        spans = [(m.first, m.switch) for m in self.migrations if host in (m.source, m.target)]
        spans += [(u.first, u.last) for u in self.upkeeps if u.host == host]
        return any(begin < last + margin and first - margin < end for begin, end in spans)

    def part(self, hosts: Indices, guests: Indices, begin: int) -> "Background":
        """What goes on at some hosts, counted as their layout does, with slots counted from one on."""
        return Background(
            migrations=tuple(
                replace(
                    m,
                    vm=int(np.searchsorted(guests, m.vm)),
                    source=int(np.searchsorted(hosts, m.source)),
                    target=int(np.searchsorted(hosts, m.target)),
                    first=m.first - begin,
                    switch=m.switch - begin,
                )
                for m in self.migrations
                if m.source in hosts
            ),
            upkeeps=tuple(
                replace(
                    u,
                    host=int(np.searchsorted(hosts, u.host)),
                    first=u.first - begin,
                    last=u.last - begin,
                    restart=None if u.restart is None else u.restart - begin,
                )
                for u in self.upkeeps
                if u.host in hosts
            ),
        )


def draw_background(settings: FleetSettings, layout: Layout, rng: np.random.Generator) -> tuple[Background, Layout]:
    """Draw all events; returns the layout with the moves of its guests too.

    Raises SettingsError where they do not fit into the data.
    """
    if not settings.migrations and not settings.maintenance:
        return Background(), layout
    drawing = _Drawing(settings, layout, rng)
    wanted = [drawing.evening() for _ in range(settings.maintenance)]
    latest = max(settings.slots - LAST_S // settings.interval_s, 1)
    moments = [(int(rng.integers(latest)), -1) for _ in range(settings.migrations)]
    for slot, host in sorted([*wanted, *moments]):
        if host >= 0:
            drawing.maintain(host, slot)
        else:
            drawing.migrate(slot)
    migrations = sorted(drawing.migrations, key=lambda migration: migration.switch)
    moves = tuple(
        Move(vm=m.vm, slot=m.switch, target=m.target, time=settings.start + m.switch * drawing.step) for m in migrations
    )
    return Background(migrations=tuple(migrations), upkeeps=tuple(drawing.upkeeps)), replace(layout, moves=moves)


class _Drawing:
    """Draws events in order of time; ``at`` is where each guest is, ``free`` the slot from which a host is at rest."""

    def __init__(self, settings: FleetSettings, layout: Layout, rng: np.random.Generator) -> None:
        self.settings, self.layout, self.rng = settings, layout, rng
        self.step = np.timedelta64(settings.interval_s * 1000, "ms")
        self.at = layout.host.copy()
        self.free = np.zeros(len(layout.cores), np.int64)
        self.migrations: list[Migration] = []
        self.upkeeps: list[Upkeep] = []

    def evening(self) -> tuple[int, int]:
        """First slot and host of some maintenance."""
        hour = int(self.settings.start.astype("datetime64[h]").astype(np.int64) % 24)
        day = int(self.rng.uniform(0, max(self.settings.days - LONGEST_DAYS, 0)))
        begin = 24 * day + (self.rng.uniform(EVENING, 24 + MORNING) - hour) % 24
        return int(begin * 3600 / self.settings.interval_s), int(self.rng.integers(len(self.layout.cores)))

    def migrate(self, slot: int) -> None:
        """Move some guest, a little later where none can then."""
        for attempt in range(TRIES):
            vm = int(self.rng.integers(len(self.at)))
            begin = slot + attempt // 20 * max(LATER_S // self.settings.interval_s, 1)
            target = self._room(vm, MOST_WANTED, begin) if self.free[self.at[vm]] <= begin else -1
            if target >= 0:
                migration = self._copy(vm, target, begin)
                if migration.switch < self.settings.slots:
                    self._enter(migration)
                    return
        raise self._refusal()

    def maintain(self, host: int, slot: int) -> None:
        """Empty a host, work on it and fill it again, at another one where something goes on."""
        hosts = self.rng.permutation(len(self.layout.cores))
        for candidate in (host, *hosts.tolist()):
            end = self._maintained(candidate, slot) if (self.free[self._cluster(candidate)] <= slot).all() else 0
            if end:
                self.free[self._cluster(candidate)] = end
                return
        raise self._refusal()

    def _maintained(self, host: int, slot: int) -> int:
        """Maintain a host from a slot on; returns the slot in which all is over, 0 where that is too late."""
        before, number = self.at.copy(), len(self.migrations)
        guests = np.flatnonzero(self.at == host).tolist()
        now = slot
        for vm in guests:
            target = self._room(vm, AT_NIGHT)
            if target >= 0:
                self._enter(self._copy(vm, target, now), rest=False)
                now = self.migrations[-1].switch + 1
        work = max(int(self.rng.uniform(*WORK_S) / self.settings.interval_s), 2)
        restart = None if (self.at == host).any() else now + work // 2
        now += work
        for vm in [vm for vm in guests if self.at[vm] != host]:
            self._enter(self._copy(vm, host, now), rest=False)
            now = self.migrations[-1].switch + 1
        if now >= self.settings.slots:
            self.at = before
            del self.migrations[number:]
            return 0
        load = float(self.rng.uniform(0.1, 0.3))
        self.upkeeps.append(Upkeep(host=host, first=slot, last=now, restart=restart, load=load))
        return now

    def _cluster(self, host: int) -> slice:
        return slice(host // CLUSTER * CLUSTER, host // CLUSTER * CLUSTER + CLUSTER)

    def _room(self, vm: int, most: float, slot: int | None = None) -> int:
        """The least loaded other host of the guest's cluster with room for it, at rest in a slot; -1 for none."""
        layout, current = self.layout, int(self.at[vm])
        hosts = np.arange(len(layout.cores))[self._cluster(current)]
        wanted = np.bincount(self.at, weights=layout.vcpus, minlength=len(layout.cores)) / layout.cores
        held = HELD * layout.guest_memory_gib
        came = np.bincount(self.at, weights=held, minlength=len(layout.cores))
        came -= np.bincount(layout.host, weights=held, minlength=len(layout.cores))
        used = layout.memory_used + (came + held[vm]) / layout.memory_gib
        new = wanted + layout.vcpus[vm] / layout.cores
        fit = [h for h in hosts if h != current and used[h] <= MOST_USED and new[h] <= most]
        fit = [h for h in fit if slot is None or self.free[h] <= slot]
        return int(min(fit, key=lambda h: new[h])) if fit else -1

    def _copy(self, vm: int, target: int, slot: int) -> Migration:
        source = int(self.at[vm])
        rate = BANDWIDTH * float(min(self.layout.speed[source], self.layout.speed[target]))
        seconds = DIRTY * float(self.layout.guest_memory_gib[vm]) * 2**20 / rate
        length = int(np.ceil(seconds / self.settings.interval_s))
        share = seconds / (length * self.settings.interval_s)
        return Migration(
            vm=vm,
            source=source,
            target=target,
            first=slot,
            switch=slot + length,
            rate_kbs=rate,
            share=share,
            noticed=length > 1 or bool(self.rng.random() < share),
        )

    def _enter(self, migration: Migration, *, rest: bool = True) -> None:
        self.at[migration.vm] = migration.target
        self.migrations.append(migration)
        if rest:
            self.free[[migration.source, migration.target]] = migration.switch + 1

    def _refusal(self) -> SettingsError:
        msg = (
            f"{self.settings.migrations} migrations and {self.settings.maintenance} windows of maintenance do not fit "
            f"into {self.settings.days} days on {self.settings.hosts} hosts, of which {CLUSTER} each share guests."
        )
        return SettingsError(msg, remedy="Ask for fewer of them, more hosts or more days.")


def apply_background(background: Background, layout: Layout, drivers: Drivers) -> None:
    """Change the drivers by all events; the background counts hosts and guests as ``layout`` does."""
    for migration in background.migrations:
        _copying(migration, layout, drivers)
    for upkeep in background.upkeeps:
        span = within(upkeep.first, upkeep.last, drivers)
        drivers.target("host_maintenance", layout)[upkeep.host, span] = 1
        drivers.host_cpu[upkeep.host, span] += upkeep.load * layout.cores[upkeep.host]
        drivers.disk_load[upkeep.host, span] += upkeep.load
        drivers.target("host_restart", layout)[upkeep.host, _moment(upkeep.restart, drivers)] = 1


def _copying(migration: Migration, layout: Layout, drivers: Drivers) -> None:
    vm, source, target = migration.vm, migration.source, migration.target
    span = within(migration.first, migration.switch, drivers)
    drivers.target("net_copied_out_kbs", layout)[source, span] += migration.rate_kbs * migration.share
    drivers.target("net_copied_in_kbs", layout)[target, span] += migration.rate_kbs * migration.share
    for host, cores in zip((source, target), CORES, strict=True):
        drivers.host_cpu[host, span] += cores * migration.share
    held = HELD * layout.guest_memory_gib[vm]
    since = max(migration.switch, 0)
    drivers.host_memory[source, since:] -= held / layout.memory_gib[source]
    drivers.host_memory[target, since:] += held / layout.memory_gib[target]
    drivers.target("guest_ipc", layout)[vm, span] *= 1 - (1 - SLOWER) * migration.share
    if migration.noticed:
        drivers.target("guest_migrating", layout)[vm, span] = 1
    drivers.target("guest_arrives", layout)[vm, _moment(migration.switch, drivers)] = 1


def _moment(slot: int | None, drivers: Drivers) -> slice:
    return slice(0) if slot is None else within(slot, slot + 1, drivers)


def events_of(background: Background, settings: FleetSettings, layout: Layout) -> tuple[Event, ...]:
    """What happened, as the data set says it."""
    step = np.timedelta64(settings.interval_s * 1000, "ms")
    hosts, guests = layout.host_names, layout.vm_names
    spans: Sequence[tuple[int, int, str, str, str, str]] = [
        *(
            (m.first, m.switch, "migration", guests[m.vm], hosts[m.source], hosts[m.target])
            for m in background.migrations
        ),
        *((u.first, u.last, "maintenance", hosts[u.host], "", "") for u in background.upkeeps),
    ]
    return tuple(
        Event(
            id=f"event-{number:04d}",
            kind=kind,
            entity=entity,
            start=settings.start + first * step,
            end=settings.start + last * step,
            source=source,
            target=target,
        )
        for number, (first, last, kind, entity, source, target) in enumerate(sorted(spans), 1)
    )
