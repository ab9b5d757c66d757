"""What hosts and their guests use over time, and what they would use after a change: work goes where its guest goes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from brownout.domain.entities import EntityKind, Topology
from brownout.domain.panel import Doubles, Index, Panel
from brownout.numerics.queues import response_ratio
from brownout.planning.sizes import cpus_of, memory_gib_of
from brownout.planning.what_if.guest_changes import GuestMove, GuestResize

__all__ = ["HostedLoads", "changed_loads"]

SERVERS = {"nvme": 16, "ssd": 8, "hdd": 8}
"""Requests that a medium or a small array of it serves at once; 8 where nothing says."""
MOST_DISK_USE = 0.97
OF_HOSTS = {"busy": "host_cpu_busy_pct", "available": "host_memory_available_pct"}
OF_DISKS = {"disk_util": "disk_util_pct", "disk_await": "disk_await_ms"}
OF_GUESTS = {"cpu": "vm_cpu_pct", "usable": "vm_memory_usable_pct", "iops": "vm_disk_iops"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HostedLoads:
    """Hosts, the guests on them, and what each used; arrays ``[host, time]`` and ``[guest, time]``, NaN = not measured.

    Attributes
    ----------
    at
        Index of each guest's host.
    cores, memory_gib, vcpus, guest_memory_gib
        Sizes; NaN where they are not known.
    servers
        How many requests the disks of each host serve at once.
    busy, available, disk_util
        Percent of the host's CPU that is busy, of its memory that is available, of the time its disk is busy.
    disk_await
        Milliseconds that a request to the host's disk takes.
    network
        Milliseconds to connect to consoles of the host: the median over them.
    cpu, usable, iops
        Percent of the guest's vCPUs, percent of its memory that is usable, its requests a second.
    """

    hosts: tuple[str, ...]
    guests: tuple[str, ...]
    at: Index
    cores: Doubles
    memory_gib: Doubles
    servers: Index
    busy: Doubles
    available: Doubles
    disk_util: Doubles
    disk_await: Doubles
    network: Doubles
    vcpus: Doubles
    guest_memory_gib: Doubles
    cpu: Doubles
    usable: Doubles
    iops: Doubles

    @classmethod
    def of(cls, hosts: Sequence[str], panels: Sequence[Panel], topology: Topology) -> Self:
        """Build from panels on one grid, of the hosts, their disks, their guests and the guests' consoles."""
        guests = [name for host in hosts for name in topology.descendants(host) if _is(topology, name, EntityKind.VM)]
        slots = panels[0].values.shape[1] if panels else 0
        rows = {entity.id: (panel, row) for panel in panels for row, entity in enumerate(panel.entities)}

        def series(name: str, metric: str) -> Doubles:
            panel, row = rows.get(name, (None, 0))
            if panel is None or metric not in panel.metric_names:
                return np.full(slots, np.nan)
            return panel.values[row, :, panel.metric_names.index(metric)].astype(np.float64)

        def below(host: str, kind: EntityKind, metric: str) -> Doubles:
            names = [name for name in topology.descendants(host) if _is(topology, name, kind)]
            return _median([series(name, metric) for name in names], slots)

        return cls(
            hosts=tuple(hosts),
            guests=tuple(guests),
            at=np.array([hosts.index(topology.root(guest)) for guest in guests], np.int64),
            cores=_numbers([cpus_of(topology[name]) for name in hosts]),
            memory_gib=_numbers([memory_gib_of(topology[name]) for name in hosts]),
            servers=np.array([_servers(topology, name) for name in hosts], np.int64),
            **{field: _stack([series(name, m) for name in hosts], slots) for field, m in OF_HOSTS.items()},
            **{
                field: _stack([below(name, EntityKind.DISK, m) for name in hosts], slots)
                for field, m in OF_DISKS.items()
            },
            network=_stack([below(name, EntityKind.CONSOLE, "console_connect_ms") for name in hosts], slots),
            vcpus=_numbers([cpus_of(topology[name]) for name in guests]),
            guest_memory_gib=_numbers([memory_gib_of(topology[name]) for name in guests]),
            **{field: _stack([series(name, m) for name in guests], slots) for field, m in OF_GUESTS.items()},
        )


