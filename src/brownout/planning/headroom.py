"""Which guest to move off a host, and where to: from what hosts and guests use when they are busy."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from brownout.domain.entities import Entity, EntityKind, Topology
from brownout.domain.findings.service_levels import Level
from brownout.domain.forecasts import Series
from brownout.domain.metrics import Family
from brownout.planning.sizes import cpus_of, memory_gib_of

__all__ = ["Headroom", "Move", "Room"]

MOST_CPU_PCT = 80.0
"""A host that takes a guest in stays below this when both are busy."""
LEAST_MEMORY = 0.15
"""And keeps this share of its memory available: the limit of the metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a host has left when it is busy, or what a guest takes: CPUs, and memory in GiB."""

    cpus: float
    memory_gib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A move of a guest to a host with room; ``cures`` is the share of the shortage that it removes."""

    guest: str
    source: str
    target: str
    reason: str
    cures: float = 1.0


@dataclass(slots=True, kw_only=True)
class Headroom:
    """Chooses moves one after the other; what a move takes is no longer free for the next.

    Attributes
    ----------
    levels
        Levels of hosts and guests by series.
    avoid
        Hosts that take nothing in: in trouble, forecast to be, in maintenance, or silent.
    """

    topology: Topology
    levels: Mapping[Series, Level]
    avoid: Collection[str] = ()
    chosen: list[Move] = field(default_factory=list)

    @classmethod
    def of(cls, topology: Topology, levels: Sequence[Level], avoid: Collection[str] = ()) -> "Headroom":
        """Build from the levels of a night."""
        return cls(topology=topology, levels={level.series: level for level in levels}, avoid=avoid)

    def move_off(self, host: str, family: str, *, guest: str = "") -> Move | None:
        """The guest that uses most of what is short and still has a place, or the one given; None where none fits.

        The same question has the same answer each time it is asked.
        """
        known = next((m for m in self.chosen if m.source == host and guest in ("", m.guest)), None)
        if known is not None:
            return known
        guests = [guest] if guest else [name for name in self.topology.descendants(host) if self._is_guest(name)]
        needs = {name: need for name in guests if (need := self.need(name)) is not None}
        rooms = {
            other.id: room
            for other in self.topology
            if self._may_take(other, host) and (room := self.room(other.id)) is not None
        }
        by_memory = family == Family.MEMORY
        for name in sorted(needs, key=lambda n: (-(needs[n].memory_gib if by_memory else needs[n].cpus), n)):
            fitting = {target: room for target, room in rooms.items() if _fits(needs[name], room)}
            if fitting:
                target = max(fitting, key=lambda t: (fitting[t].memory_gib + fitting[t].cpus, t))
                move = Move(
                    guest=name,
                    source=host,
                    target=target,
                    reason=_why(name, needs[name], target, rooms[target]),
                    cures=self._cures(host, needs[name], by_memory=by_memory),
                )
                self.chosen.append(move)
                return move
        return None

    def _cures(self, host: str, need: Room, *, by_memory: bool) -> float:
        """Share of what the host lacks that leaves with a guest; 1 where it lacks nothing, or that is not known."""
        room = self.room(host)
        left, leaves = (0.0, 1.0) if room is None else (room.cpus, need.cpus)
        if room is not None and by_memory:
            left, leaves = room.memory_gib, need.memory_gib
        return min(leaves / -left, 1.0) if left < 0 else 1.0

    def room(self, host: str) -> Room | None:
        """What a host can still take in when it is busy; None where CPU or memory is not known."""
        cpus = cpus_of(self.topology[host])
        total = memory_gib_of(self.topology[host])
        busy = self._busy(host, "host_cpu_busy_pct")
        free_pct = self._busy(host, "host_memory_available_pct")
        free_gib = self._busy(host, "host_memory_available_gib")
        if free_gib is None and total is not None and free_pct is not None:
            free_gib = total * free_pct / 100
        if total is None and free_gib is not None and free_pct:
            total = free_gib / (free_pct / 100)
        if cpus is None or busy is None or free_gib is None or total is None:
            return None
        incoming = [need for move in self.chosen if move.target == host and (need := self.need(move.guest)) is not None]
        return Room(
            cpus=cpus * (MOST_CPU_PCT - busy) / 100 - sum(need.cpus for need in incoming),
            memory_gib=free_gib - LEAST_MEMORY * total - sum(need.memory_gib for need in incoming),
        )

    def need(self, guest: str) -> Room | None:
        """What a guest takes: its CPUs when it is busy, and all of its memory; None where that is not known."""
        vcpus, memory = cpus_of(self.topology[guest]), memory_gib_of(self.topology[guest])
        busy = self._busy(guest, "vm_cpu_pct")
        if vcpus is None or memory is None or busy is None:
            return None
        return Room(cpus=vcpus * busy / 100, memory_gib=memory)

    def _busy(self, entity: str, metric: str) -> float | None:
        level = self.levels.get(Series(entity, metric))
        return None if level is None else level.busy

    def _is_guest(self, name: str) -> bool:
        return self.topology[name].kind == EntityKind.VM and name not in {move.guest for move in self.chosen}

    def _may_take(self, other: Entity, host: str) -> bool:
        same_site = other.site == self.topology[host].site
        return other.kind == EntityKind.HOST and other.id != host and other.id not in self.avoid and same_site


def _fits(need: Room, room: Room) -> bool:
    return need.cpus <= room.cpus and need.memory_gib <= room.memory_gib


def _why(guest: str, need: Room, target: str, room: Room) -> str:
    return (
        f"move {guest} to {target}; {guest} takes {need.memory_gib:.3g} GiB and {need.cpus:.2g} CPUs when busy, "
        f"and {target} has room for {room.memory_gib:.3g} GiB and {room.cpus:.2g} CPUs"
    )
