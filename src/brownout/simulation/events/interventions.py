"""Interventions: what somebody does to guests at a moment, so that a what-if can be compared with what comes of it.

The same fleet with and without an intervention has the same random numbers: what differs is what the intervention did.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from brownout.domain.errors import SettingsError
from brownout.simulation.events.operations import CLUSTER, HELD
from brownout.simulation.layout.fleet_layout import Layout, Move
from brownout.simulation.physics.drivers import Drivers, within

__all__ = ["Intervention", "apply_interventions", "moved_layout"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervention:
    """From slot ``slot`` on a guest is on host ``target``, or has other vCPUs or memory; None leaves it as it is.

    ``vm`` and ``target`` are indices of the fleet's layout. How a guest is moved costs nothing here: what is compared
    is the time after it.
    """

    vm: int
    slot: int
    target: int | None = None
    vcpus: int | None = None
    memory_gib: float | None = None


def moved_layout(
    layout: Layout, interventions: Sequence[Intervention], start: np.datetime64, interval_s: int
) -> Layout:
    """The layout with the moves of interventions; raises SettingsError for a host of another cluster, or none."""
    step = np.timedelta64(interval_s * 1000, "ms")
    moves = []
    for one in interventions:
        if one.target is None:
            continue
        if not 0 <= one.target < len(layout.cores) or one.target // CLUSTER != layout.host[one.vm] // CLUSTER:
            msg = f"Guest {one.vm} of host {layout.host[one.vm]} cannot be moved to host {one.target}."
            raise SettingsError(msg, remedy=f"Choose one of the {CLUSTER} hosts of its cluster.")
        moves.append(Move(vm=one.vm, slot=one.slot, target=one.target, time=start + one.slot * step))
    return replace(layout, moves=tuple(sorted((*layout.moves, *moves), key=lambda move: move.slot)))


def apply_interventions(interventions: Sequence[Intervention], begin: int, layout: Layout, drivers: Drivers) -> None:
    """Change the drivers of a stretch that begins with slot ``begin``; guests are known by their number."""
    for one in interventions:
        rows = np.flatnonzero(layout.vm_numbers == one.vm)
        if not len(rows):
            continue
        vm, since = int(rows[0]), within(one.slot - begin, drivers.cpu.shape[1], drivers)
        before = layout.hosts_at(one.slot - begin - 1)[vm]
        after = layout.hosts_at(one.slot - begin)[vm]
        had = float(layout.guest_memory_gib[vm])
        has = had if one.memory_gib is None else one.memory_gib
        drivers.host_memory[before, since] -= HELD * had / layout.memory_gib[before]
        drivers.host_memory[after, since] += HELD * has / layout.memory_gib[after]
        if one.vcpus is not None:
            drivers.target("guest_vcpus", layout)[vm, since] = one.vcpus / float(layout.vcpus[vm])
        if one.memory_gib is not None:
            drivers.target("guest_memory", layout)[vm, since] = has / had
