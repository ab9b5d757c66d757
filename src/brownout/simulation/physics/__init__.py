"""Queues, schedulers and memory of hosts, guests and consoles, driven by the causal inputs in ``drivers``."""

from brownout.simulation.physics.drivers import Driver, Drivers
from brownout.simulation.physics.queues import erlang_c, mathis_kbs, response_ratio

__all__ = ["Driver", "Drivers", "erlang_c", "mathis_kbs", "response_ratio"]
