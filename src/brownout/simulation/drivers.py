"""The causal inputs of a fleet: what faults act on, before any metric is computed."""

from dataclasses import dataclass

import numpy as np

from brownout.simulation.layout import Layout
from brownout.simulation.load import Array

__all__ = ["Drivers"]


@dataclass(eq=False)
class Drivers:
    """Arrays ``[host, time]`` and ``[vm, time]`` that faults add to or multiply.

    Host: ``host_cpu`` extra cores in demand, ``clock`` frequency ratio, ``host_memory`` extra share of RAM in use,
    ``disk_load`` extra use of the disk (share of its capacity), ``disk_service`` factor on its service time,
    ``disk_fill`` extra percent used, ``link_load`` extra use of the uplink, ``rtt`` ms, ``loss`` probability and
    ``jitter`` ms added on the path to it.
    Guest: ``cpu`` extra share of its vCPUs wanted, ``quota`` share of them it may use, ``leak`` percent of its memory
    lost, ``balloon`` share of memory taken away, ``io`` factor on its disk requests, ``viewers`` extra console
    clients, ``change`` factor on how much the screen changes, ``throttle`` ms that the emulator waits for its quota.
    """

    host_cpu: Array
    clock: Array
    host_memory: Array
    disk_load: Array
    disk_service: Array
    disk_fill: Array
    link_load: Array
    rtt: Array
    loss: Array
    jitter: Array
    cpu: Array
    quota: Array
    leak: Array
    balloon: Array
    io: Array
    viewers: Array
    change: Array
    throttle: Array

    @classmethod
    def healthy(cls, layout: Layout, slots: int) -> "Drivers":
        """Nothing extra anywhere."""
        factors = {"clock", "disk_service", "quota", "io", "change"}
        guest = {"cpu", "quota", "leak", "balloon", "io", "viewers", "change", "throttle"}
        arrays = {}
        for name in cls.__dataclass_fields__:
            rows = len(layout.vcpus) if name in guest else len(layout.cores)
            arrays[name] = np.ones((rows, slots)) if name in factors else np.zeros((rows, slots))
        return cls(**arrays)
