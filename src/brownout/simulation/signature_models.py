"""Measurements that no formula of ``measurements.toml`` says: each is named there as ``model``."""

from collections.abc import Callable, Mapping

import numpy as np

from brownout.simulation.measured_state import MeasuredState
from brownout.simulation.physics.load import Array, ar1

__all__ = ["MODELS"]


def _busiest_cpu(state: MeasuredState) -> Array:
    """Percent of the busiest CPU: above the mean of all, and full where a single thread takes it."""
    hot = np.where(state.drivers.more("host_cpu_peak") > 0, 99.5, np.minimum(state.hosts.busy + 14, 97))
    return np.minimum(state.noisy(hot, 0.02, state.shape("host")), 100)


def _clock_offset(state: MeasuredState) -> Array:
    """Milliseconds, without a sign."""
    more = state.drivers.more
    noise = np.abs(state.rng.normal(0, 3, state.shape("host")))
    offset: Array = noise + more("host_clock_offset") + 1000 * more("host_clock_ahead_s")
    return offset


def _host_uptime(state: MeasuredState) -> Array:
    """Hours; what is on from the first slot has not begun within the data."""
    shape = state.shape("host")
    on = np.broadcast_to(state.drivers.more("host_restart") > 0, shape)
    before = state.rng.carried(on[:, :1])
    begun = on & ~np.concatenate([before[0], on[:, :-1]], axis=1)
    before[0] = on[:, -1:]
    return state.uptime(shape[0], begun)


def _link_speed(state: MeasuredState) -> Array:
    """Mbit/s as the interface says it."""
    speed = state.layout.speed[:, None] * 8.192e-3 * state.drivers.more("net_speed")
    return np.broadcast_to(np.round(speed), state.shape("interface")).copy()


def _bad_sectors(state: MeasuredState) -> Array:
    """Few old ones on most disks, many on some, and those of the fault."""
    shape = state.shape("disk")
    old = np.floor(state.rng.once(lambda: state.rng.uniform(0, 1, (shape[0], 1))) ** 6 * 30)
    return old + np.floor(np.broadcast_to(state.drivers.more("disk_bad_sectors"), shape))


def _qemu_extra_memory(state: MeasuredState) -> Array:
    """MiB beyond the guest's own memory: a level of each guest that drifts."""
    shape = state.shape("vm")
    level = state.rng.once(lambda: state.rng.uniform(120, 320, (shape[0], 1)))
    drift = 8 * ar1(state.rng, shape, steps=7200 / state.settings.interval_s)
    return np.maximum(level + drift + state.drivers.more("guest_extra_mib"), 50)


def _guest_uptime(state: MeasuredState) -> Array:
    """Hours; a guest that arrives from another host begins anew."""
    more = state.drivers.more
    return state.uptime(state.shape("vm")[0], np.maximum(more("guest_restart"), more("guest_arrives")))


def _failed_attempts(state: MeasuredState) -> Array:
    """Percent of some probes a minute; the old host closes the console of a guest that leaves it, so one fails."""
    probes = max(round(6 * state.settings.interval_s / 60), 1)
    failed = np.clip(state.drivers.more("guest_failed") + state.drivers.more("guest_arrives") / probes, 0, 0.98)
    percent: Array = 100 * state.rng.binomial(probes, np.broadcast_to(failed, state.shape("console"))) / probes
    return percent


def _cut_sessions(state: MeasuredState) -> Array:
    """Sessions of the last hour that were cut: by another client, or since the guest moved to another host."""
    left = state.drivers.more("guest_arrives") * 3600 / state.settings.interval_s
    return state.last_hour(state.drivers.more("guest_drops") + left + 0.3 / 24, state.shape("console"))


MODELS: Mapping[str, Callable[[MeasuredState], Array]] = {
    "busiest_cpu": _busiest_cpu,
    "clock_offset": _clock_offset,
    "host_uptime": _host_uptime,
    "link_speed": _link_speed,
    "bad_sectors": _bad_sectors,
    "qemu_extra_memory": _qemu_extra_memory,
    "guest_uptime": _guest_uptime,
    "failed_attempts": _failed_attempts,
    "cut_sessions": _cut_sessions,
}
