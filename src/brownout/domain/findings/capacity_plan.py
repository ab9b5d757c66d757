"""The plan of a night: moves that keep hosts from being too busy, guests of the wrong size, and hosts to buy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from brownout.domain.encoding import Instant, Number

__all__ = ["HardwareOutlook", "MovePlan", "Part", "PartMove", "PlannedMove", "Resource", "SizeAdvice"]


class Resource(StrEnum):
    """What a guest or a host has too much or too little of."""

    CPU = "vcpus"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMove:
    """A guest that goes to another host, and how busy both hosts will be at most in the coming day.

    Busy is percent of the CPU that nine times out of ten is not exceeded, with what guests wait for: above 100 where
    they want more than there is. After all moves of the plan together.

    Attributes
    ----------
    guest
        Id of the guest.
    source
        Host that it leaves.
    target
        Host that takes it in.
    source_before
        Peak of the host that it leaves, as things are.
    source_after
        The same after the moves.
    target_before
        Peak of the host that takes it in, as things are.
    target_after
        The same after the moves.
    lacks_gib
        GiB that the source has too little of to keep its share of memory available, as things are; 0 where none.
    frees_gib
        GiB that leave with this guest.
    """

    guest: str
    source: str
    target: str
    source_before: Number
    source_after: Number
    target_before: Number
    target_after: Number
    lacks_gib: Number = 0.0
    frees_gib: Number = 0.0


class Part(StrEnum):
    """What of a guest goes elsewhere on its host."""

    DISK = "disk"
    """Its disk image, to another file system."""
    UPLINK = "uplink"
    """Its network card, to another bridge of the same network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartMove:
    """A guest's disk or network card that goes to another store or uplink of its host, and what that does to both.

    Percent full of a store, or of the speed of an uplink when it is busy.

    Attributes
    ----------
    guest
        Id of the guest.
    part
        What goes: the disk, or the network card.
    source
        Id of the store or uplink that it leaves.
    target
        Id of the one with room.
    source_before
        How full the source is.
    source_low
        How full it is after the move, at least; eight in ten outcomes are between this and the next one.
    source_high
        The same at most.
    target_before
        How full the target is.
    target_low
        How full it is after the move, at least.
    target_high
        The same at most.
    values
        What the commands need, by the names of their placeholders.
    caution
        What is not known of the target; empty for nothing.
    """

    guest: str
    part: Part
    source: str
    target: str
    source_before: Number
    source_low: Number
    source_high: Number
    target_before: Number
    target_low: Number
    target_high: Number
    values: Mapping[str, str] = field(default_factory=dict)
    caution: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MovePlan:
    """Moves for the coming day; none is an answer too.

    Attributes
    ----------
    busy
        Hosts that will be beyond 80 % of their CPU, or below 15 % of their memory, without a move.
    moves
        What to move, the largest first; empty where no move helps enough.
    parts
        Disks and network cards to move to other stores and uplinks of their host, where one will be too full.
    """

    busy: tuple[str, ...] = ()
    moves: tuple[PlannedMove, ...] = ()
    parts: tuple[PartMove, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeAdvice:
    """A guest that has too much or too little of something.

    Attributes
    ----------
    guest
        Id of the guest.
    resource
        vcpus, or memory in GiB.
    size
        What it has.
    advised
        What it should have.
    mean
        What it takes at the busiest half hour of a usual day, in the unit of the size.
    upper
        What it stays below in the next 30 days with a chance of 98 %, as far as its days say.
    days
        How many days that rests on.
    """

    guest: str
    resource: Resource
    size: Number
    advised: Number
    mean: Number
    upper: Number
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareOutlook:
    """When hosts of one size and site run out of a resource, by the trend of their weeks.

    Attributes
    ----------
    site
        Site that the hosts are of; empty where there is one only.
    hosts
        Ids of the hosts.
    cpus
        CPUs of each.
    memory_gib
        Memory of each in GiB.
    resource
        vcpus for CPUs, or memory in GiB.
    demand
        What all of them use together on the second busiest day of the last week, by the trend.
    usable
        What they hold with one of them out: 80 % of the CPUs, or 85 % of the memory, of the others.
    growth
        How much the demand grows a week.
    earliest
        When the demand is beyond what is usable at the earliest, 90 % sure that it is not before; null where that is
        not before ``until``, as the next two.
    likely
        When it is so by the trend.
    latest
        When it is so at the latest, 90 % sure.
    until
        How far the trend is carried on: four times as long as was measured, a year at most.
    weeks
        Weeks that it rests on.
    """

    site: str
    hosts: tuple[str, ...]
    cpus: Number
    memory_gib: Number
    resource: Resource
    demand: Number
    usable: Number
    growth: Number
    earliest: Instant | None
    likely: Instant | None
    latest: Instant | None
    until: Instant
    weeks: int
