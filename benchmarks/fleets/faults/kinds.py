"""A kind of fault, and what it is given to act upon."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from fleets.physics.world import Readings
from fleets.site.clock import Axis
from fleets.site.layout import Guest, Host, Layout
from fleets.site.levers import Levers
from fleets.site.streams import Floats

__all__ = ["FaultKind", "Impact", "Symptom"]


@dataclass(frozen=True, kw_only=True)
class Symptom:
    """A metric that must move, upwards or downwards: at the entity itself, its host, its guests or its neighbours."""

    metric: str
    where: str = "self"
    worse: str = "up"


@dataclass(frozen=True, kw_only=True)
class Impact:
    """A fault about to act: its host and guest (-1 where it has none), its slots and its course from 0 to ``severity``.

    ``healthy`` holds the metrics as they would be without any fault.
    """

    layout: Layout
    axis: Axis
    levers: Levers
    healthy: Readings
    rng: np.random.Generator
    host: int
    guest: int
    when: slice
    level: Floats
    severity: float

    @property
    def on(self) -> Floats:
        """1 where the fault is active, whatever its severity."""
        return (self.level > 0.02).astype(np.float32)

    @property
    def vm(self) -> Guest:
        """The guest."""
        return self.layout.guests[self.guest]

    @property
    def hypervisor(self) -> Host:
        """The host."""
        return self.layout.hosts[self.host]

    def usual(self, metric: str, row: int) -> float:
        """The median of a healthy metric over the fault's slots."""
        values = self.healthy[metric][row, self.when]
        return float(np.nanmedian(values)) if np.isfinite(values).any() else 0.0

    def at_host(self, lever: str, values: Floats | float) -> None:
        """Add to a lever of the host."""
        self.levers.add(f"host.{lever}", self.host, self.when, values)

    def at_guest(self, lever: str, values: Floats | float) -> None:
        """Add to a lever of the guest."""
        self.levers.add(f"vm.{lever}", self.guest, self.when, values)


@dataclass(frozen=True, kw_only=True)
class FaultKind:
    """A kind of fault.

    ``target`` is the kind of entity at fault, ``fits`` the names of media or roles that it needs, ``hours`` its
    duration from and to, ``shows`` what must move where it is strong, ``ramp`` the metric that it drives towards its
    limit, ``also`` other causes that describe it truly, ``labels`` the configuration that goes with it, ``restarts``
    whether the guest was restarted into it.
    """

    name: str
    cause: str
    family: str
    target: str
    act: Callable[[Impact], None]
    shows: tuple[Symptom, ...]
    shapes: tuple[str, ...] = ("step",)
    hours: tuple[float, float] = (1, 10)
    ramp: str = ""
    fits: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    restarts: bool = False
