"""What a simulated collector looks at: the state of a fleet over a stretch of time, with the noise of measuring it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from brownout.simulation.fleet_settings import FleetSettings
from brownout.simulation.layout.fleet_layout import Layout
from brownout.simulation.physics.consoles import Consoles, Guests
from brownout.simulation.physics.demand import Demand
from brownout.simulation.physics.draws import Draws
from brownout.simulation.physics.drivers import Drivers
from brownout.simulation.physics.hosts import Hosts
from brownout.simulation.physics.load import Array

__all__ = ["GUEST_KINDS", "STATES", "MeasuredState"]

STATES: Mapping[str, tuple[str, ...]] = {
    name: tuple(field.name for field in fields(state))
    for name, state in (("demand", Demand), ("hosts", Hosts), ("guests", Guests), ("consoles", Consoles))
}
"""States and their arrays that a formula can name, as in ``hosts.link_use``."""
GUEST_KINDS = ("vm", "console")
"""Kinds of entities of which each guest has one; of all others each host has one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MeasuredState:
    """Arrays ``[host, time]`` and ``[vm, time]`` of everything that happened, and the random numbers of measuring."""

    settings: FleetSettings
    layout: Layout
    drivers: Drivers
    demand: Demand
    hosts: Hosts
    guests: Guests
    consoles: Consoles
    rng: Draws

    @property
    def slots(self) -> int:
        """Number of slots."""
        return int(self.drivers.cpu.shape[1])

    def shape(self, kind: str) -> tuple[int, int]:
        """Entities of a kind, and slots."""
        return len(self.layout.vcpus if kind in GUEST_KINDS else self.layout.cores), self.slots

    def source(self, name: str, kind: str) -> Array:
        """A driver or a state by name, as an entity of a kind feels it; ``[row, time]`` or ``[1, 1]``."""
        group, _, state = name.partition(".")
        of_guest = kind in GUEST_KINDS
        if not state:
            on_host = self.drivers.known[name].on == "host"
            return self.drivers.on_guests(name, self.layout) if of_guest and on_host else self.drivers.more(name)
        values: Array = getattr(getattr(self, group), state)
        return self.layout.felt(values) if of_guest and group == "hosts" else values

    def noisy(self, values: Array, share: float, shape: tuple[int, int]) -> Array:
        """Values with relative noise, spread to a shape."""
        return np.broadcast_to(values, shape) * self.rng.lognormal(0, share, shape)

    def rare(self, per_day: float, size: float, shape: tuple[int, int]) -> Array:
        """Now and then a small count, mostly 0."""
        counts: Array = self.rng.poisson(per_day * self.settings.interval_s / 86_400, shape).astype(np.float64) * size
        return counts

    def last_hour(self, rate: Array, shape: tuple[int, int]) -> Array:
        """Random events of the last hour, from how many an hour there are: a collector counts what has happened."""
        lag = max(3600 // self.settings.interval_s, 1)
        last = self.rng.carried(np.zeros((shape[0], lag), np.int64))
        events = self.rng.poisson(np.broadcast_to(rate, shape) * self.settings.interval_s / 3600)
        known = np.concatenate([last[0], events], axis=1)
        last[0] = known[:, -lag:]
        total = np.pad(known.cumsum(axis=1), ((0, 0), (1, 0)))
        counts: Array = (total[:, lag + 1 :] - total[:, 1 : shape[1] + 1]).astype(np.float64)
        return counts

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
