"""Fill: a simulated fleet into an InfluxDB, as Telegraf and the console probe would have written it."""

import numpy as np

from brownout.adapters.influx.connect import connect
from brownout.domain.errors import SettingsError
from brownout.domain.ports import Progress, no_progress
from brownout.ingest.line_protocol import batches
from brownout.numerics.slots import days as days_of
from brownout.operate.open_sources import clock
from brownout.settings import Settings
from brownout.simulation.fleet import Fleet
from brownout.simulation.telegraf import telegraf_points

__all__ = ["fill", "start_for"]


def start_for(days: float, interval_s: int) -> np.datetime64:
    """When a fleet of so many days begins so that it ends now."""
    step = interval_s * 1000
    start = clock() - days_of(days)
    return np.datetime64(int(start.astype(np.int64)) // step * step, "ms")


def fill(settings: Settings, fleet: Fleet, progress: Progress = no_progress) -> int:
    """Write everything that was measured; returns the number of lines."""
    if settings.influxdb is None:
        raise SettingsError("The settings name no InfluxDB.", remedy="Add [influxdb] with its url; see examples/.")
    database = connect(settings.influxdb)
    lines = 0
    for points in telegraf_points(fleet, progress=progress):
        lines += database.write(batches(points))
    return lines
