"""What a training takes: time, processor time, and memory of the process."""

import resource
import time
from dataclasses import dataclass, field

import numpy as np

from brownout.domain.findings.model_cards import TrainingCost

__all__ = ["CostMeter"]

MIB = 1024
"""Linux gives the most memory of a process in KiB."""


@dataclass(frozen=True, slots=True)
class CostMeter:
    """Runs from when it is made; the two trainings of a night share a process, so that their CPU time may overlap."""

    started: np.datetime64
    wall: float = field(default_factory=time.monotonic)
    cpu: float = field(default_factory=time.process_time)

    def cost(self) -> TrainingCost:
        """What was used until now."""
        return TrainingCost(
            started=self.started,
            wall_s=time.monotonic() - self.wall,
            cpu_s=time.process_time() - self.cpu,
            peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB,
        )
