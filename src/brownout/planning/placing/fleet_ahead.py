"""What hosts and guests will use over the next day, from quantiles of their forecasts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from brownout.domain.entities import Entity, EntityKind, Topology
from brownout.domain.forecasts import Forecasts, Series
from brownout.domain.panel import Doubles, Times
from brownout.planning.sizes import cpus_of, memory_gib_of

__all__ = ["LOAD_METRICS", "FleetAhead", "GuestAhead", "HostAhead", "changed_hosts"]

HOST_CPU, HOST_MEMORY, GUEST_CPU = "host_cpu_busy_pct", "host_memory_available_pct", "vm_cpu_pct"
GUEST_WAIT = "vm_ready_pct"
LOAD_METRICS = (HOST_CPU, HOST_MEMORY, GUEST_CPU, GUEST_WAIT)
"""Metrics whose forecasts say what fits where."""
OVERHEAD = 0.04
"""Share of its CPUs that a host takes for itself."""
LIKELY_MOST = 0.9
"""Quantile that a host must stay below its limits with: it does so nine times out of ten."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HostAhead:
    """A host over the next day.

    Attributes
    ----------
    cpus, memory_gib
        Its size.
    used
        CPUs in use, the 90 % quantile of the forecast at each step, and those that its guests would use in place of
        waiting for one: a full host holds back more work than it shows.
    free_gib
        Memory available at the worst step, the 10 % quantile of the forecast.
    refused
        Why it takes nothing in, as a sentence's end; empty where it may.
    """

    id: str
    site: str
    cpus: float
    memory_gib: float
    used: Doubles
    free_gib: float
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GuestAhead:
    """A guest over the next day.

    Attributes
    ----------
    host
        Id of the host that it is on.
    vcpus, memory_gib
        Its size.
    usual, most
        CPUs that it takes at each step where there are enough: the median and the 90 % quantile of the forecast, and
        the time that it usually waits for one.
    waits
        CPUs that it waits for at each step, the median of the forecast; 0 where that is not measured.
    """

    id: str
    host: str
    vcpus: float
    memory_gib: float
    usual: Doubles
    most: Doubles
    waits: Doubles


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FleetAhead:
    """Hosts and guests whose sizes and forecasts are known; ``unknown`` says of which hosts what is missing."""

    times: Times
    hosts: tuple[HostAhead, ...]
    guests: tuple[GuestAhead, ...]
    unknown: Mapping[str, str]

    @classmethod
    def of(
        cls,
        topology: Topology,
        forecasts: Collection[Forecasts],
        refused: Mapping[str, str],
        *,
        moved_since: np.datetime64 | None = None,
    ) -> Self:
        """Build from forecasts of ``LOAD_METRICS``; ``refused`` gives the reason why a host takes no guest in.

        A host that guests left or came to since a time is forecast from the guests that it has now: its own past is
        that of other guests.
        """
        rows = {s: (part, row) for part in forecasts for row, s in enumerate(part.series) if s.metric in LOAD_METRICS}
        changed = set() if moved_since is None else changed_hosts(topology, moved_since)
        hosts: list[HostAhead] = []
        guests: list[GuestAhead] = []
        unknown: dict[str, str] = {}
        for entity in topology:
            if entity.kind == EntityKind.HOST:
                host = _host(entity, rows, refused.get(entity.id, ""))
                if isinstance(host, str):
                    unknown[entity.id] = host
                else:
                    hosts.append(host)
            elif entity.kind == EntityKind.VM:
                guests += _guest(entity, topology, rows)
        hosts = [_from_guests(host, guests) if host.id in changed else _with_waiting(host, guests) for host in hosts]
        known = {host.id for host in hosts}
        times = next((part.times(row) for part, row in rows.values()), np.array([], "datetime64[ms]"))
        return cls(
            times=times,
            hosts=tuple(hosts),
            guests=tuple(guest for guest in guests if guest.host in known),
            unknown=unknown,
        )

    def usual_guest(self, vcpus: float) -> Doubles:
        """CPUs that a new guest will probably use at each step, at the rate per vCPU of the present guests.

        That is the mean over them of what each stays below nine times out of ten; all of it where no guest is known.
        """
        if not self.guests:
            return np.full(len(self.times), float(vcpus))
        shares = np.array([guest.most / guest.vcpus for guest in self.guests])
        return vcpus * np.asarray(shares.mean(axis=0), np.float64)


