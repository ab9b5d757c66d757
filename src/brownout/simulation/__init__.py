"""Seeded fleets with queues, seasons and injected faults; the truth comes with the samples.

``simulate(FleetSettings(...))`` returns a ``Fleet``. Metrics, drivers, faults and formulas of measurements are data in
``models/``; a site's own stand in a folder, ``SimulationDefinitions.load(folder)``.
"""

from brownout.simulation.fleet import Fleet, simulate
from brownout.simulation.fleet_settings import FleetSettings
from brownout.simulation.simulation_definitions import SimulationDefinitions

__all__ = ["Fleet", "FleetSettings", "SimulationDefinitions", "simulate"]
