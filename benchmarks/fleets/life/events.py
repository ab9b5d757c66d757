"""Things that happen in a fleet and are no fault: their kinds, spans, and the causes that may be told of them."""

from dataclasses import dataclass

__all__ = ["TELLABLE", "Event"]

TELLABLE = {
    "backup": ("CONT-10",),
    "batch": ("SW-05", "CONT-13"),
    "scan": ("CONT-13",),
    "cron": ("CONT-13",),
    "host-reboot": ("ART-07", "ART-03", "CONT-12"),
    "guest-reboot": ("ART-07", "ART-03"),
    "migration": ("CONT-11", "ART-07"),
    "maintenance": ("ART-04", "ART-07", "ART-03", "CONT-12"),
    "renamed": ("ART-07", "MAINT-07"),
    "new": ("ART-07",),
    "removed": ("ART-03", "MAINT-07"),
    "gap": ("MAINT-07",),
    "probe-outage": ("MAINT-07", "ART-02"),
    "clock-set": ("ART-08", "MAINT-06"),
    "clocks-changed": (),
    "holiday": (),
    "spike": (),
}
"""By kind of event: causes that describe it truly; telling one of them is right, alarming about it is not."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """A harmless event from slot ``start`` until before ``end``; ``recurring`` where it comes on a schedule."""

    kind: str
    entity: str
    start: int
    end: int
    source: str = ""
    target: str = ""
    recurring: bool = False
