"""Fill: a simulated fleet into an InfluxDB, as Telegraf and the console probe would have written it."""

import numpy as np

from brownout.domain.ports import Progress, no_progress
from brownout.ingest.line_protocol import batches
from brownout.ingest.raw import TelemetryDatabase
from brownout.simulation.fleet import Fleet
from brownout.simulation.telegraf import telegraf_points

__all__ = ["fill", "start_for"]


def start_for(now: np.datetime64, days: float, interval_s: int) -> np.datetime64:
    """When a fleet of so many days begins so that it ends at a time."""
    step = interval_s * 1000
    start = now - np.timedelta64(round(days * 86_400_000), "ms")
    return np.datetime64(int(start.astype(np.int64)) // step * step, "ms")


def fill(database: TelemetryDatabase, fleet: Fleet, progress: Progress = no_progress) -> int:
    """Write everything that was measured; returns the number of lines."""
    lines = 0
    for points in telegraf_points(fleet, progress=progress):
        lines += database.write(batches(points))
    return lines
