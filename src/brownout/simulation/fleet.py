"""The fleet: layout, faults, physics, measurement."""

from dataclasses import dataclass

import numpy as np

from brownout.domain.entities import Topology
from brownout.domain.panel import Panel
from brownout.domain.truth import Anomaly, Incident
from brownout.simulation.console import simulate_consoles, simulate_guests
from brownout.simulation.demand import draw_demand
from brownout.simulation.drivers import Drivers
from brownout.simulation.host import simulate_hosts
from brownout.simulation.injection import inject, truth
from brownout.simulation.layout import make_layout
from brownout.simulation.measurement import measure
from brownout.simulation.settings import FleetSettings

__all__ = ["Fleet", "simulate"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Fleet:
    """Measurements by kind of entity, and the truth about them."""

    settings: FleetSettings
    panels: dict[str, Panel]
    topology: Topology
    incidents: tuple[Incident, ...]
    anomalies: tuple[Anomaly, ...]


def simulate(settings: FleetSettings) -> Fleet:
    """Simulate a fleet; the same settings give the same bytes."""
    streams = (np.random.default_rng(seed) for seed in np.random.SeedSequence(settings.seed).spawn(6))
    layout = make_layout(settings, next(streams))
    drivers = Drivers.healthy(layout, settings.slots)
    injections = inject(settings, layout, drivers, next(streams))
    times = settings.start + np.arange(settings.slots) * np.timedelta64(settings.interval_s * 1000, "ms")
    demand = draw_demand(layout, drivers, times, next(streams))
    hosts = simulate_hosts(layout, demand, drivers, next(streams), interval_s=settings.interval_s)
    rng = next(streams)
    guests = simulate_guests(layout, demand, drivers, hosts, rng)
    consoles = simulate_consoles(layout, (demand, drivers, hosts, guests), rng)
    panels = measure(settings, layout, (demand, drivers, hosts, guests, consoles), next(streams))
    topology = Topology.of(entity for panel in panels.values() for entity in panel.entities)
    incidents, anomalies = truth(injections, settings, layout)
    return Fleet(settings=settings, panels=panels, topology=topology, incidents=incidents, anomalies=anomalies)
