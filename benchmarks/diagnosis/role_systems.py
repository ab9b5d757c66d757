"""Systems of services whose metrics are known by their role only, with one fault each: every one is drawn differently.

Call graph, size, interval, noise, bursts, missing roles, idle services and machines are drawn by seed, and so is what
a fault does beside its own metric: callers wait, requests fall, a load of memory computes as well, and somebody may
react after a minute by another replica. Weights that rank these hold for more than one system.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from brownout.domain.entities import Entity, Topology
from brownout.domain.metrics import Metric, Role
from brownout.domain.panel import Panel
from brownout.domain.truth import Incident

__all__ = ["SYSTEMS", "Kind", "Scene", "scenes"]

Values = npt.NDArray[np.float64]
LEVELS = {
    Role.CPU: (0.1, 1.0), Role.MEMORY: (200.0, 0.06), Role.DISK_READ: (0.05, 2.5), Role.DISK_WRITE: (1.0, 1.2),
    Role.NETWORK_IN: (10.0, 1.0), Role.NETWORK_OUT: (10.0, 1.0), Role.LATENCY: (20.0, 0.5), Role.ERRORS: (0.01, 3.0),
    Role.REQUESTS: (30.0, 0.7),
}  # fmt: skip
"""Usual level of each role, and its noise relative to that of the system."""
LOADED = (Role.CPU, Role.NETWORK_IN, Role.NETWORK_OUT, Role.REQUESTS, Role.LATENCY)
OPTIONAL = (Role.DISK_READ, Role.NETWORK_IN, Role.NETWORK_OUT, Role.ERRORS, Role.REQUESTS)
START = np.datetime64("2026-03-02T00:00", "ms")
REACTION_S = (60.0, 150.0)
"""When somebody reacts, where anybody does."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Interval, seconds before and within the incident, and range of the number of services."""

    interval_s: int
    before_s: float
    within_s: float
    services: tuple[int, int]


SYSTEMS = {
    "1 s": Kind(interval_s=1, before_s=600, within_s=300, services=(8, 14)),
    "5 s": Kind(interval_s=5, before_s=400, within_s=180, services=(6, 14)),
    "15 s": Kind(interval_s=15, before_s=1800, within_s=300, services=(8, 24)),
    "60 s": Kind(interval_s=60, before_s=3600, within_s=420, services=(10, 40)),
}


@dataclass(frozen=True, eq=False)
class Scene:
    """An incident with all that was measured of its system."""

    incident: Incident
    panels: list[Panel]
    topology: Topology

    @property
    def entities(self) -> tuple[str, ...]:
        """Everything that can be suspected."""
        return tuple(name for panel in self.panels for name in panel.entity_ids)


def scenes(kind: Kind, count: int, seed: int) -> Iterator[Scene]:
    """So many systems with a fault each."""
    for number in range(seed, seed + count):
        yield _System(kind, np.random.default_rng(number), f"system-{number}").scene()