def changed_loads(loads: HostedLoads, moves: Sequence[GuestMove], resizes: Sequence[GuestResize]) -> HostedLoads:
    """The loads as if the changes had been made before; what a guest wants stays the same, wherever it is.

    A guest takes the CPU time that it uses, all of its memory, and its share of its disk's requests with it.
    """
    for resize in resizes:
        loads = _resized(loads, resize)
    for move in moves:
        loads = _moved(loads, loads.guests.index(move.guest), loads.hosts.index(move.host))
    return loads


def _moved(loads: HostedLoads, guest: int, target: int) -> HostedLoads:
    source = int(loads.at[guest])
    at, busy, available = loads.at.copy(), loads.busy.copy(), loads.available.copy()
    util, wait = loads.disk_util.copy(), loads.disk_await.copy()
    cpus = np.nan_to_num(loads.cpu[guest] / 100 * loads.vcpus[guest])
    for host, sign in ((source, -1.0), (target, 1.0)):
        busy[host] = np.clip(busy[host] + sign * 100 * cpus / loads.cores[host], 0, None)
        share = np.nan_to_num(loads.guest_memory_gib[guest] / loads.memory_gib[host])
        available[host] = np.clip(available[host] - sign * 100 * share, 0, 100)
        util[host] = np.clip(util[host] + sign * np.nan_to_num(_disk_use(loads, host) * loads.iops[guest]), 0, 100)
        wait[host] *= _slower(loads, host, util[host])
    at[guest] = target
    return replace(loads, at=at, busy=busy, available=available, disk_util=util, disk_await=wait)


def _disk_use(loads: HostedLoads, host: int) -> float:
    """Percent of a disk's time that one request a second takes, by the median over time; 0 where it is not measured."""
    requests = np.nansum(loads.iops[loads.at == host], axis=0)
    known = np.isfinite(loads.disk_util[host]) & (requests > 0)
    return float(np.median(loads.disk_util[host, known] / requests[known])) if known.any() else 0.0


def _slower(loads: HostedLoads, host: int, util: Doubles) -> Doubles:
    """How many times as long a request takes at another use of the disk, by M/M/c."""
    servers = int(loads.servers[host])
    before, after = (np.nan_to_num(np.minimum(use / 100, MOST_DISK_USE)) for use in (loads.disk_util[host], util))
    return np.asarray(response_ratio(servers, after) / response_ratio(servers, before), np.float64)


def _resized(loads: HostedLoads, resize: GuestResize) -> HostedLoads:
    guest = loads.guests.index(resize.guest)
    host = int(loads.at[guest])
    vcpus, memory = loads.vcpus.copy(), loads.guest_memory_gib.copy()
    busy, available = loads.busy.copy(), loads.available.copy()
    cpu, usable = loads.cpu.copy(), loads.usable.copy()
    if resize.vcpus is not None:
        wanted = cpu[guest] * vcpus[guest] / resize.vcpus
        cpu[guest] = np.minimum(wanted, 100)
        refused = np.nan_to_num(np.maximum(wanted - 100, 0)) / 100 * resize.vcpus
        busy[host] = np.maximum(busy[host] - 100 * refused / loads.cores[host], 0)
        vcpus[guest] = resize.vcpus
    if resize.memory_gib is not None:
        usable[guest] = np.clip(100 - (100 - usable[guest]) * memory[guest] / resize.memory_gib, 0, 100)
        more = np.nan_to_num((resize.memory_gib - memory[guest]) / loads.memory_gib[host])
        available[host] = np.clip(available[host] - 100 * more, 0, 100)
        memory[guest] = resize.memory_gib
    return replace(loads, vcpus=vcpus, guest_memory_gib=memory, busy=busy, available=available, cpu=cpu, usable=usable)


def _is(topology: Topology, name: str, kind: EntityKind) -> bool:
    return topology[name].kind == kind


def _servers(topology: Topology, host: str) -> int:
    media = [topology[name].labels.get("medium", "") for name in topology.descendants(host)]
    return next((SERVERS[medium] for medium in media if medium in SERVERS), 8)


def _median(parts: Sequence[Doubles], slots: int) -> Doubles:
    """Medians over the parts that were measured in each slot."""
    stacked = _stack(parts, slots)
    known = np.isfinite(stacked).any(axis=0)
    medians = np.full(slots, np.nan)
    if known.any():
        medians[known] = np.nanmedian(stacked[:, known], axis=0)
    return medians


def _numbers(values: Sequence[float | None]) -> Doubles:
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _stack(parts: Sequence[Doubles], slots: int) -> Doubles:
    return np.array(parts, np.float64).reshape(len(parts), slots)
