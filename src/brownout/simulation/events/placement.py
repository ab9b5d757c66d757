"""Placing faults: when and where each begins, how bad it is, and the configuration that it needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from brownout.domain.errors import SettingsError
from brownout.simulation.events.fault_definitions import SEEN, Template
from brownout.simulation.events.injection import Injection
from brownout.simulation.events.operations import Background
from brownout.simulation.fleet_settings import FleetSettings
from brownout.simulation.layout.fleet_layout import Layout

__all__ = ["Placement"]

QUIET_HOURS = 4.0
"""Least time between two incidents on a host, so that labels do not mix."""
TRIES = 200
FAINT = (0.05, 0.5)
HDD = 2
"""Index of rotational storage among the media."""
MEASURED = {"host-only": SEEN[:1], "no-probe": SEEN[:2], "full": SEEN}


@dataclass(frozen=True, kw_only=True, eq=False)
class Placement:
    """Finds a host and a time for each fault, away from what else is done to the fleet.

    ``plain`` names the faults to draw from where no signatures are measured. The configuration that faults need is
    written into the ``layout``.
    """

    settings: FleetSettings
    layout: Layout
    background: Background
    faults: Mapping[str, Template]
    plain: Sequence[str]
    rng: np.random.Generator

    def place(self) -> list[Injection]:
        """All faults asked for, in order of time; raises SettingsError where they do not fit into the data."""
        names = self._choice()
        slow = [name for name in names if self.faults[name].slow] or [n for n, f in self.faults.items() if f.slow]
        others = [name for name in names if not self.faults[name].slow] or slow
        placed: list[Injection] = []
        for number in range(self.settings.ongoing + self.settings.faults):
            ongoing = number < self.settings.ongoing
            candidates = (slow, others)[number % 2] if ongoing else names
            new = self._find(placed, candidates, ongoing=ongoing)
            self._configure(new)
            placed.append(new)
            if self.settings.pairs and not ongoing and self.rng.random() < self.settings.pairs:
                placed += self._partner(new, placed)
        return sorted(placed, key=lambda injection: injection.first)

    @property
    def _quiet_slots(self) -> float:
        return QUIET_HOURS * 3600 / self.settings.interval_s

    def _choice(self) -> list[str]:
        """Names of the faults to draw from: those asked for that leave a trace in what is measured."""
        settings = self.settings
        unknown = sorted((set(settings.only_causes) | set(settings.exclude_causes)) - set(self.faults))
        if unknown:
            msg = f"Causes {unknown} cannot be simulated."
            raise SettingsError(msg, remedy=f"Choose from {', '.join(self.faults)}.")
        known = self.faults if settings.signatures else self.plain
        names = [name for name in settings.only_causes or known if name not in settings.exclude_causes]
        measurable = [name for name in names if self.faults[name].seen in MEASURED[settings.telemetry]]
        if not measurable and settings.faults:
            msg = f"None of the causes asked for leaves a trace in {settings.telemetry} telemetry."
            raise SettingsError(msg, remedy="Allow more causes, or measure more.")
        return measurable

    def _find(self, placed: Sequence[Injection], candidates: Sequence[str], *, ongoing: bool) -> Injection:
        """Find a host that is quiet for long enough, with what the fault needs."""
        for _ in range(TRIES):
            new = self._draw(candidates, ongoing=ongoing)
            others = [other for other in placed if other.host == new.host]
            if self._apart(new, others) and self._suits(new, free=not others):
                return new
        number = self.settings.faults + self.settings.ongoing
        msg = f"{number} incidents do not fit into {self.settings.days} days on {self.settings.hosts} hosts."
        raise SettingsError(msg, remedy="Ask for fewer faults, more hosts or more days.")

    def _apart(self, new: Injection, others: Sequence[Injection]) -> bool:
        """Whether a fault keeps its distance from other ones and from operations at its host."""
        quiet = self._quiet_slots
        if not all(new.first >= other.last + quiet or new.last + quiet <= other.first for other in others):
            return False
        return not self.background.touches(new.host, new.first, new.last, self.settings.interval_s)

    def _partner(self, first: Injection, placed: Sequence[Injection]) -> list[Injection]:
        """Another fault at the same host that begins in the first half of it; none where nothing fits."""
        names = [name for name in self._choice() if name != first.cause]
        others = [other for other in placed if other.host == first.host and other is not first]
        length = first.last - first.first
        for _ in range(TRIES if names else 0):
            drawn = self._draw(names, ongoing=False)
            shift = first.first + int(self.rng.integers(max(length // 2, 1))) - drawn.first
            new = replace(
                drawn,
                host=first.host,
                vm=int(self.rng.choice(np.flatnonzero(self.layout.hosts_at(first.first) == first.host))),
                first=drawn.first + shift,
                last=drawn.last + shift,
                visible=drawn.visible + shift,
            )
            both = min(new.last, first.last) - max(new.visible, first.visible)
            enough = 2 * both >= min(new.last - new.visible, first.last - first.visible)
            suits = self._suits(new, free=False)
            if enough and suits and self._apart(new, others) and new.last <= self.settings.slots:
                self._configure(new)
                return [new]
        return []

    def _suits(self, new: Injection, *, free: bool) -> bool:
        """Whether the host has the medium and the protocol that a fault needs, or can still be given them."""
        template, layout = self.faults[new.cause], self.layout
        wrong_protocol = bool(template.protocol) and layout.protocol[new.vm] != template.protocol
        wrong_medium = bool(template.medium) and (layout.medium[new.host] == HDD) != (template.medium == "hdd")
        if (wrong_protocol or wrong_medium) and not free:
            return False
        if wrong_protocol:
            layout.protocol[new.vm] = template.protocol
        if wrong_medium:
            layout.medium[new.host] = HDD if template.medium == "hdd" else 0
        return True

    def _configure(self, new: Injection) -> None:
        """Write the labels of a fault down: the configuration that the culprit has in the end."""
        template, host = self.faults[new.cause], self.layout.host_names[new.host]
        name = {"vm": self.layout.vm_names[new.vm], "disk": f"{host}/disk"}.get(template.scope, host)
        for label, values in template.labels.items():
            self.layout.labels.setdefault(name, {})[label] = str(values[self.rng.integers(len(values))])

    def _draw(self, candidates: Sequence[str], *, ongoing: bool) -> Injection:
        """Draw a fault; an ongoing one has 60 to 75 % of its way behind it when the data ends."""
        rng, settings = self.rng, self.settings
        weights = np.array([self.faults[name].weight for name in candidates])
        weights = weights if weights.any() else np.ones(len(candidates))
        cause = candidates[rng.choice(len(candidates), p=weights / weights.sum())]
        template = self.faults[cause]
        slots = int(np.exp(rng.uniform(*np.log(template.minutes))) * 60 / settings.interval_s)
        slots = max(min(slots, settings.slots // 3), 2)
        earliest = int(settings.lead * settings.slots)
        first = int(rng.integers(earliest, max(settings.slots - slots, earliest + 1)))
        if ongoing:
            first = settings.slots - int(rng.uniform(0.6, 0.75) * slots)
        vm = int(rng.integers(len(self.layout.vcpus)))
        faint = settings.faint > 0 and rng.random() < settings.faint
        severity = float(rng.uniform(0.5, 0.9)) if ongoing else float(rng.beta(1.6, 1.2))
        return Injection(
            cause=cause,
            host=int(self.layout.hosts_at(first)[vm]),
            vm=vm,
            first=first,
            last=first + slots,
            visible=first + int(template.visible * slots),
            severity=0.0 if faint else severity,
            seed=int(rng.integers(2**31)),
            strength=float(rng.uniform(*FAINT)) if faint else 1.0,
        )
