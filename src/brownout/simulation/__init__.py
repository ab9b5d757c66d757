"""Seeded fleets with faults; the truth comes with the samples."""

from brownout.simulation.fleet import Fleet, simulate
from brownout.simulation.fleet_settings import FleetSettings

__all__ = ["Fleet", "FleetSettings", "simulate"]
