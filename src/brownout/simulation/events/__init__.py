"""What happens to a fleet: faults (definitions, placement, injection), migrations and maintenance."""

from brownout.simulation.events.fault_definitions import Push, Template
from brownout.simulation.events.injection import Injection
from brownout.simulation.events.operations import Background, Migration, Upkeep
from brownout.simulation.events.placement import Placement

__all__ = ["Background", "Injection", "Migration", "Placement", "Push", "Template", "Upkeep"]
