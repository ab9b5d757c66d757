"""Faults: what breaks, on which physical input it acts, and what must be seen of it."""

from fleets.faults.compute_faults import COMPUTE
from fleets.faults.console_faults import CONSOLE
from fleets.faults.kinds import FaultKind, Impact, Symptom
from fleets.faults.memory_faults import MEMORY
from fleets.faults.network_faults import NETWORK
from fleets.faults.storage_faults import STORAGE

__all__ = ["KINDS", "FaultKind", "Impact", "Symptom"]

KINDS: dict[str, FaultKind] = {kind.name: kind for kind in (*COMPUTE, *MEMORY, *STORAGE, *NETWORK, *CONSOLE)}
"""All kinds of fault by name."""
