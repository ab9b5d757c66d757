"""Signatures: measurements that tell one cause from its look-alikes, by kind of entity."""

import numpy as np

from brownout.simulation.fleet_settings import FleetSettings
from brownout.simulation.layout.fleet_layout import Layout
from brownout.simulation.physics.consoles import Consoles, Guests
from brownout.simulation.physics.demand import Demand
from brownout.simulation.physics.draws import Draws
from brownout.simulation.physics.drivers import Drivers
from brownout.simulation.physics.hosts import Hosts
from brownout.simulation.physics.load import Array, ar1

__all__ = ["SIGNATURES", "signatures"]

SIGNATURES = (
    "host_softirq_pct", "host_cpu_peak_pct", "host_throttle_per_min", "host_numa_remote_pct", "host_thp_fallback_per_s",
    "host_reclaim_per_s", "host_dirty_pct", "host_rt_cpu_pct", "host_close_wait", "host_mem_errors_per_h",
    "host_clock_offset_ms", "host_uptime_h", "host_vm_starts_per_min", "host_maintenance", "net_err_per_s",
    "net_slaves_down", "net_speed_mbits", "disk_bad_sectors", "disk_degraded", "vm_ipc", "vm_cache_miss_per_ki",
    "vm_system_share_pct", "vm_throttled_pct", "vm_flush_ms", "vm_paused", "vm_migrating", "vm_block_job",
    "vm_qemu_extra_mib", "vm_uptime_h", "console_failed_pct", "console_stalled_pct", "console_echo_lost_pct",
    "console_proxied_ms", "console_lowbw", "console_agent", "console_awake", "console_probe_lag_ms",
    "console_drops_per_h",
)  # fmt: skip
"""Metrics that only a fleet with signatures measures."""


def signatures(
    settings: FleetSettings,
    layout: Layout,
    state: tuple[Demand, Drivers, Hosts, Guests, Consoles],
    rng: Draws,
) -> dict[str, dict[str, Array]]:
    """Columns by kind, ``[entity, time]``."""
    _, drivers, hosts, guests, consoles = state
    maker = _Maker(settings, layout, drivers, rng)
    return {
        "host": maker.host(hosts),
        "interface": maker.interface(),
        "disk": maker.disk(),
        "vm": maker.vm(guests),
        "console": maker.console(consoles),
    }


