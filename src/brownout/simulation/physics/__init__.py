"""Queues, schedulers and memory of hosts, guests and consoles, driven by the causal inputs in ``drivers``."""

from brownout.simulation.physics.drivers import Driver, Drivers

__all__ = ["Driver", "Drivers"]
