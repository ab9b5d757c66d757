"""What a simulated fleet looks like."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from brownout.domain.errors import SettingsError

__all__ = ["FleetSettings"]


MONDAY = np.datetime64("2026-03-02T00:00", "ms")


@dataclass(frozen=True, kw_only=True)
class FleetSettings:
    """Size, span and faults of a fleet.

    Attributes
    ----------
    faults
        Incidents to inject and to end before the data does.
    ongoing
        Further incidents that still go on when the data ends, by turns slow ones that grow and others.
    pairs
        Share of the faults beside which another, independent one goes on at the same host; they come in addition.
    faint
        Share of the faults that are hardly visible: a twentieth to half as strong as the least that their kind says.
    migrations
        Live migrations of guests, within clusters of four hosts; no faults.
    maintenance
        Announced windows of maintenance, each of a host whose guests are moved away and back where there is room; no
        faults.
    lead
        Share of the data before the first incident, for something to learn from.
    telemetry
        ``host-only`` measures hosts, disks, paths and interfaces; ``no-probe`` everything but links and consoles.
    signatures
        Measure also what tells one cause from its look-alikes, and inject all kinds of faults; without them the
        fifteen kinds that plain telemetry tells apart.
    start
        First time, UTC; load follows the working day of UTC.
    """

    hosts: int = 4
    vms: int = 24
    days: float = 14.0
    interval_s: int = 60
    seed: int = 0
    faults: int = 0
    ongoing: int = 0
    pairs: float = 0.0
    faint: float = 0.0
    migrations: int = 0
    maintenance: int = 0
    lead: float = 0.25
    exclude_causes: tuple[str, ...] = ()
    only_causes: tuple[str, ...] = ()
    telemetry: Literal["full", "host-only", "no-probe"] = "full"
    signatures: bool = False
    start: np.datetime64 = MONDAY

    def __post_init__(self) -> None:
        for name in ("hosts", "vms", "interval_s"):
            if getattr(self, name) < 1:
                msg = f"A fleet with {name} = {getattr(self, name)} cannot be simulated."
                raise SettingsError(msg, remedy=f"Give {name} of at least 1.")
        if self.slots < 2:
            msg = f"{self.days} days at {self.interval_s} s are {self.slots} slots."
            raise SettingsError(msg, remedy="Give more days or a shorter interval.")
        if not 0 <= self.lead < 1:
            raise SettingsError(f"A lead of {self.lead} leaves no room.", remedy="Give a share from 0 to below 1.")
        for name in ("pairs", "faint"):
            if not 0 <= getattr(self, name) <= 1:
                msg = f"{name} = {getattr(self, name)} is no share of the faults."
                raise SettingsError(msg, remedy=f"Give {name} from 0 to 1.")
        for name in ("faults", "ongoing", "migrations", "maintenance"):
            if getattr(self, name) < 0:
                raise SettingsError(f"A negative number of {name} was asked for.", remedy="Give 0 or more.")

    @property
    def slots(self) -> int:
        """Number of samples of a series."""
        return int(self.days * 86_400 // self.interval_s)