def changed_hosts(topology: Topology, since: np.datetime64) -> set[str]:
    """Hosts that a guest left or came to since a time."""
    moved = [guest for guest in topology if guest.kind == EntityKind.VM and guest.former]
    lately = [(guest, until, parent) for guest in moved for until, parent in guest.former if until >= since]
    return {host for guest, until, parent in lately for host in (parent, guest.parent_at(until))}


def _with_waiting(host: HostAhead, guests: Sequence[GuestAhead]) -> HostAhead:
    """The host with the CPU time that its guests wait for added to its use."""
    waits = sum((guest.waits for guest in guests if guest.host == host.id), np.zeros_like(host.used))
    return replace(host, used=host.used + waits)


def _from_guests(host: HostAhead, guests: Sequence[GuestAhead]) -> HostAhead:
    """The host with what its present guests will use: their medians, and spreads that are half common to all."""
    own = [guest for guest in guests if guest.host == host.id]
    usual = sum((guest.usual for guest in own), np.zeros_like(host.used))
    spreads = np.array([guest.most - guest.usual for guest in own]).reshape(len(own), len(host.used))
    spread = (spreads.sum(axis=0) + np.sqrt(np.square(spreads).sum(axis=0))) / 2
    return replace(host, used=OVERHEAD * host.cpus + usual + spread)


def _host(entity: Entity, rows: Mapping[Series, tuple[Forecasts, int]], refused: str) -> HostAhead | str:
    """The host, or what is not known of it."""
    cpus, memory = cpus_of(entity), memory_gib_of(entity)
    busy, free = (_path(rows, entity.id, metric, q) for metric, q in ((HOST_CPU, LIKELY_MOST), (HOST_MEMORY, 0.1)))
    if cpus is None or memory is None:
        return "nothing says how many CPUs and how much memory it has"
    if busy is None or free is None:
        return "its CPU and memory use is not measured, or not long enough for a forecast"
    return HostAhead(
        id=entity.id,
        site=entity.site,
        cpus=cpus,
        memory_gib=memory,
        used=cpus * busy / 100,
        free_gib=float(memory * free.min() / 100),
        refused=refused,
    )


def _guest(entity: Entity, topology: Topology, rows: Mapping[Series, tuple[Forecasts, int]]) -> tuple[GuestAhead, ...]:
    vcpus, memory = cpus_of(entity), memory_gib_of(entity)
    usual, most = (_path(rows, entity.id, GUEST_CPU, q) for q in (0.5, LIKELY_MOST))
    if vcpus is None or memory is None or usual is None or most is None:
        return ()
    waits = _path(rows, entity.id, GUEST_WAIT, 0.5)
    waiting = np.zeros_like(usual) if waits is None else np.maximum(waits, 0) / 100
    shares = [np.clip(path / 100 + waiting, 0, 1) for path in (usual, most)]
    return (
        GuestAhead(
            id=entity.id,
            host=topology.root(entity.id),
            vcpus=vcpus,
            memory_gib=memory,
            usual=vcpus * shares[0],
            most=vcpus * shares[1],
            waits=vcpus * np.minimum(waiting, 1),
        ),
    )


def _path(rows: Mapping[Series, tuple[Forecasts, int]], entity: str, metric: str, quantile: float) -> Doubles | None:
    entry = rows.get(Series(entity, metric))
    if entry is None:
        return None
    part, row = entry
    path = part.values[row, :, part.quantiles.index(quantile)].astype(np.float64)
    return path if np.isfinite(path).all() else None
