"""All that a simulation reads as data: metrics, drivers, faults and formulas of measurements."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from brownout.domain.metrics import Catalogue
from brownout.simulation.events.fault_definitions import Template, read_faults, read_plain
from brownout.simulation.measurement_formulas import Formula, read_formulas
from brownout.simulation.physics.drivers import Driver, read_drivers

__all__ = ["SimulationDefinitions"]


@dataclass(frozen=True, kw_only=True)
class SimulationDefinitions:
    """Definitions that fit together; ``plain`` names the faults that telemetry without signatures tells apart."""

    catalogue: Catalogue
    drivers: Mapping[str, Driver]
    faults: Mapping[str, Template]
    plain: tuple[str, ...]
    formulas: tuple[Formula, ...]

    @classmethod
    def load(cls, site: Path | None = None, *, shipped: Path | None = None) -> Self:
        """Read what ships with brownout and a site's own over it.

        Raises KnowledgeError naming file, table and value of what is wrong.
        """
        catalogue = Catalogue.load(site, shipped=shipped)
        drivers = read_drivers(site, shipped=shipped)
        faults = read_faults(drivers, site=site, shipped=shipped)
        return cls(
            catalogue=catalogue,
            drivers=drivers,
            faults=faults,
            plain=read_plain(faults, site=site, shipped=shipped),
            formulas=read_formulas(drivers, catalogue, site=site, shipped=shipped),
        )

    @property
    def signatures(self) -> tuple[str, ...]:
        """Metrics that only a fleet with signatures measures."""
        return tuple(formula.metric for formula in self.formulas if not formula.always)
