"""Calendars of other programs: events of an iCalendar file (RFC 5545), recurrences expanded."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Self

import icalendar
import numpy as np
import recurring_ical_events

from brownout.domain.errors import SettingsError

__all__ = ["IcalEvents"]

REMEDY = "Give a calendar as programs export it: text that begins with BEGIN:VCALENDAR."
AROUND = np.timedelta64(1, "D")
"""Whole days and times without a zone are local: they are looked for a day farther than asked."""


@dataclass(frozen=True, slots=True)
class IcalEvents:
    """Events of a file that are not cancelled; whole days and times without a zone are of ``zone``."""

    calendar: icalendar.Calendar
    zone: tzinfo

    @classmethod
    def open(cls, path: Path, zone: tzinfo) -> Self:
        """Read and try a file; raises SettingsError naming it and what is wrong with it."""
        try:
            events = cls(_read(path, path.stat().st_mtime_ns), zone)
            events.between(np.datetime64("2026-01-01", "ms"), np.datetime64("2027-01-01", "ms"))
        except (OSError, ValueError) as error:
            raise SettingsError(f"The calendar {path} cannot be read: {error}.", remedy=REMEDY) from error
        return events

    def between(self, start: np.datetime64, end: np.datetime64) -> Sequence[tuple[np.datetime64, np.datetime64]]:
        """Spans of events that overlap start to end (exclusive), UTC, in order; each whole."""
        first, last = (time.astype("datetime64[s]").astype(datetime) for time in (start - AROUND, end + AROUND))
        events = recurring_ical_events.of(self.calendar).between(first.replace(tzinfo=UTC), last.replace(tzinfo=UTC))
        spans = sorted(
            (self._utc(event.start), self._utc(event.end))
            for event in events
            if str(event.get("STATUS", "")).upper() != "CANCELLED"
        )
        return [(opens, closes) for opens, closes in spans if opens < end and closes > start]

    def _utc(self, moment: date) -> np.datetime64:
        if not isinstance(moment, datetime):
            moment = datetime.combine(moment, time(), self.zone)
        elif moment.tzinfo is None:
            moment = moment.replace(tzinfo=self.zone)
        return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "ms")


@lru_cache(maxsize=16)
def _read(path: Path, changed_ns: int) -> icalendar.Calendar:
    """A file as it was when it changed last: a night asks for every shard."""
    del changed_ns
    calendar = icalendar.Calendar.from_ical(path.read_bytes())
    if not isinstance(calendar, icalendar.Calendar):
        raise ValueError("it holds no calendar")  # noqa: TRY004 - of the file, not of a caller
    return calendar
