"""Stages of a console: connect, main loop, first update, echo, frames; what each waits for."""

import numpy as np

from fleets.physics.compute import Compute
from fleets.physics.memory import Memory
from fleets.physics.network import Network
from fleets.physics.storage import Storage
from fleets.physics.world import Readings, World
from fleets.site.streams import Floats, counted, spikes

__all__ = ["console"]

SYN_AGAIN_MS = 1000
PROBES_PER_S = 0.1
"""A handshake every ten seconds."""
UPDATES_PER_S = 1 / 30


def console(world: World, cpu: Compute, ram: Memory, disk: Storage, net: Network) -> Readings:
    """Console metrics of all guests, as a probe near its site sees them."""
    rtt, loss = world.at_guests(net.rtt_ms), world.at_guests(net.loss)
    refused = world.at_guests(world.levers.get("host.syn_loss"))
    probes = max(round(world.axis.interval_s * PROBES_PER_S), 1)
    again = counted(world.streams.of("console.syn"), probes, np.minimum(2 * loss + refused, 1), world.vm_shape) / probes
    connect = rtt * np.exp(0.06 * world.noise("console_connect_ms", "vm")) + 0.08 + SYN_AGAIN_MS * again * (loss < 0.9)
    loop = _main_loop(world, cpu, ram, disk)
    encode, size, worker = _encoding(world, cpu)
    room = np.maximum(world.at_guests(net.free_kbs) * 0.8, 20)
    shaky = world.uniform("console_update_ms", "vm")
    refresh = 15 + (shaky - 0.5) * 30 / np.sqrt(max(world.axis.interval_s * UPDATES_PER_S, 1))
    late = 220 * np.minimum(40 * loss, 1)
    update = connect + refresh + loop + encode + 1000 * size / room + late + rtt
    tail = spikes(world.streams.of("console.tail"), world.vm_shape, chance=0.003)
    update = update * (0.6 + 0.4 * tail) * np.exp(0.05 * world.noise("console.update", "vm"))
    readings = {
        "console_connect_ms": connect,
        "console_mainloop_ms": loop,
        "console_update_ms": update,
        "console_update_kib": size,
        "console_echo_ms": _echo(world, cpu, ram, disk, update),
        "console_proxied_ms": connect
        + 6 * np.exp(0.2 * world.noise("console_proxied_ms", "vm"))
        + world.at_guests(world.levers.get("host.proxy_ms")),
        "console_worker_pct": worker,
        **_frames(world, (rtt, loop, encode, 1000 * size / room), worker, loss),
    }
    return _failures(world, readings, (loss, refused), probes)


def _main_loop(world: World, cpu: Compute, ram: Memory, disk: Storage) -> Floats:
    lever = world.levers.get
    wait = 0.25 * np.exp(0.55 * world.noise("console_mainloop_ms", "vm", tau_s=60))
    wait = wait * spikes(world.streams.of("console.loop.tail"), world.vm_shape, chance=0.008)
    crowd = world.at_guests(np.maximum(cpu.load - 0.93, 0)) * 40 + 2.5 * np.maximum(cpu.ready - 0.15, 0)
    tied = lever("vm.loop_ms_per_iops") * disk.guest_iops * (0.4 + disk.guest_await / 2)
    pages = world.at_guests(ram.deficit)
    touch = 55 * pages * np.exp(1.1 * world.noise("console.swapped", "vm", tau_s=45))
    quota = lever("vm.emulator_wait_ms") * (1 + 0.3 * world.noise("console.quota", "vm", tau_s=30))
    stall = world.at_guests(lever("host.stall_ms")) * np.exp(0.4 * world.noise("console.stall", "vm"))
    return np.maximum(wait + crowd + np.minimum(tied, 400) + touch + np.maximum(quota, 0) + stall, 0.01)


def _encoding(world: World, cpu: Compute) -> tuple[Floats, Floats, Floats]:
    """Time to encode one update in ms, its size in KiB, use of the worker thread in %."""
    lever = world.levers.get
    size = 16 * lever("vm.update") * np.exp(0.18 * world.noise("console_update_kib", "vm"))
    alone = (5 + 0.05 * size) * lever("vm.encode") / (cpu.clock * np.maximum(cpu.share, 0.3))
    viewers = world.demand.viewers + lever("vm.viewers")
    changing = np.clip(world.demand.screen + lever("vm.screen"), 0, 1)
    wanted = 22 * changing * viewers * alone / 1000
    load = np.minimum(wanted, 0.97)
    waited = alone * (1 + 0.8 * load / (1 - load)) + 60 * np.maximum(wanted - 0.97, 0)
    worker = 100 * np.minimum(wanted, 1) * np.exp(0.08 * world.noise("console_worker_pct", "vm")) + 0.3
    return waited, size, np.clip(worker, 0, 100)


