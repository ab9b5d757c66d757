"""The time axis of a panel as detection sees it.

Slots are grouped into blocks (a quarter of an hour) and days; costly statistics are renewed only every few hours; of
the history before the first slot to be scored only a sample is evaluated.
"""

from dataclasses import dataclass
from math import gcd

import numpy as np

from brownout.domain.panel import Float
from brownout.numerics.arrays import Index
from brownout.numerics.slots import HOUR_S, slots_per_day, whole_slots

__all__ = ["DAYS", "TimeAxis"]

BLOCK_S = 900
"""Levels are kept by the quarter of an hour: fine enough for a day's shape, coarse enough to be quick."""
DAYS = 7
"""Days of history that a value is compared with."""
RENEW_S = 6 * HOUR_S
"""Spreads are renewed every six hours."""
SAMPLES = 56
"""Least number of slots of a day that its spread is measured on."""


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """A panel of ``slots`` slots, of which those from ``start`` on are scored.

    What lies before ``start`` is history. Only a sample of it is evaluated, and a slot belongs to the sample or not
    whatever ``start`` is, so that a score does not depend on where scoring begins.
    """

    slots: int
    interval_s: int
    start: int = 0

    @property
    def block_slots(self) -> int:
        """Slots of a block: a quarter of an hour, or less where the panel spans less than a day."""
        span = self.slots * self.interval_s
        return whole_slots(min(BLOCK_S, span // 96), self.interval_s)

    @property
    def block_ends(self) -> Index:
        """The last slot of each block."""
        width = self.block_slots
        return np.minimum(np.arange(width, self.slots + width, width), self.slots) - 1

    @property
    def blocks_per_day(self) -> int:
        """Blocks of a day."""
        return slots_per_day(self.block_slots * self.interval_s)

    @property
    def slots_per_day(self) -> int:
        """Slots of a day."""
        return slots_per_day(self.interval_s)

    @property
    def renewal_slots(self) -> int:
        """Slots from one renewal of spreads to the next."""
        return whole_slots(RENEW_S, self.interval_s, least=12)

    @property
    def renewals(self) -> Index:
        """Slots at which spreads are renewed; the first is 0."""
        return np.arange(0, self.slots, self.renewal_slots)

    @property
    def first_renewal(self) -> int:
        """Index of the last renewal at or before ``start``."""
        return self.start // self.renewal_slots

    @property
    def sampling_step(self) -> int:
        """Slots from one sampled slot to the next.

        It shares no factor with the slots of an hour: what happens once an hour would be sampled always, or never.
        """
        hour = whole_slots(HOUR_S, self.interval_s)
        widest = max(self.slots_per_day // SAMPLES, 1)
        return next(pace for pace in range(widest, 0, -1) if gcd(pace, hour) == 1)

    @property
    def sampled(self) -> Index:
        """Slots that are evaluated: a sample of the days that spreads look back to, then every slot from start on."""
        reach = self.start - (DAYS * self.slots_per_day + self.renewal_slots)
        first = max(-(-reach // self.sampling_step) * self.sampling_step, 0)
        return np.concatenate([np.arange(first, self.start, self.sampling_step), np.arange(self.start, self.slots)])

    @property
    def sampled_before_start(self) -> int:
        """How many of the sampled slots lie before ``start``."""
        return len(self.sampled) - (self.slots - self.start)

    def at_each_slot(self, statistics: Float) -> Float:
        """Statistics ``[series, renewal]`` as they hold at every slot from ``start`` on: those of its last renewal.

        ``statistics`` begin with the renewal ``first_renewal``.
        """
        which = np.arange(self.start, self.slots) // self.renewal_slots - self.first_renewal
        return np.take(statistics, which, axis=1)
