"""What the physics acts on: the fleet, its wants, its levers and where each guest is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fleets.site.clock import Axis
from fleets.site.demand import Demand
from fleets.site.layout import Layout
from fleets.site.levers import Levers
from fleets.site.streams import Floats, Streams, smooth

__all__ = ["Readings", "Stay", "World", "queue_wait"]

Readings = dict[str, Floats]
Stay = tuple[int, int, slice]
"""A guest, a host, and the slots in which it is there."""


@dataclass(frozen=True, kw_only=True)
class World:
    """A fleet over time; ``starts`` are the slots at which hosts and guests started, beside long ago."""

    axis: Axis
    layout: Layout
    streams: Streams
    demand: Demand
    levers: Levers
    stays: Sequence[Stay]
    host_starts: Sequence[tuple[int, int]] = ()
    vm_starts: Sequence[tuple[int, int]] = ()

    @property
    def host_shape(self) -> tuple[int, int]:
        """Hosts and slots."""
        return len(self.layout.hosts), self.axis.slots

    @property
    def vm_shape(self) -> tuple[int, int]:
        """Guests and slots."""
        return len(self.layout.guests), self.axis.slots

    def on_hosts(self, values: Floats) -> Floats:
        """Sums ``[host, slot]`` over the guests that are there, of values ``[guest, slot]``."""
        total = np.zeros(self.host_shape, np.float32)
        for guest, host, when in self.stays:
            total[host, when] += values[guest, when]
        return total

    def at_guests(self, values: Floats) -> Floats:
        """Values ``[guest, slot]`` of the host that each guest is on."""
        wide = np.broadcast_to(values, self.host_shape)
        found = np.zeros(self.vm_shape, np.float32)
        for guest, host, when in self.stays:
            found[guest, when] = wide[host, when]
        return found

    def noise(self, name: str, kind: str, *, tau_s: float = 120) -> Floats:
        """Autocorrelated noise of unit variance for a metric of hosts or guests."""
        shape = self.host_shape if kind == "host" else self.vm_shape
        return smooth(self.streams.of(name), shape, tau_s=tau_s, interval_s=self.axis.interval_s)

    def uniform(self, name: str, kind: str) -> Floats:
        """Independent draws between 0 and 1."""
        shape = self.host_shape if kind == "host" else self.vm_shape
        return self.streams.of(name).random(shape, dtype=np.float32)

    @property
    def alive(self) -> Floats:
        """1 where a guest runs, 0 where it is off, ``[guest, slot]`` or ``[1, 1]``."""
        return 1 - np.clip(self.levers.get("vm.down"), 0, 1)

    def states(self) -> Readings:
        """Metrics that are read off rather than measured: uptimes, flags."""
        lever = self.levers.get
        ones_h, ones_v = np.ones(self.host_shape, np.float32), np.ones(self.vm_shape, np.float32)
        rng = self.streams.of("uptime")
        vm_up = self._uptime(self.vm_starts, rng.uniform(90, 2600, self.vm_shape[0]))
        started = np.zeros(self.vm_shape, np.float32)
        for guest, slot in self.vm_starts:
            if 0 <= slot < self.axis.slots:
                started[guest, slot] = 60 / self.axis.interval_s
        offset = np.abs(0.4 * self.noise("host_clock_offset_ms", "host", tau_s=1800)) + 0.05
        return {
            "host_uptime_h": self._uptime(self.host_starts, rng.uniform(300, 4000, self.host_shape[0])),
            "host_vm_starts_per_min": self.on_hosts(started),
            "host_maintenance": lever("host.maintenance") * ones_h,
            "host_clock_offset_ms": offset + np.abs(lever("host.clock_ms")),
            "vm_uptime_h": vm_up,
            "vm_migrating": lever("vm.migrating") * ones_v,
            "vm_block_job": np.minimum(lever("vm.block_job"), 1) * ones_v,
            "vm_paused": 0 * ones_v,
        }

    def _uptime(self, starts: Sequence[tuple[int, int]], before_h: np.ndarray) -> Floats:
        hours = self.axis.interval_s / 3600
        up = before_h[:, None] + np.arange(self.axis.slots) * hours
        for row, slot in sorted(starts, key=lambda start: start[1]):
            up[row, slot:] = (np.arange(self.axis.slots - slot) + 0.3) * hours
        return up.astype(np.float32)


def queue_wait(load: Floats, servers: Floats | float) -> Floats:
    """Mean wait in units of the service time: Sakasegawa's approximation of Erlang C, load capped at 0.985."""
    rho = np.clip(load, 0, 0.985)
    waiting: Floats = rho ** (np.sqrt(2 * (servers + 1)) - 1) / (servers * (1 - rho))
    return waiting
