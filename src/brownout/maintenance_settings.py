"""Windows of maintenance as a settings file has them."""

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from brownout.domain.calendar import Maintenance

__all__ = ["MaintenanceSettings"]

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class MaintenanceSettings(BaseModel):
    """A window of maintenance: ``start`` and ``end``; or ``weekly`` or ``dates``, with ``from`` and ``to``; or ``ics``.

    A time without an offset is UTC; days, ``from`` and ``to`` are of the ``timezone``, and so is what a calendar file
    says without one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """What the report calls it."""
    entities: Annotated[tuple[str, ...], Field(min_length=1)] = ("*",)
    """Patterns of entity ids; all that hangs on them is covered too."""
    start: datetime | None = None
    """Of a single window."""
    end: datetime | None = None
    """Of a single window."""
    weekly: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = ()
    """Days of the week."""
    dates: tuple[date, ...] = ()
    """Days, as ``2026-12-25``."""
    opens: Annotated[time, Field(alias="from")] = time()
    """Time of day."""
    closes: Annotated[time, Field(alias="to")] = time()
    """Time of day; of the next day where it is not later than ``from``."""
    timezone: str = "UTC"
    """As ``Europe/Zurich``."""
    ics: Path | None = None
    """An iCalendar file: each of its events is a window."""

    @model_validator(mode="after")
    def _can_be_meant(self) -> Self:
        once, again = (self.start, self.end) != (None, None), bool(self.weekly or self.dates)
        if once + again + (self.ics is not None) != 1:
            raise ValueError(f"window {self.name!r} needs start and end, or weekly or dates, or ics")
        if self.ics is not None and {"opens", "closes"} & self.model_fields_set:
            raise ValueError(f"window {self.name!r} has an ics, whose events have times: from and to are for others")
        if once and (self.start is None or self.end is None or _utc(self.end) <= _utc(self.start)):
            raise ValueError(f"window {self.name!r} needs an end after its start")
        if once and {"opens", "closes", "timezone"} & self.model_fields_set:
            raise ValueError(f"window {self.name!r} has start and end: from, to and timezone are for weekly and dates")
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"window {self.name!r} has a timezone that this machine does not know") from error
        return self

    @property
    def window(self) -> Maintenance:
        """The window as the calendar has it, without the events of an ``ics``."""
        once = None if self.start is None or self.end is None else (_utc(self.start), _utc(self.end))
        return Maintenance(
            name=self.name,
            entities=self.entities,
            once=once,
            weekdays=tuple(WEEKDAYS.index(day) for day in self.weekly),
            dates=self.dates,
            opens=self.opens,
            closes=self.closes,
            zone=ZoneInfo(self.timezone),
        )


def _utc(moment: datetime) -> np.datetime64:
    """A time of the settings; one without an offset is UTC."""
    plain = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return np.datetime64(plain, "ms")
