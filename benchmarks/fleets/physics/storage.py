"""Disks of hosts: one queue each, what guests see of it, and the file system that fills."""

from dataclasses import dataclass

import numpy as np

from fleets.physics.memory import Memory
from fleets.physics.world import Readings, World, queue_wait
from fleets.site.layout import MEDIA
from fleets.site.streams import Floats, spikes

__all__ = ["Storage", "storage"]


@dataclass(frozen=True, kw_only=True)
class Storage:
    """Metrics, and what consoles need: requests and latency that each guest sees, ``[guest, slot]``."""

    readings: Readings
    guest_iops: Floats
    guest_await: Floats


@dataclass(frozen=True)
class _Queue:
    await_ms: Floats
    unloaded_ms: Floats
    busy: Floats
    full: Floats
    iops: Floats


def storage(world: World, ram: Memory) -> Storage:
    """Disk metrics of all hosts and guests."""
    lever, alive = world.levers.get, world.alive * (1 - np.minimum(world.levers.get("vm.hang"), 1))
    quiet = np.where([[MEDIA[h.medium].servers < 8] for h in world.layout.hosts], 0.35, 1.0).astype(np.float32)
    factor = world.at_guests(quiet)
    iops = (world.demand.iops * factor + lever("vm.iops") + ram.guest_swap_kbs / 24) * alive
    reads = (world.demand.read_kbs * factor + lever("vm.read_kbs") + 0.5 * ram.guest_swap_kbs) * alive
    writes = (world.demand.write_kbs * factor + lever("vm.write_kbs") + 0.5 * ram.guest_swap_kbs) * alive
    pages = ram.readings["host_swap_kbs"]
    read_kbs = world.on_hosts(reads) + lever("host.disk_read_kbs") + 0.5 * pages
    write_kbs = world.on_hosts(writes) + 40 + lever("host.disk_write_kbs") + 0.5 * pages
    queue = _queue(world, world.on_hosts(iops) + 6 + lever("host.disk_iops") + pages / 24, read_kbs + write_kbs)
    guests, seen = _guests(world, queue, iops, reads + writes)
    return Storage(
        readings={**_disks(world, queue, read_kbs, write_kbs), **_paths(world), **guests},
        guest_iops=iops,
        guest_await=seen,
    )


def _queue(world: World, iops: Floats, kbs: Floats) -> _Queue:
    media = [MEDIA[host.medium] for host in world.layout.hosts]
    service, servers, rate, slow = (
        np.array([[float(getattr(medium, name))] for medium in media], np.float32)
        for name in ("service_ms", "servers", "mib_s", "saturated_ms")
    )
    served = service * world.levers.get("host.disk_service")
    load = iops * served / (1000 * servers) + kbs / (1024 * rate)
    full = np.clip((load - 0.9) / 0.25, 0, 1.5)
    tail = spikes(world.streams.of("disk.tail"), world.host_shape, chance=0.004)
    noise = np.exp(0.14 * world.noise("disk_await_ms", "host")) * tail
    bad = world.levers.get("host.disk_tail_ms") * world.streams.of("disk.bad").exponential(1, world.host_shape)
    waited = (served * (1 + queue_wait(load, servers) * 1.5) + full * slow) * noise + bad
    busy = np.clip(100 * np.minimum(load, 1) ** 0.75 + 20 * (bad > 15), 0, 100)
    return _Queue(waited.astype(np.float32), service, busy.astype(np.float32), full, iops / (1 + full))


def _disks(world: World, queue: _Queue, read_kbs: Floats, write_kbs: Floats) -> Readings:
    lever, cores = world.levers.get, world.layout.host_column("cores")
    length = queue.iops * queue.await_ms / 1000
    stuck = np.minimum(0.25 * length, 40)
    waiting = 100 * np.clip(stuck / cores, 0, 0.6) + 0.15
    pressure = np.clip(0.4 + 0.35 * queue.busy / 10 + 45 * queue.full + 6 * np.log1p(length), 0, 98)
    blocked = np.floor(stuck + world.uniform("host_blocked_tasks", "host") * (0.6 + 0.3 * stuck))
    slowed = 1 + queue.full
    dirty = 0.25 + write_kbs / 90_000 + lever("host.dirty_pct")
    return {
        "disk_await_ms": queue.await_ms,
        "disk_util_pct": np.clip(queue.busy * (1 + 0.05 * world.noise("disk_util_pct", "host")), 0, 100),
        "disk_queue": np.round(length, 3),
        "disk_read_kbs": read_kbs / slowed * np.exp(0.1 * world.noise("disk_read_kbs", "host")),
        "disk_write_kbs": write_kbs / slowed * np.exp(0.1 * world.noise("disk_write_kbs", "host")),
        "disk_bad_sectors": np.floor(np.broadcast_to(lever("host.bad_sectors"), length.shape)),
        "disk_degraded": np.minimum(lever("host.degraded"), 1) * np.ones_like(length),
        "host_cpu_iowait_pct": np.clip(waiting * np.exp(0.3 * world.noise("host_cpu_iowait_pct", "host")), 0, 70),
        "host_psi_io_pct": np.clip(pressure * np.exp(0.3 * world.noise("host_psi_io_pct", "host")), 0, 99),
        "host_blocked_tasks": blocked,
        "host_dirty_pct": np.clip(dirty * np.exp(0.3 * world.noise("host_dirty_pct", "host")), 0, 40),
    }


def _paths(world: World) -> Readings:
    start = world.layout.host_column("fill_pct")
    drift = world.streams.of("fill").uniform(-0.02, 0.12, (len(world.layout.hosts), 1)).astype(np.float32)
    days = np.arange(world.axis.slots, dtype=np.float32) * world.axis.interval_s / 86_400
    churn = 0.25 * world.noise("disk_used_pct", "host", tau_s=5 * 3600)
    used = start + drift * days + churn + world.levers.get("host.fill_pct")
    return {"disk_used_pct": np.clip(np.round(used, 2), 0, 100)}


def _guests(world: World, queue: _Queue, iops: Floats, kbs: Floats) -> tuple[Readings, Floats]:
    lever = world.levers.get
    below = world.at_guests(queue.await_ms)
    stall = 1 + world.at_guests(queue.full)
    own = np.exp(0.2 * world.noise("vm_disk_await_ms", "vm")) * (lever("vm.io_factor") + 0 * below)
    seen = (0.06 + 0.95 * below) * own
    base = np.array([[MEDIA[host.medium].flush_ms] for host in world.layout.hosts], np.float32)
    strain = (below / world.at_guests(queue.unloaded_ms)) ** 0.7
    flush = world.at_guests(base) * strain * np.sqrt(lever("vm.io_factor"))
    return {
        "vm_disk_await_ms": np.where(iops > 0.2, seen, np.nan).astype(np.float32),
        "vm_disk_iops": iops / stall,
        "vm_disk_kbs": kbs / stall,
        "vm_flush_ms": flush * np.exp(0.2 * world.noise("vm_flush_ms", "vm")),
    }, seen.astype(np.float32)
