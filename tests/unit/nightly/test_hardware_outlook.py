"""When hosts run out, read from a store: hosts alone, at most twelve weeks, no maintenance, at least four weeks."""

import numpy as np
import pyarrow as pa
import pytest
from fakes import MemoryStore

from brownout.domain.calendar import Calendar, Maintenance
from brownout.domain.entities import Entity, Topology
from brownout.domain.findings.capacity_plan import HardwareOutlook
from brownout.domain.metrics import Catalogue
from brownout.nightly.capacity.hardware_outlook import hardware_outlook
from brownout.nightly.context import NightContext
from brownout.settings import Settings

METRICS = Catalogue.load().metrics
START = np.datetime64("2026-01-05T00:00", "ms")
DAY = np.timedelta64(86_400_000, "ms")
SIZE = {"cores": "10", "memory_gib": "100"}


def store(days: int, busy: np.ndarray | None = None) -> MemoryStore:
    """Two hosts and a guest, each hour: the hosts' CPU grows by half a per cent a day, or is as given by day."""
    hours = np.arange(days * 24)
    level = (20 + 0.5 * np.arange(days) if busy is None else busy)[hours // 24]
    times, names = START + hours * (DAY // 24), ("kvm1", "kvm2", "vm1")
    table = pa.table(
        {
            "time": pa.array(np.tile(times, 3).astype("datetime64[ms]"), pa.timestamp("ms", "UTC")),
            "entity": pa.array(np.repeat(names, len(hours))).dictionary_encode(),
            "host_cpu_busy_pct": pa.array(np.concatenate([level, level, np.full(len(hours), 99.0)]), pa.float32()),
        }
    )
    hosts = [Entity(id=name, kind="host", labels=SIZE) for name in names[:2]]
    topology = Topology.of([*hosts, Entity(id="vm1", kind="vm", parent="kvm1", labels=SIZE)])
    return MemoryStore(table, (METRICS["host_cpu_busy_pct"],), topology, 3600)


def outlook(made: MemoryStore, calendar: Calendar | None = None) -> tuple[HardwareOutlook, ...]:
    end = max(span.last for span in made.spans().values())
    return hardware_outlook(NightContext.build(made, Settings(), created=end, calendar=calendar))


def test_hosts_alone_are_told_by_the_weeks_that_there_are() -> None:
    (found,) = outlook(store(42))
    assert (found.hosts, found.resource.value, found.weeks) == (("kvm1", "kvm2"), "vcpus", 6)
    assert found.growth == pytest.approx(2 * 10 * 0.5 * 7 / 100, rel=1e-3)


def test_less_than_four_weeks_say_nothing_and_more_than_twelve_are_not_read() -> None:
    assert outlook(store(27)) == ()
    busy = np.concatenate([np.full(60, 90.0), np.full(84, 30.0)])  # another fleet, long ago
    (found,) = outlook(store(144, busy))
    assert found.weeks == 12
    assert found.growth == pytest.approx(0, abs=1e-6)


def test_maintenance_is_no_quiet_week() -> None:
    busy = np.full(42, 40.0)
    busy[35:] = 1.0
    window = Maintenance(name="work", entities=("*",), once=(START + 35 * DAY, START + 42 * DAY))
    assert outlook(store(42, busy), Calendar((window,))) == ()
    (found,) = outlook(store(42, busy))
    assert found.weeks == 6
