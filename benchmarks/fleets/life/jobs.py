"""What runs on a schedule: nightly and weekly backups, batches, scans of all desktops, cron."""

import numpy as np

from fleets.life.events import Event
from fleets.site.clock import Axis
from fleets.site.layout import MEDIA, Host, Layout
from fleets.site.levers import Levers
from fleets.site.streams import Streams

__all__ = ["run_jobs"]

LINK_SHARE = 0.5
"""Share of an uplink that a backup may take."""


def run_jobs(layout: Layout, axis: Axis, streams: Streams, levers: Levers) -> list[Event]:
    """Move the levers of all scheduled jobs; returns each run that is long enough to be seen."""
    return [
        *_backups(layout, axis, streams.of("jobs.backup"), levers),
        *_batches(layout, axis, streams.of("jobs.batch"), levers),
        *_scans(layout, axis, streams.of("jobs.scan"), levers),
        *_crons(layout, axis, streams.of("jobs.cron"), levers),
    ]


def backup_rates(host: Host, share: float) -> tuple[float, float]:
    """KiB/s that a backup reads from the disk and sends to the store, at a share of what both stand."""
    room = host.link_mbits * 1e6 / 8 / 1024
    read = min(share * MEDIA[host.medium].mib_s * 1024, LINK_SHARE * room * 1.4)
    return read, read / 1.4


def _backups(layout: Layout, axis: Axis, rng: np.random.Generator, levers: Levers) -> list[Event]:
    events = []
    for number, host in enumerate(layout.hosts):
        own = np.flatnonzero(layout.home == number)
        read, sent = backup_rates(host, rng.uniform(0.35, 0.5))
        hour, minutes = rng.uniform(0.3, 3.7), rng.uniform(25, 75)
        for start in axis.local_slots(hour):
            full = 2.2 if axis.weekday[start] == 6 else 1.0
            begin = start + int(rng.integers(0, axis.span(360) + 1))
            end = begin + axis.span(60 * minutes * full * rng.uniform(0.92, 1.1))
            when = slice(begin, min(end, axis.slots))
            shaky = rng.lognormal(0, 0.08, max(when.stop - begin, 0)).astype(np.float32)
            levers.add("host.disk_read_kbs", number, when, read * shaky)
            levers.add("host.disk_iops", number, when, read / 900 * shaky)
            levers.add("host.tx_kbs", number, when, sent * shaky)
            levers.add("host.cpu_cores", number, when, 0.6 * shaky)
            for guest, part in zip(own, np.array_split(np.arange(begin, when.stop), max(len(own), 1)), strict=False):
                if len(part):
                    levers.add("vm.block_job", int(guest), slice(int(part[0]), int(part[-1]) + 1), 1)
            events.append(Event(kind="backup", entity=host.name, start=begin, end=end, recurring=True))
    return events


def _batches(layout: Layout, axis: Axis, rng: np.random.Generator, levers: Levers) -> list[Event]:
    events = []
    for number in np.flatnonzero(layout.roles == "batch"):
        guest, hour, hours = layout.guests[number], rng.uniform(21, 23.5), rng.uniform(0.8, 2.5)
        for start in axis.local_slots(hour):
            end = start + axis.span(3600 * hours * rng.uniform(0.85, 1.2))
            when = slice(start, min(end, axis.slots))
            levers.add("vm.cpu_cores", int(number), when, guest.vcpus * rng.uniform(0.82, 0.95))
            levers.add("vm.iops", int(number), when, 60.0)
            levers.add("vm.write_kbs", int(number), when, 1500.0)
            events.append(Event(kind="batch", entity=guest.name, start=start, end=end, recurring=True))
    return events


def _scans(layout: Layout, axis: Axis, rng: np.random.Generator, levers: Levers) -> list[Event]:
    """A virus scan of all desktops at noon of one weekday."""
    events = []
    day, hour = int(rng.integers(1, 4)), rng.uniform(12, 12.8)
    for start in axis.local_slots(hour, weekdays=(day,)):
        for number in np.flatnonzero(layout.roles == "desk"):
            begin = start + int(rng.integers(0, axis.span(600)))
            end = begin + axis.span(rng.uniform(1200, 2400))
            when = slice(begin, min(end, axis.slots))
            levers.add("vm.cpu_cores", int(number), when, 0.14 * layout.guests[number].vcpus)
            levers.add("vm.iops", int(number), when, 25.0)
            levers.add("vm.read_kbs", int(number), when, 1200.0)
            events.append(Event(kind="scan", entity=layout.guests[number].name, start=begin, end=end, recurring=True))
    return events


def _crons(layout: Layout, axis: Axis, rng: np.random.Generator, levers: Levers) -> list[Event]:
    """Short bursts in a third of the guests, every hour or every few; only those of ten minutes or more are events."""
    events = []
    for number, guest in enumerate(layout.guests):
        if rng.random() > 0.35:
            continue
        every, minute, length = int(rng.choice([1, 2, 6])), rng.uniform(0, 55), rng.uniform(120, 900)
        for hour in range(int(rng.integers(0, every)), 24, every):
            for start in axis.local_slots(hour + minute / 60):
                when = slice(start, min(start + axis.span(length), axis.slots))
                levers.add("vm.cpu_cores", number, when, rng.uniform(0.12, 0.25) * guest.vcpus)
                levers.add("vm.iops", number, when, rng.uniform(10, 40))
                if length >= 600:
                    events.append(Event(kind="cron", entity=guest.name, start=start, end=when.stop, recurring=True))
    return events
