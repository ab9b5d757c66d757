"""Where the next guest goes: the host that keeps most room when it is there, or none."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from brownout.domain.encoding import Instant, Number
from brownout.domain.entities import Topology
from brownout.domain.panel import Doubles
from brownout.planning.entity_names import name_of
from brownout.planning.headroom import LEAST_MEMORY, MOST_CPU_PCT
from brownout.planning.placing.assignment import Assignment
from brownout.planning.placing.fleet_ahead import FleetAhead, HostAhead

__all__ = ["PLACEMENT_SCHEMA", "HostRoom", "PlacementAnswer", "place_new_guest"]

PLACEMENT_SCHEMA = "urn:brownout:placement:1"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRoom:
    """A host, and whether the guest fits.

    Attributes
    ----------
    host
        Id of the host.
    name
        Its name.
    fits
        Whether the guest fits.
    reason
        Why it does not; empty where it does.
    cpu_free
        CPUs left below 80 % busy at the fullest moment of the next day, before the guest comes; null where unknown.
    memory_free_gib
        Memory left above 15 % available at that day's worst moment; null where unknown.
    cpu_peak_pct
        How busy the host will be at most, with the guest, nine times out of ten; null where unknown.
    peak_at
        When that is; null where unknown.
    """

    host: str
    name: str
    fits: bool
    reason: str = ""
    cpu_free: Number = float("nan")
    memory_free_gib: Number = float("nan")
    cpu_peak_pct: Number = float("nan")
    peak_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementAnswer:
    """Where the next guest goes.

    Attributes
    ----------
    schema
        Name and version of this form.
    until
        End of the data, from which the forecasts look a day ahead.
    vcpus
        vCPUs of the guest.
    memory_gib
        Its memory.
    cpus_expected
        CPUs that it will probably take at its busiest, as guests here do.
    host
        Id of the host that it goes to; null where it fits nowhere.
    name
        Name of that host; null as well.
    answer
        The same as a sentence.
    hosts
        Every host: the chosen one, the others with room, and those without, with the reason.
    """

    schema: Annotated[str, Field(alias="$schema")] = PLACEMENT_SCHEMA
    until: Instant
    vcpus: int
    memory_gib: Number
    cpus_expected: Number
    host: str | None
    name: str | None
    answer: str
    hosts: tuple[HostRoom, ...]


def place_new_guest(
    fleet: FleetAhead, topology: Topology, until: np.datetime64, *, vcpus: int, memory_gib: float
) -> PlacementAnswer:
    """The host for a guest of some size: of those with room, the one with the lowest peak afterwards."""
    needed = fleet.usual_guest(vcpus)
    reasons = [_refusal(host, vcpus, memory_gib, needed) for host in fleet.hosts]
    chosen = _chosen(fleet, reasons, memory_gib, needed)
    rooms = [_room(host, fleet, topology, needed, reason) for host, reason in zip(fleet.hosts, reasons, strict=True)]
    rooms += [
        HostRoom(host=name, name=name_of(topology, name), fits=False, reason=why)
        for name, why in sorted(fleet.unknown.items())
    ]
    rooms.sort(key=lambda room: (room.host != chosen, not room.fits, room.cpu_peak_pct, room.host))
    size = f"A guest of {vcpus} vCPUs and {memory_gib:g} GiB"
    chosen_room = next((room for room in rooms if room.host == chosen), None)
    answer = f"{size} fits on no host." if chosen_room is None else f"{size} goes to {chosen_room.name}."
    return PlacementAnswer(
        until=until,
        vcpus=vcpus,
        memory_gib=memory_gib,
        cpus_expected=float(needed.max(initial=0)),
        host=chosen,
        name=None if chosen_room is None else chosen_room.name,
        answer=answer,
        hosts=tuple(rooms),
    )


def _chosen(fleet: FleetAhead, reasons: list[str], memory_gib: float, needed: Doubles) -> str | None:
    """By CP-SAT: the highest share of CPU or memory in use on any host that may take the guest is to be lowest."""
    fitting = [host for host, reason in zip(fleet.hosts, reasons, strict=True) if not reason]
    if not fitting:
        return None
    problem = Assignment(hosts=len(fitting))
    guest = problem.new_guest()
    for index, host in enumerate(fitting):
        cpu_use = float((host.used + needed).max(initial=0)) / host.cpus
        memory_use = 1 - (host.free_gib - memory_gib) / host.memory_gib
        problem.cost(guest, index, max(cpu_use, memory_use))
    return fitting[problem.solve()[guest]].id


def _refusal(host: HostAhead, vcpus: int, memory_gib: float, needed: Doubles) -> str:
    """Why a host cannot take the guest; empty where it can."""
    if host.refused:
        return host.refused
    if vcpus > host.cpus:
        return f"the guest has more vCPUs than the {host.cpus:g} CPUs of the host"
    free = host.free_gib - LEAST_MEMORY * host.memory_gib
    if memory_gib > free:
        return f"{memory_gib - max(free, 0):.3g} GiB of memory too little to keep {LEAST_MEMORY:.0%} of it available"
    peak = 100 * float((host.used + needed).max(initial=0)) / host.cpus
    if peak > MOST_CPU_PCT:
        return f"its CPUs would be {peak:.0f} % busy at the peak, more than {MOST_CPU_PCT:g} %"
    return ""


def _room(host: HostAhead, fleet: FleetAhead, topology: Topology, needed: Doubles, reason: str) -> HostRoom:
    with_guest = host.used + needed
    return HostRoom(
        host=host.id,
        name=name_of(topology, host.id),
        fits=not reason,
        reason=reason,
        cpu_free=float(host.cpus * MOST_CPU_PCT / 100 - host.used.max(initial=0)),
        memory_free_gib=host.free_gib - LEAST_MEMORY * host.memory_gib,
        cpu_peak_pct=float(100 * with_guest.max(initial=0) / host.cpus),
        peak_at=fleet.times[int(with_guest.argmax())] if len(with_guest) else None,
    )
