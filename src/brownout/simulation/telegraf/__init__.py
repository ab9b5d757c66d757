"""What Telegraf and the console probe would have written of a fleet: their measurements, tags, fields and counters."""

from collections.abc import Iterator

import numpy as np

from brownout.domain.ports import Progress, no_progress
from brownout.ingest.line_protocol import Points
from brownout.simulation.fleet import Fleet
from brownout.simulation.telegraf.console_points import consoles
from brownout.simulation.telegraf.guest_points import guests
from brownout.simulation.telegraf.host_points import hosts
from brownout.simulation.telegraf.part_points import disks, interfaces, links, paths
from brownout.simulation.telegraf.writer import Trouble, Writer

__all__ = ["Trouble", "telegraf_points"]

MAKERS = {
    "host": hosts,
    "disk": disks,
    "path": paths,
    "interface": interfaces,
    "link": links,
    "vm": guests,
    "console": consoles,
}


def telegraf_points(fleet: Fleet, trouble: Trouble | None = None, progress: Progress = no_progress) -> Iterator[Points]:
    """All measurements of a fleet, each over its whole span; the same fleet gives the same points.

    Measurements are made one at a time, so that memory is that of one.
    """
    rng = np.random.default_rng(fleet.settings.seed)
    for done, (kind, panel) in enumerate(fleet.panels.items(), 1):
        yield from MAKERS[kind](Writer(panel, trouble or Trouble(), rng, fleet.topology))
        progress("write", done / len(fleet.panels))
