"""The calendar of a run: windows of maintenance of the settings, and of the calendar files that they name."""

from dataclasses import replace

from brownout.domain.calendar import Calendar, Maintenance
from brownout.settings import MaintenanceSettings, Settings

__all__ = ["calendar_of"]


def calendar_of(settings: Settings) -> Calendar:
    """All windows; raises SettingsError where a calendar file cannot be read."""
    return Calendar(tuple(_window(one) for one in settings.maintenance))


def _window(one: MaintenanceSettings) -> Maintenance:
    if one.ics is None:
        return one.window
    from brownout.adapters.ical import IcalEvents  # noqa: PLC0415 - few have one, and every command would wait for it

    return replace(one.window, listed=IcalEvents.open(one.ics, one.window.zone))
