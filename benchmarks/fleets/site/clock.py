"""The time axis of a fleet: UTC slots, the local hour of people and of cron, holidays and the change of the clocks."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

__all__ = ["DAY_S", "Axis"]

DAY_S = 86_400


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Slots named by their start; ``seen`` of them are written, the rest is what will come and only the truth knows.

    ``zone_h`` is the local time's distance to UTC in hours, ``shift_slot`` the slot from which it is ``shift_h`` more
    (clocks changed), ``holidays`` local days counted from the first one.
    """

    start: np.datetime64
    interval_s: int
    seen: int
    slots: int
    zone_h: float = 1.0
    shift_slot: int | None = None
    shift_h: float = 0.0
    holidays: tuple[int, ...] = ()

    def time(self, slot: int) -> np.datetime64:
        """The start of a slot."""
        return self.start + np.timedelta64(int(slot) * self.interval_s * 1000, "ms")

    @property
    def end(self) -> np.datetime64:
        """The end of what is written, exclusive."""
        return self.time(self.seen)

    def span(self, seconds: float) -> int:
        """Slots in a duration, at least one."""
        return max(round(seconds / self.interval_s), 1)

    @cached_property
    def local_s(self) -> npt.NDArray[np.float64]:
        """Seconds of local time since the first local midnight, ``[slot]``."""
        midnight = self.start.astype("datetime64[D]").astype("datetime64[ms]")
        first = float((self.start - midnight) / np.timedelta64(1000, "ms"))
        seconds = first + np.arange(self.slots, dtype=float) * self.interval_s + 3600 * self.zone_h
        if self.shift_slot is not None:
            seconds[self.shift_slot :] += 3600 * self.shift_h
        return seconds

    @cached_property
    def hour(self) -> npt.NDArray[np.float64]:
        """Local hour of the day, ``[slot]``, 0 to 24."""
        return np.asarray((self.local_s % DAY_S) / 3600)

    @cached_property
    def day(self) -> npt.NDArray[np.int64]:
        """Local day since the first one, ``[slot]``."""
        return np.asarray(self.local_s // DAY_S, np.int64)

    @cached_property
    def weekday(self) -> npt.NDArray[np.int64]:
        """Local weekday, ``[slot]``, 0 = Monday."""
        first = int((self.start.astype("datetime64[D]").astype(int) + 3) % 7)
        return np.asarray((first + self.day) % 7)

    @cached_property
    def free(self) -> npt.NDArray[np.bool_]:
        """Whether people stay at home, ``[slot]``: weekends and holidays."""
        return np.asarray((self.weekday >= 5) | np.isin(self.day, self.holidays))

    @cached_property
    def free_days(self) -> dict[int, bool]:
        """By local day: whether people stay at home."""
        days, places = np.unique(self.day, return_index=True)
        return {int(day): bool(self.free[place]) for day, place in zip(days, places, strict=True)}

    def local_slots(self, hour: float, *, weekdays: tuple[int, ...] = tuple(range(7))) -> list[int]:
        """The slots at which a local hour of the day begins on some weekdays."""
        since = self.local_s - 3600 * hour
        turned = np.flatnonzero(np.diff(np.floor(since / DAY_S)) == 1) + 1
        return [int(slot) for slot in turned if int(self.weekday[slot]) in weekdays]
