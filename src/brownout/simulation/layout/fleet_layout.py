"""Which hosts, guests, disks, interfaces and consoles there are, and how they differ."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from brownout.domain.entities import Entity
from brownout.simulation.fleet_settings import FleetSettings
from brownout.simulation.physics.load import Array

__all__ = ["MEDIA", "Indices", "Layout", "Medium", "Move", "make_layout"]

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Medium:
    """A storage medium: its name in Linux, how many requests it serves at once and how long one takes in ms."""

    name: str
    device: str
    servers: int
    service_ms: float


NEVER = np.datetime64("NaT", "ms")
MEDIA = (
    Medium(name="nvme", device="nvme0n1", servers=16, service_ms=0.12),
    Medium(name="ssd", device="sda", servers=8, service_ms=0.35),
    Medium(name="hdd", device="md0", servers=8, service_ms=7.0),
)
"""An array of eight spindles stands for rotational storage; typical service times of the media."""


POOL = "/var/lib/libvirt/images"
"""Where the images of guests lie."""
VANTAGE = "probe"
"""The machine that pings hosts and probes consoles."""

SIZES = np.array([8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256])
"""Core counts of hosts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A guest is on another host from a slot on, which begins at ``time``."""

    vm: int
    slot: int
    target: int
    time: np.datetime64


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """Static facts, as arrays over hosts or guests.

    ``host`` is the index of each guest's first host, ``moves`` are in order of time. ``rtt`` is the round trip of the
    vantage to the host in ms, ``speed`` the uplink in KiB/s, ``leanness`` how much of a guest's memory its programs use
    at rest. ``labels`` are further static facts by name of a host or guest (``HOST/disk`` for its disk), as parsed from
    the domain's XML.
    """

    cores: Indices
    memory_gib: Indices
    medium: Indices
    speed: Array
    rtt: Array
    pace: Array
    disk_used: Array
    memory_used: Array
    host: Indices
    vcpus: Indices
    guest_memory_gib: Indices
    appetite: Array
    leanness: Array
    protocol: npt.NDArray[np.str_]
    host_numbers: Indices
    vm_numbers: Indices
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    moves: tuple[Move, ...] = ()

    @property
    def host_names(self) -> list[str]:
        """Names of hosts."""
        return [f"kvm{i + 1:02d}" for i in self.host_numbers]

    @property
    def vm_names(self) -> list[str]:
        """Names of guests."""
        return [f"vm{i + 1:03d}" for i in self.vm_numbers]

    def part(self, hosts: Indices) -> "Layout":
        """Some hosts with their guests; everything keeps its name."""
        guests = np.flatnonzero(np.isin(self.host, hosts))
        rows = {name: hosts if name in OF_HOSTS else guests for name in OF_HOSTS + OF_GUESTS}
        arrays = {name: getattr(self, name)[row] for name, row in rows.items()}
        moves = [
            replace(m, vm=int(np.searchsorted(guests, m.vm)), target=int(np.searchsorted(hosts, m.target)))
            for m in self.moves
            if m.target in hosts
        ]
        return replace(self, **arrays, host=np.searchsorted(hosts, self.host[guests]), moves=tuple(moves))

    def later(self, slots: int) -> "Layout":
        """The same with slots counted from a later one on."""
        return replace(self, moves=tuple(replace(move, slot=move.slot - slots) for move in self.moves))

    def hosts_at(self, slot: int) -> Indices:
        """The host of each guest in a slot."""
        host = self.host.copy()
        for move in self.moves:
            if move.slot <= slot:
                host[move.vm] = move.target
        return host

    def felt(self, values: Array) -> Array:
        """Values of hosts, ``[host, time]`` or ``[host, 1]``, as each guest feels them wherever it is then."""
        on_guests: Array = values[self.host]
        if self.moves and values.shape[1] > 1:
            for move in self.moves:
                on_guests[move.vm, max(move.slot, 0) :] = values[move.target, max(move.slot, 0) :]
        return on_guests

    def lasting(self, values: Array, slots: int) -> Array:
        """A constant of each host, ``[host]``, as each guest feels it wherever it is then: ``[vm, time or 1]``."""
        column = values[:, None]
        return self.felt(np.repeat(column, slots, axis=1) if self.moves else column)

    def per_host(self, guests: Array) -> Array:
        """Sums over the guests that are on each host then: ``[host, time]`` of ``[vm, time]``."""
        totals = np.zeros((len(self.cores), guests.shape[1]))
        if not self.moves:
            np.add.at(totals, self.host, guests)
            return totals
        slots = np.broadcast_to(np.arange(guests.shape[1]), guests.shape)
        on = self.felt(np.repeat(np.arange(float(len(self.cores)))[:, None], guests.shape[1], axis=1))
        np.add.at(totals, (on.astype(np.int64), slots), guests)
        return totals

    def entities(self) -> dict[str, tuple[Entity, ...]]:
        """Entities by kind; all but guests and consoles share the order of hosts, consoles that of guests.

        Hosts share nothing, so each is a group of its own.
        """
        hosts, vms = self.host_names, self.vm_names
        last = max((move.slot for move in self.moves), default=0)
        at = [hosts[h] for h in self.hosts_at(last)]
        media = [MEDIA[i] for i in self.medium]
        sizes = zip(self.cores, self.memory_gib, strict=True)
        of_host = [{"cores": str(cores), "memory_gib": str(memory)} for cores, memory in sizes]
        of_vm = [
            {"vcpus": str(n), "memory_gib": str(memory)}
            for n, memory in zip(self.vcpus, self.guest_memory_gib, strict=True)
        ]
        speeds = [{"speed_mbits": f"{speed * 8.192e-3:.0f}"} for speed in self.speed]
        disks = [
            {"medium": medium.name} | self.labels.get(f"{h}/disk", {}) for h, medium in zip(hosts, media, strict=True)
        ]
        return {
            "host": _entities(
                "host",
                hosts,
                [""] * len(hosts),
                hosts,
                [a | self.labels.get(h, {}) for h, a in zip(hosts, of_host, strict=True)],
            ),
            "disk": _entities(
                "disk", [f"{h}/{medium.device}" for h, medium in zip(hosts, media, strict=True)], hosts, hosts, disks
            ),
            "path": _entities("path", [f"{h}:{POOL}" for h in hosts], hosts, hosts),
            "interface": _entities("interface", [f"{h}/bond0" for h in hosts], hosts, hosts, speeds),
            "link": _entities("link", [f"{VANTAGE}>{h}" for h in hosts], hosts, hosts),
            "vm": self._placed(
                _entities("vm", vms, at, at, [a | self.labels.get(vm, {}) for vm, a in zip(vms, of_vm, strict=True)])
            ),
            "console": _entities(
                "console", [f"{vm}/console" for vm in vms], vms, at, [{"protocol": str(p)} for p in self.protocol]
            ),
        }

    def _placed(self, guests: Sequence[Entity]) -> tuple[Entity, ...]:
        """Guests with the hosts that they were on before."""
        hosts = self.host_names
        moved = {move.vm for move in self.moves}
        placements: dict[int, list[tuple[np.datetime64, str]]] = {vm: [(NEVER, hosts[self.host[vm]])] for vm in moved}
        for move in self.moves:
            placements[move.vm].append((move.time, hosts[move.target]))
        return tuple(guest.placed(placements[vm]) if vm in placements else guest for vm, guest in enumerate(guests))


def _entities(
    kind: str,
    names: Sequence[str],
    parents: Sequence[str],
    groups: Sequence[str],
    labels: Sequence[dict[str, str]] = (),
) -> tuple[Entity, ...]:
    facts = labels or [{} for _ in names]
    return tuple(
        Entity(id=name, kind=kind, parent=parent, group=group, labels=labels)
        for name, parent, group, labels in zip(names, parents, groups, facts, strict=True)
    )


OF_HOSTS = ("cores", "memory_gib", "medium", "speed", "rtt", "pace", "disk_used", "memory_used", "host_numbers")
OF_GUESTS = ("vcpus", "guest_memory_gib", "appetite", "leanness", "protocol", "vm_numbers")


def make_layout(settings: FleetSettings, rng: np.random.Generator) -> Layout:
    """Draw a fleet from wide priors; hosts differ, so that nothing can be learned from one host's constants."""
    hosts, vms = settings.hosts, settings.vms
    host = np.sort(np.arange(vms) % hosts)
    vcpus = rng.choice([1, 2, 4, 8], vms, p=[0.15, 0.4, 0.35, 0.1])
    guests = np.bincount(host, minlength=hosts)
    wanted = np.bincount(host, weights=vcpus, minlength=hosts)
    # One vCPU a core or a little more at least, in the next size that is sold.
    cores = SIZES[np.searchsorted(SIZES, wanted / rng.uniform(1.0, 1.6, hosts)).clip(max=len(SIZES) - 1)]
    guest_memory = vcpus * rng.choice([2, 4], vms)
    memory = np.bincount(host, weights=guest_memory, minlength=hosts)
    return Layout(
        cores=cores,
        memory_gib=np.maximum(2 ** np.ceil(np.log2(memory + 8)), 16).astype(np.int64),
        medium=rng.choice(3, hosts, p=[0.45, 0.4, 0.15]),
        speed=rng.choice([1e6, 1e7], hosts, p=[0.3, 0.7]) / 8.192,
        rtt=np.where(rng.random(hosts) < 0.7, rng.uniform(0.3, 1.0, hosts), rng.uniform(2, 8, hosts)),
        pace=rng.uniform(0.9, 1.1, hosts),
        disk_used=rng.uniform(30, 75, hosts),
        memory_used=rng.uniform(0.5, 0.7, hosts) + 0.002 * guests.clip(max=20),
        host=host,
        vcpus=vcpus,
        guest_memory_gib=guest_memory,
        appetite=rng.uniform(0.5, 1.4, vms),
        leanness=rng.uniform(0.3, 0.6, vms),
        protocol=rng.choice(["vnc", "spice"], vms, p=[0.7, 0.3]),
        host_numbers=np.arange(hosts),
        vm_numbers=np.arange(vms),
    )