def _echo(world: World, cpu: Compute, ram: Memory, disk: Storage, update: Floats) -> Floats:
    render = 20 * np.exp(0.25 * world.noise("console_echo_ms", "vm")) / np.maximum(cpu.share, 0.3)
    own = world.demand.cores + world.levers.get("vm.cpu_cores")
    busy = np.clip(own / world.layout.vcpus[:, None], 0, 1)
    waiting = 40 * np.minimum(cpu.ready, 2) + 25 * np.maximum(busy - 0.85, 0) / 0.15
    quota = np.where(world.levers.get("vm.quota") < 1, 70 * np.clip(busy - world.levers.get("vm.quota"), 0, 1), 0)
    held = 90 * world.levers.get("vm.migration_throttle")
    blocked = 0.35 * np.minimum(disk.guest_await, 300)
    return (update + render + waiting + quota + held + blocked) * (1 + 24 * ram.distress**2)


def _frames(world: World, parts: tuple[Floats, Floats, Floats, Floats], worker: Floats, loss: Floats) -> Readings:
    rtt, loop, encode, transfer = parts
    viewers = world.demand.viewers + world.levers.get("vm.viewers")
    changing = np.clip(world.demand.screen + world.levers.get("vm.screen"), 0, 1)
    rate = 1000 / np.maximum(33, rtt + loop + encode + transfer + 9) * (1 - np.minimum(6 * loss, 0.6))
    rate = rate * np.where(worker >= 97, 0.8, 1) + 0.5 * world.noise("console_fps", "vm")
    live = (viewers > 0) & (changing > 0.02)
    jumpy = (0.7 + 0.05 * loop + 30 * loss + 0.03 * np.maximum(worker - 80, 0)) * np.exp(
        0.35 * world.noise("console_fps_stddev", "vm")
    )
    spread = np.minimum(jumpy, 12)
    sent = viewers * changing * np.clip(rate, 0, 33) * 16 * world.levers.get("vm.update") * 0.7
    return {
        "console_fps": np.where(live, np.clip(rate, 0, 33), np.nan).astype(np.float32),
        "console_fps_stddev": np.where(live, spread, np.nan).astype(np.float32),
        "console_sent_kbs": sent * np.exp(0.3 * world.noise("console_sent_kbs", "vm")),
        "console_clients": viewers,
    }


def _failures(world: World, readings: Readings, gone: tuple[Floats, Floats], probes: int) -> Readings:
    """Probes that fail, and what is then missing: an unreachable console has no latency."""
    loss, refused = gone
    hang = np.broadcast_to(world.levers.get("vm.hang") > 0.5, world.vm_shape)
    down = np.broadcast_to(world.alive < 0.5, world.vm_shape)
    chance = np.where(down, 1.0, np.clip(loss**2 * 3 + np.where(loss > 0.9, 1, 0) + 0.6 * refused, 0, 1))
    failed = counted(world.streams.of("console_failed_pct"), probes, chance, world.vm_shape) / probes
    silent = failed >= 1
    lost = np.where(hang, 1.0, np.clip(loss * 2, 0, 0.5))
    echoes = max(probes // 3, 1)
    unseen = counted(world.streams.of("console_echo_lost_pct"), echoes, lost, world.vm_shape) / echoes
    stages = {name: np.where(silent, np.nan, values).astype(np.float32) for name, values in readings.items()}
    stages["console_echo_ms"] = np.where(unseen >= 1, np.nan, stages["console_echo_ms"]).astype(np.float32)
    stages["console_fps"] = np.where(hang & ~silent, 0, stages["console_fps"]).astype(np.float32)
    return {
        **stages,
        "console_failed_pct": (100 * failed).astype(np.float32),
        "console_echo_lost_pct": np.where(silent, np.nan, 100 * unseen).astype(np.float32),
    }
