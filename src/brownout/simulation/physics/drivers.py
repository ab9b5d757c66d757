"""The causal inputs of a fleet: what faults act on, before any metric is computed."""

from dataclasses import dataclass, field

import numpy as np

from brownout.simulation.layout.fleet_layout import Layout
from brownout.simulation.physics.load import Array

__all__ = ["FACTORS", "Drivers", "of_guest", "within"]

CORE_GUEST = {"cpu", "quota", "leak", "balloon", "io", "viewers", "change", "throttle"}
FACTORS = {
    "clock", "disk_service", "quota", "io", "change",
    "net_speed", "guest_ipc", "guest_cache_miss", "guest_kib", "guest_fps", "guest_flush",
}  # fmt: skip
"""Inputs that are 1 when nothing is wrong; all others are 0."""


def of_guest(driver: str) -> bool:
    """Whether an input belongs to a guest and not to a host."""
    return driver in CORE_GUEST or driver.startswith("guest_")


@dataclass(eq=False)
class Drivers:
    """Arrays ``[host, time]`` and ``[vm, time]`` that faults add to or multiply.

    Host: ``host_cpu`` extra cores in demand, ``clock`` frequency ratio, ``host_memory`` extra share of RAM in use,
    ``disk_load`` extra use of the disk (share of its capacity), ``disk_service`` factor on its service time,
    ``disk_fill`` extra percent used, ``link_load`` extra use of the uplink, ``rtt`` ms, ``loss`` probability and
    ``jitter`` ms added on the path to it.
    Guest: ``cpu`` extra share of its vCPUs wanted, ``quota`` share of them it may use, ``leak`` percent of its memory
    lost, ``balloon`` share of memory taken away, ``io`` factor on its disk requests, ``viewers`` extra console
    clients, ``change`` factor on how much the screen changes, ``throttle`` ms that the emulator waits for its quota.

    ``extra`` holds further ones, ``host_…``, ``disk_…``, ``net_…`` of hosts and ``guest_…`` of guests, that few faults
    need: each is the excess, or the factor, of what its name says.
    """

    host_cpu: Array
    clock: Array
    host_memory: Array
    disk_load: Array
    disk_service: Array
    disk_fill: Array
    link_load: Array
    rtt: Array
    loss: Array
    jitter: Array
    cpu: Array
    quota: Array
    leak: Array
    balloon: Array
    io: Array
    viewers: Array
    change: Array
    throttle: Array
    extra: dict[str, Array] = field(default_factory=dict)

    @classmethod
    def healthy(cls, layout: Layout, slots: int) -> "Drivers":
        """Nothing extra anywhere."""
        drivers = cls.__new__(cls)
        for name in cls.__dataclass_fields__:
            setattr(drivers, name, {} if name == "extra" else _neutral(name, layout, slots))
        return drivers

    def target(self, name: str, layout: Layout) -> Array:
        """The array of an input, to be changed."""
        core: Array | None = getattr(self, name, None)
        if core is not None:
            return core
        if name not in self.extra:
            self.extra[name] = _neutral(name, layout, self.cpu.shape[1])
        return self.extra[name]

    def more(self, name: str) -> Array:
        """A further input ``[row, time]``, or its neutral value ``[1, 1]`` where no fault touched it."""
        return self.extra.get(name, np.full((1, 1), float(name in FACTORS)))

    def on_guests(self, name: str, layout: Layout) -> Array:
        """A further input of hosts as each of their guests feels it."""
        return layout.felt(self.extra[name]) if name in self.extra else self.more(name)


def _neutral(name: str, layout: Layout, slots: int) -> Array:
    rows = len(layout.vcpus) if of_guest(name) else len(layout.cores)
    return np.full((rows, slots), float(name in FACTORS))


def within(first: int, last: int, drivers: Drivers) -> slice:
    """The slots from ``first`` until before ``last`` that the drivers have; empty where they have none of them."""
    slots = drivers.cpu.shape[1]
    start = min(max(first, 0), slots)
    return slice(start, max(min(last, slots), start))
