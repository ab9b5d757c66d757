"""The causal inputs of a fleet: what faults act on, before any metric is computed; see ``drivers.toml``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from brownout.domain.definitions import read_definitions
from brownout.simulation.layout.fleet_layout import Layout
from brownout.simulation.physics.load import Array

__all__ = ["Driver", "Drivers", "read_drivers", "within"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """One causal input: of each ``host`` or ``guest``, and its value when nothing is wrong (1 for a factor, else 0)."""

    on: Literal["host", "guest"]
    neutral: float
    says: str


def read_drivers(site: Path | None = None, *, shipped: Path | None = None) -> dict[str, Driver]:
    """Drivers by name; raises KnowledgeError naming file, table and value of what is wrong."""
    drivers = {}
    for name, definition in read_definitions("drivers", site=site, shipped=shipped).items():
        keys = tuple(Driver.__dataclass_fields__)
        definition.check_keys(keys, required=keys)
        if definition.fields["on"] not in {"host", "guest"}:
            raise definition.unknown("entity (on)", definition.fields["on"], ("host", "guest"))
        if definition.fields["neutral"] not in {0, 1}:
            raise definition.error(f"neutral = {definition.fields['neutral']!r}.", remedy="Write 0, or 1 for a factor.")
        if definition.enabled:
            drivers[name] = Driver(**definition.fields)
    return drivers


@dataclass(eq=False)
class Drivers:
    """Arrays ``[host, time]`` and ``[vm, time]`` that faults add to or multiply, by the names of ``drivers.toml``.

    Those that the physics always reads are attributes; ``extra`` holds the others, where a fault or an operation
    touched them. ``known`` says what each is on, and its neutral value.
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
    known: Mapping[str, Driver]
    extra: dict[str, Array] = field(default_factory=dict)

    @classmethod
    def healthy(cls, layout: Layout, slots: int, known: Mapping[str, Driver]) -> "Drivers":
        """Nothing extra anywhere."""
        names = [name for name in cls.__dataclass_fields__ if name not in {"known", "extra"}]
        arrays: dict[str, Any] = {name: _neutral(known[name], layout, slots) for name in names}
        return cls(**arrays, known=known)

    def target(self, name: str, layout: Layout) -> Array:
        """The array of an input, to be changed."""
        array: Array | None = getattr(self, name, None)
        if array is not None:
            return array
        if name not in self.extra:
            self.extra[name] = _neutral(self.known[name], layout, self.cpu.shape[1])
        return self.extra[name]

    def more(self, name: str) -> Array:
        """An input ``[row, time]``, or its neutral value ``[1, 1]`` where no fault touched it."""
        array: Array | None = getattr(self, name, None)
        if array is not None:
            return array
        return self.extra[name] if name in self.extra else np.full((1, 1), self.known[name].neutral)

    def on_guests(self, name: str, layout: Layout) -> Array:
        """An input of hosts as each of their guests feels it."""
        touched = name in self.extra or hasattr(self, name)
        return layout.felt(self.more(name)) if touched else self.more(name)


def _neutral(driver: Driver, layout: Layout, slots: int) -> Array:
    rows = len(layout.vcpus) if driver.on == "guest" else len(layout.cores)
    return np.full((rows, slots), float(driver.neutral))


def within(first: int, last: int, drivers: Drivers) -> slice:
    """The slots from ``first`` until before ``last`` that the drivers have; empty where they have none of them."""
    slots = drivers.cpu.shape[1]
    start = min(max(first, 0), slots)
    return slice(start, max(min(last, slots), start))
