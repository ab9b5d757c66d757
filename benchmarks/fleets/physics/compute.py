"""CPUs of hosts and guests: a queue for each host, quotas of guests, clock ratio."""

from dataclasses import dataclass

import numpy as np

from fleets.physics.world import Readings, World, queue_wait
from fleets.site.streams import Floats, ema

__all__ = ["Compute", "compute"]


@dataclass(frozen=True, kw_only=True)
class Compute:
    """Metrics, and what consoles need: share of the CPU that is got, readiness as a share, clock, host load."""

    readings: Readings
    share: Floats
    ready: Floats
    clock: Floats
    load: Floats


def compute(world: World) -> Compute:
    """CPU metrics of all hosts and guests."""
    lever, vcpus = world.levers.get, world.layout.vcpus[:, None]
    cores = world.layout.host_column("cores")
    wanted = world.demand.cores * world.at_guests(lever("host.demand")) + lever("vm.cpu_cores")
    wanted = np.clip(wanted, 0, vcpus) * world.alive
    hang = np.minimum(lever("vm.hang"), 1)
    wanted = wanted * (1 - hang) + lever("vm.hang_busy") * vcpus * hang
    cap = vcpus * np.minimum(lever("vm.quota"), 1 - lever("vm.migration_throttle"))
    got = np.minimum(wanted, cap)
    emulation = (0.02 + 0.0006 * (world.demand.iops + lever("vm.iops"))) * world.alive
    clock = np.clip(0.975 + 0.008 * world.noise("host_freq_ratio", "host"), 0, 1.05) * lever("host.freq")
    capacity = cores * world.layout.host_column("speed") * clock
    load = (world.on_hosts(got + emulation) + 0.35 + 0.01 * cores + lever("host.cpu_cores")) / capacity
    wait = queue_wait(load, cores) + 3 * np.maximum(load - 0.985, 0) + lever("host.sched_wait")
    share = 1 / np.maximum(load, 1)
    return Compute(
        readings={**_hosts(world, load, wait, clock), **_guests(world, (wanted, got, cap), wait, share)},
        share=world.at_guests(share),
        ready=world.at_guests(np.minimum(wait, 2)),
        clock=world.at_guests(clock),
        load=load,
    )


def _hosts(world: World, load: Floats, wait: Floats, clock: Floats) -> Readings:
    interval = world.axis.interval_s
    busy = 100 * np.minimum(load, 1) * (1 + 0.025 * world.noise("host_cpu_busy_pct", "host", tau_s=60))
    running = ema(load * (1 + wait), tau_s=60, interval_s=interval)
    pressure = 100 * np.clip(0.9 * load * wait + 0.004 + 0.5 * np.maximum(load - 0.97, 0), 0, 0.98)
    reclaim = world.levers.get("host.reclaim")
    return {
        "host_cpu_busy_pct": np.clip(busy, 0, 100),
        "host_load_per_cpu": np.maximum(running * (1 + 0.08 * world.noise("host_load_per_cpu", "host")), 0),
        "host_psi_cpu_pct": np.clip(pressure * np.exp(0.3 * world.noise("host_psi_cpu_pct", "host")), 0, 100),
        "host_freq_ratio": clock,
        "host_throttle_per_min": np.round(world.levers.get("host.throttles") * (1 + 0 * load)),
        "host_reclaim_per_s": np.maximum(
            (reclaim + 0.3) * np.exp(0.6 * world.noise("host_reclaim_per_s", "host")) - 0.5, 0
        ),
    }


def _guests(world: World, cores: tuple[Floats, Floats, Floats], wait: Floats, share: Floats) -> Readings:
    wanted, got, cap = cores
    vcpus, lever = world.layout.vcpus[:, None], world.levers.get
    had = got * np.minimum(world.at_guests(share), 1)
    busy = 100 * had / vcpus
    queue = got / vcpus * np.minimum(world.at_guests(wait), 2)
    quota = np.where(lever("vm.quota") < 1, np.clip((wanted - cap) / vcpus, 0, 1), 0)
    ready = 100 * np.minimum(queue + quota + 0.002, 0.95) * np.exp(0.35 * world.noise("vm_ready_pct", "vm"))
    held = np.where(lever("vm.quota") < 1, np.clip((wanted / cap - 0.7) / 0.45, 0, 1), 0)
    held = np.maximum(held, lever("vm.emulator_throttled"))
    shaky = 1 + 0.08 * world.noise("vm_throttled_pct", "vm")
    share_system = 4 + 0.004 * world.demand.iops + lever("vm.system_share")
    return {
        "vm_cpu_pct": np.clip(busy * (1 + 0.03 * world.noise("vm_cpu_pct", "vm", tau_s=60)), 0, 100),
        "vm_ready_pct": np.clip(ready, 0, 100),
        "vm_throttled_pct": np.clip(100 * held * shaky, 0, 100),
        "vm_system_share_pct": np.clip(share_system * np.exp(0.1 * world.noise("vm_system_share_pct", "vm")), 0, 100),
        "vm_qemu_cpu_pct": (100 * had + 4) * np.exp(0.05 * world.noise("vm_qemu_cpu_pct", "vm")),
    }