@dataclass
class _System:
    kind: Kind
    rng: np.random.Generator
    name: str
    values: dict[Role, Values] = field(default_factory=dict)

    def scene(self) -> Scene:
        rng, kind = self.rng, self.kind
        self.count = int(rng.integers(*kind.services))
        self.slots = int((kind.before_s + kind.within_s) / kind.interval_s)
        self.first = int(kind.before_s / kind.interval_s)
        self.calls = [set(rng.integers(k + 1, self.count, rng.integers(1, 3)).tolist()) for k in range(self.count - 1)]
        missing = {role for role in OPTIONAL if rng.random() < 0.3}
        missing |= {Role.DISK_WRITE} if rng.random() < 0.2 else set()
        load, noise = self._wander(600) * rng.uniform(0.02, 0.2), rng.uniform(0.03, 0.2)
        for role, (level, share) in LEVELS.items():
            self.values[role] = level * 10 ** rng.uniform(-0.7, 0.7, (self.count, 1)) * np.ones(self.slots)
            for row in self.values[role]:
                row[:] *= np.exp(share * noise * self._wander(rng.uniform(2, 40)) + (load if role in LOADED else 0))
                if role is not Role.MEMORY:
                    self._bursts(row)
            if role in {Role.DISK_READ, Role.ERRORS}:
                self.values[role] *= rng.random((self.count, 1)) < 0.4
        causes = ["cpu", "memory", "network"] + ([] if Role.DISK_WRITE in missing else ["disk"])
        cause, culprit = str(rng.choice(causes)), int(rng.integers(1, self.count))
        onset = self.first + int(rng.uniform(0, 20) / kind.interval_s)
        self._fault(cause, culprit, onset)
        if rng.random() < 0.4:
            self._reaction(culprit, onset + int(rng.uniform(*REACTION_S) / kind.interval_s))
        return self._told(cause, culprit, [role for role in LEVELS if role not in missing])

    def _wander(self, seconds: float) -> Values:
        """Noise of unit variance that forgets within so many seconds."""
        keep = np.exp(-self.kind.interval_s / seconds)
        drawn = self.rng.normal(0, np.sqrt(1 - keep**2), self.slots)
        drawn[0] /= np.sqrt(1 - keep**2)
        walk: Values = lfilter([1.0], [1.0, -keep], drawn)
        return walk

    def _bursts(self, row: Values) -> None:
        """Jobs of a series' own, seldom, a few seconds each."""
        if self.rng.random() < 0.15:
            for begin in self.rng.integers(0, self.slots, self.rng.integers(1, 5)):
                row[begin : begin + max(int(self.rng.uniform(5, 25) / self.kind.interval_s), 1)] *= self.rng.uniform(
                    1.5, 6
                )

    def _fault(self, cause: str, culprit: int, onset: int) -> None:
        rng, own = self.rng, lambda role: self.values[role][culprit, onset:]
        strength, wait = rng.uniform(0.7, 1.5), 0.0
        if cause == "cpu":
            own(Role.CPU)[:] *= 1 + strength * 10 ** rng.uniform(0.6, 1.7)
            wait = strength * 10 ** rng.uniform(-1, 1)
        elif cause == "memory":
            reached = np.minimum(np.arange(1, self.slots - onset + 1) * self.kind.interval_s / rng.choice([15, 120]), 1)
            own(Role.MEMORY)[:] *= 1 + strength * rng.uniform(0.4, 2.5) * reached
            own(Role.CPU)[:] *= 1 + rng.choice([0.0, rng.uniform(0, 8)])
            own(Role.DISK_READ)[:] += rng.choice([0.0, 0.05 * 10 ** rng.uniform(0, 1)])
            wait = rng.choice([0.0, 10 ** rng.uniform(-1, 1.5)])
        elif cause == "disk":
            own(Role.DISK_WRITE)[:] *= 1 + strength * 10 ** rng.uniform(1, 2.2)
            own(Role.DISK_READ)[:] += 0.05 * 10 ** rng.uniform(0, 2)
            own(Role.CPU)[:] *= 1 + rng.choice([0.0, rng.uniform(0, 3)])
            own(Role.MEMORY)[:] *= 1 + rng.choice([0.0, rng.uniform(0, 0.2)])
            wait = 10 ** rng.uniform(-1, 0.7)
        else:
            wait = strength * 10 ** rng.uniform(0.7, 2.2)
            for role in (Role.CPU, Role.NETWORK_IN, Role.NETWORK_OUT, Role.REQUESTS):
                own(role)[:] *= rng.uniform(0.3, 1)
            own(Role.ERRORS)[:] += rng.choice([0.0, 0.05])
        if cause != "network" or rng.random() < 0.8:
            own(Role.LATENCY)[:] *= 1 + wait
        self._callers_wait(culprit, onset, wait)

    def _callers_wait(self, culprit: int, onset: int, wait: float) -> None:
        """Whoever calls a slow service waits as long, and asks for less."""
        distance = {culprit: 0}
        for service in range(culprit - 1, -1, -1):
            below = [distance[called] for called in self.calls[service] if called in distance]
            if below:
                distance[service] = min(below) + 1
        usual = np.median(self.values[Role.LATENCY][:, : self.first], axis=1)
        for service, steps in distance.items():
            if steps:
                share = min(wait * usual[culprit] / usual[service], 0.8 * wait) * self.rng.uniform(0.4, 1) / steps
                self.values[Role.LATENCY][service, onset:] *= 1 + share
                for role in (Role.CPU, Role.NETWORK_IN, Role.REQUESTS):
                    self.values[role][service, onset:] *= self.rng.uniform(0.5, 1) if wait > 3 else 1

    def _reaction(self, culprit: int, since: int) -> None:
        """Another replica: memory, reads and writes rise."""
        rng = self.rng
        self.values[Role.MEMORY][culprit, since:] *= rng.uniform(1.8, 2.4)
        self.values[Role.DISK_READ][culprit, since:] += 0.1 * 10 ** rng.uniform(0, 1.5)
        self.values[Role.DISK_WRITE][culprit, since:] *= rng.uniform(2, 8)

    def _told(self, cause: str, culprit: int, roles: list[Role]) -> Scene:
        step = np.timedelta64(self.kind.interval_s * 1000, "ms")
        metrics = tuple(Metric(name=f"{role.value}_metric", role=role) for role in roles)
        services = tuple(Entity(id=f"{self.name}/s{row}", group=self.name) for row in range(self.count))
        values = np.stack([self.values[role] for role in roles], axis=-1).astype(np.float32)
        panel = Panel(values, START, self.kind.interval_s, services, metrics)
        incident = Incident(
            id=self.name, group=self.name, start=START + self.first * step, end=panel.end,
            entity=services[culprit].id, cause=cause,
        )  # fmt: skip
        return Scene(incident, [panel], Topology.of(services))