class _Maker:
    """Makes columns; every healthy value has its own level and noise, every fault adds what its driver says."""

    def __init__(self, settings: FleetSettings, layout: Layout, drivers: Drivers, rng: Draws) -> None:
        self.settings, self.layout, self.drivers, self.rng = settings, layout, drivers, rng
        self.slots = drivers.cpu.shape[1]
        self.hosts = (len(layout.cores), self.slots)
        self.guests = (len(layout.vcpus), self.slots)

    def noisy(self, values: Array, share: float, shape: tuple[int, int]) -> Array:
        """Values with relative noise, spread to a shape."""
        return np.broadcast_to(values, shape) * self.rng.lognormal(0, share, shape)

    def rare(self, per_day: float, size: float, shape: tuple[int, int]) -> Array:
        """Now and then a small count, mostly 0."""
        rate = per_day * self.settings.interval_s / 86_400
        counts: Array = self.rng.poisson(rate, shape).astype(np.float64) * size
        return counts

    def hourly(self, rate: Array, shape: tuple[int, int]) -> Array:
        """Events of the last hour, from how many an hour there are: a collector counts what has happened."""
        lag = max(3600 // self.settings.interval_s, 1)
        last = self.rng.carried(np.zeros((shape[0], lag), np.int64))
        events = self.rng.poisson(np.broadcast_to(rate, shape) * self.settings.interval_s / 3600)
        known = np.concatenate([last[0], events], axis=1)
        last[0] = known[:, -lag:]
        total = np.pad(known.cumsum(axis=1), ((0, 0), (1, 0)))
        found: Array = (total[:, lag + 1 :] - total[:, 1 : shape[1] + 1]).astype(np.float64)
        return found

    def flag(self, driver: str, shape: tuple[int, int]) -> Array:
        """1 where a fault is on."""
        return np.broadcast_to(np.where(self.drivers.more(driver) > 0, 1.0, 0.0), shape).copy()

    def uptime(self, rows: int, restart: Array) -> Array:
        """Hours since the start, from 0 again at each restart."""
        hour = self.settings.interval_s / 3600
        over = self.rng.carried(0)
        slots = over[0] + np.arange(self.slots)
        over[0] += self.slots
        age = self.rng.once(lambda: self.rng.uniform(200, 6000, (rows, 1))) + hour * slots
        last = self.rng.carried(np.full((rows, 1), -1))
        began = np.where(np.broadcast_to(restart, age.shape) > 0, slots, -1)
        began = np.maximum.accumulate(np.maximum(began, last[0]), axis=1)
        last[0] = began[:, -1:]
        return np.where(began >= 0, hour * (slots - began), age)

    def host(self, hosts: Hosts) -> dict[str, Array]:
        more, shape = self.drivers.more, self.hosts
        hot = np.where(more("host_cpu_peak") > 0, 99.5, np.minimum(hosts.busy + 14, 97))
        # What is on from the first slot has not begun within the data.
        began = np.broadcast_to(more("host_restart") > 0, shape)
        before = self.rng.carried(began[:, :1])
        begun = began & ~np.concatenate([before[0], began[:, :-1]], axis=1)
        before[0] = began[:, -1:]
        return {
            "host_softirq_pct": np.minimum(
                self.noisy(2 + 12 * hosts.link_use + more("host_softirq"), 0.15, shape), 100
            ),
            "host_cpu_peak_pct": np.minimum(self.noisy(hot, 0.02, shape), 100),
            "host_throttle_per_min": np.floor(self.noisy(more("host_throttle"), 0.4, shape)) + self.rare(0.2, 1, shape),
            "host_numa_remote_pct": self.noisy(3 + more("host_numa_remote"), 0.15, shape),
            "host_thp_fallback_per_s": self.noisy(0.6 + more("host_thp_fallback"), 0.4, shape),
            "host_reclaim_per_s": self.noisy(0.3 + 2500 * hosts.pressure + more("host_reclaim"), 0.4, shape),
            "host_dirty_pct": self.noisy(0.8 + 1.5 * hosts.disk_use + more("host_dirty"), 0.2, shape),
            "host_rt_cpu_pct": self.noisy(0.3 + more("host_rt"), 0.05, shape),
            "host_close_wait": np.floor(self.noisy(6 + more("host_close_wait"), 0.1, shape)),
            "host_mem_errors_per_h": self.hourly(more("host_mem_errors") + 0.1 / 24, shape),
            "host_clock_offset_ms": np.abs(self.rng.normal(0, 3, shape))
            + more("host_clock_offset")
            + 1000 * more("host_clock_ahead_s"),
            "host_uptime_h": self.uptime(shape[0], begun),
            "host_vm_starts_per_min": np.floor(self.noisy(more("host_vm_starts"), 0.3, shape))
            + self.rare(0.5, 1, shape),
            "host_maintenance": self.flag("host_maintenance", shape),
        }

    def interface(self) -> dict[str, Array]:
        more, shape = self.drivers.more, self.hosts
        speed = self.layout.speed[:, None] * 8.192e-3 * more("net_speed")
        return {
            "net_err_per_s": np.floor(self.noisy(more("net_errors"), 0.4, shape)) + self.rare(0.1, 1, shape),
            "net_slaves_down": self.flag("net_slaves_down", shape),
            "net_speed_mbits": np.broadcast_to(np.round(speed), shape).copy(),
        }

    def disk(self) -> dict[str, Array]:
        shape = self.hosts
        old = np.floor(self.rng.once(lambda: self.rng.uniform(0, 1, (shape[0], 1))) ** 6 * 30)
        return {
            "disk_bad_sectors": old + np.floor(np.broadcast_to(self.drivers.more("disk_bad_sectors"), shape)),
            "disk_degraded": self.flag("disk_degraded", shape),
        }

    def vm(self, guests: Guests) -> dict[str, Array]:
        more, shape = self.drivers.more, self.guests
        level = self.rng.once(lambda: self.rng.uniform(0.8, 1.5, (shape[0], 1)))
        misses = self.rng.once(lambda: self.rng.uniform(2, 8, (shape[0], 1)))
        flush = guests.await_ms * 1.3 * more("guest_flush")
        return {
            "vm_ipc": self.noisy(level * more("guest_ipc"), 0.05, shape),
            "vm_cache_miss_per_ki": self.noisy(misses * more("guest_cache_miss"), 0.12, shape),
            "vm_system_share_pct": np.minimum(self.noisy(5.5 + more("guest_system"), 0.15, shape), 95),
            "vm_throttled_pct": np.minimum(self.noisy(more("guest_throttled"), 0.15, shape), 100),
            "vm_flush_ms": self.noisy(flush, 0.2, shape),
            "vm_paused": self.flag("guest_paused", shape),
            "vm_migrating": self.flag("guest_migrating", shape),
            "vm_block_job": self.flag("guest_block_job", shape),
            "vm_qemu_extra_mib": self._extra(shape),
            "vm_uptime_h": self.uptime(shape[0], np.maximum(more("guest_restart"), more("guest_arrives"))),
        }

    def _extra(self, shape: tuple[int, int]) -> Array:
        own = self.rng.once(lambda: self.rng.uniform(120, 320, (shape[0], 1)))
        walk = 8 * ar1(self.rng, shape, steps=7200 / self.settings.interval_s)
        return np.maximum(own + walk + self.drivers.more("guest_extra_mib"), 50)

    def console(self, consoles: Consoles) -> dict[str, Array]:
        more, shape = self.drivers.more, self.guests
        probes = max(round(6 * self.settings.interval_s / 60), 1)
        # The old host closes the console of a guest that leaves it: one attempt fails, one session drops.
        left = more("guest_arrives")
        failed = np.clip(more("guest_failed") + left / probes, 0, 0.98)
        drops = more("guest_drops") + left * 3600 / self.settings.interval_s
        proxy = self.rng.once(lambda: self.rng.uniform(3, 15, (shape[0], 1)))
        return {
            "console_failed_pct": 100 * self.rng.binomial(probes, np.broadcast_to(failed, shape)) / probes,
            "console_stalled_pct": 100 * np.clip(self.noisy(more("guest_stalled"), 0.1, shape), 0, 1),
            "console_echo_lost_pct": 100 * self.flag("guest_echo_lost", shape),
            "console_proxied_ms": self.noisy(2 * consoles.connect + proxy + more("guest_proxied_ms"), 0.08, shape),
            "console_lowbw": self.flag("guest_lowbw", shape),
            "console_agent": 1 - self.flag("guest_agent_down", shape),
            "console_awake": 1 - self.flag("guest_asleep", shape),
            "console_probe_lag_ms": self.noisy(0.3 + more("guest_probe_lag_ms"), 0.3, shape),
            "console_drops_per_h": self.hourly(drops + 0.3 / 24, shape),
        }
