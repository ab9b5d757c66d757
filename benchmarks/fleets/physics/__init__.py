"""From wants and levers to metrics: queues for CPUs, disks and links, memory budgets, stages of a console."""

import numpy as np

from fleets.physics.compute import Compute, compute
from fleets.physics.console import console
from fleets.physics.memory import Memory, memory
from fleets.physics.network import Network, network
from fleets.physics.storage import Storage, storage
from fleets.physics.world import Readings, World

__all__ = ["Compute", "Memory", "Network", "Readings", "Storage", "World", "measure"]


def measure(world: World) -> Readings:
    """All metrics of a fleet by name, ``[entity of its kind, slot]``, before telemetry loses any of them."""
    cpu = compute(world)
    ram = memory(world)
    disk = storage(world, ram)
    net = network(world)
    shown = console(world, cpu, ram, disk, net)
    found = {**cpu.readings, **ram.readings, **disk.readings, **net.readings, **shown, **world.states()}
    return {name: values.astype(np.float32, copy=False) for name, values in found.items()}
