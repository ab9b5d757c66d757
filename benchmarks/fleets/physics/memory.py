"""Memory of guests and hosts: budgets, what no longer fits is swapped, and comes back late."""

from dataclasses import dataclass

import numpy as np

from fleets.physics.world import Readings, World
from fleets.site.streams import Floats, ema

__all__ = ["Memory", "memory"]


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Metrics; distress of guests 0 to 1, deficit of hosts 0 to 1.5, and swap traffic of guests for other parts."""

    readings: Readings
    distress: Floats
    deficit: Floats
    guest_swap_kbs: Floats


def memory(world: World) -> Memory:
    """Memory metrics of all hosts and guests."""
    lever, size = world.levers.get, world.layout.mem_gib[:, None]
    rng = world.streams.of("memory.base")
    rows = len(world.layout.guests)
    base = rng.uniform(0.3, 0.62, (rows, 1)).astype(np.float32)
    sway = 0.025 * world.noise("memory.sway", "vm", tau_s=6 * 3600)
    day = ema(world.demand.activity, tau_s=1500, interval_s=world.axis.interval_s)
    used = size * (base + 0.1 * np.minimum(day, 1.2) + sway + _collections(world)) + lever("vm.mem_gib")
    room = size * lever("vm.balloon")
    free = 100 * (room - used) / room
    distress = np.clip((10 - free) / 10, 0, 1) * world.alive
    readings, swap = _guests(world, free, distress)
    hosts, deficit = _hosts(world, np.minimum(used, room))
    return Memory(readings={**readings, **hosts}, distress=distress, deficit=deficit, guest_swap_kbs=swap)


def _collections(world: World) -> Floats:
    """The saw-tooth of garbage collectors, up to 3 % of the memory, hours long, in half of the guests."""
    rng = world.streams.of("memory.collections")
    rows = len(world.layout.guests)
    period = rng.uniform(0.7, 5, (rows, 1)) * 3600
    height = rng.uniform(0.005, 0.03, (rows, 1)) * (rng.random((rows, 1)) < 0.5)
    seconds = np.arange(world.axis.slots) * world.axis.interval_s + rng.uniform(0, 20_000, (rows, 1))
    return (height * ((seconds % period) / period)).astype(np.float32)


def _guests(world: World, free: Floats, distress: Floats) -> tuple[Readings, Floats]:
    lever = world.levers.get
    swap = np.where(distress > 0.15, 250 + 5200 * distress, 0) * np.exp(0.7 * world.noise("vm_swap_kbs", "vm"))
    stray = world.uniform("vm_swap_kbs.stray", "vm") < 0.0015
    swap = np.where(swap > 0, swap, np.where(stray, 30, 0)).astype(np.float32)
    faults = (1.5 + 420 * distress**1.3) * np.exp(0.6 * world.noise("vm_majfault_per_s", "vm"))
    shown = np.maximum(free, 1.2 + 0.3 * world.uniform("vm_usable.floor", "vm"))
    shown = shown + 0.25 * world.noise("vm_memory_usable_pct", "vm", tau_s=60)
    extra = 190 + 60 * world.streams.of("qemu.extra").random((free.shape[0], 1), dtype=np.float32)
    return {
        "vm_memory_usable_pct": np.clip(shown, 0.3, 100),
        "vm_swap_kbs": swap,
        "vm_majfault_per_s": np.maximum(faults - 0.8, 0),
        "vm_balloon_ratio": np.round(np.broadcast_to(lever("vm.balloon"), free.shape), 3),
        "vm_qemu_extra_mib": extra + 6 * world.noise("vm_qemu_extra_mib", "vm", tau_s=1800) + lever("vm.qemu_mib"),
    }, swap


def _hosts(world: World, used: Floats) -> tuple[Readings, Floats]:
    lever, ram = world.levers.get, world.layout.host_column("ram_gib")
    touched = np.maximum(used, 0.78 * world.layout.mem_gib[:, None]) * world.alive
    qemu = (0.22 + lever("vm.qemu_mib") / 1024) * world.alive
    taken = world.on_hosts(touched + qemu) + 3.5 + lever("host.mem_gib")
    cache = 0.012 * world.noise("host_memory", "host", tau_s=1800)
    free = 100 * (1 - taken / ram + cache)
    deficit = np.clip((8 - free) / 8, 0, 1.5)
    swap = np.where(deficit > 0.02, 300 + 15_000 * deficit, 0) * np.exp(0.6 * world.noise("host_swap_kbs", "host"))
    stray = world.uniform("host_swap_kbs.stray", "host") < 0.001
    shown = np.maximum(free, 2.5 + world.uniform("host_memory.floor", "host"))
    out = ema(deficit, tau_s=1500, interval_s=world.axis.interval_s)
    pages = world.streams.of("qemu.swapped").uniform(80, 420, (used.shape[0], 1)).astype(np.float32)
    pressure = np.clip(26 * deficit * np.exp(0.4 * world.noise("host_psi_memory_pct", "host")), 0, 100)
    faults = (4 + 2200 * deficit) * np.exp(0.5 * world.noise("host_majfault_per_s", "host"))
    return {
        "host_memory_available_pct": np.clip(shown, 0.5, 100),
        "host_memory_available_gib": np.clip(shown, 0.5, 100) / 100 * ram,
        "host_swap_kbs": np.where(swap > 0, swap, np.where(stray, 12, 0)),
        "host_psi_memory_pct": np.round(pressure + 0.03 * world.uniform("host_psi_memory", "host"), 2),
        "host_majfault_per_s": faults,
        "vm_qemu_swap_mib": np.round(world.at_guests(out) * pages * world.alive, 1),
    }, deficit
