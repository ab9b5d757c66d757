"""A realistic Telegraf corpus through a real InfluxDB 1.x: server, sync, panel, and back to what was simulated."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from influx import PASSWORD, Influx

from brownout.adapters.influx.influxql import InfluxQlDatabase
from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.diagnosis.inference.cause_ranking import Diagnoser
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.panel import Panel
from brownout.domain.repairs import Repair
from brownout.ingest.canonical import Canonicaliser
from brownout.ingest.line_protocol import Points, batches
from brownout.ingest.mapping import TelegrafMapping
from brownout.operate.sources import DatabaseSource
from brownout.operate.sync import SyncResult, sync
from brownout.simulation.fleet import Fleet, simulate
from brownout.simulation.fleet_settings import FleetSettings
from brownout.simulation.telegraf import Trouble, telegraf_points
from brownout.store.history import History
from brownout.store.shards import plan_shards, read_shard, shards

RARE = ("ART-06", "MAINT-02", "MAINT-05", "NET-05", "NET-08", "VIRT-04")
"""Causes whose metrics are 0 on a healthy fleet; the seed has the first five of them."""
FLEET = FleetSettings(
    hosts=2, vms=6, days=1.1, faults=5, lead=0.25, seed=53, interval_s=60, signatures=True, only_causes=RARE
)
HOUR = np.timedelta64(3600, "s")
RESET = dict.fromkeys(("kvm01", "kvm02/bond0", "vm003"), FLEET.start + 5 * HOUR)
MOVED = {"vm002": (FLEET.start + 9 * HOUR, "kvm02")}
END = FLEET.start + 26 * HOUR

COUNTED = {
    "host_swap_kbs": 0.05, "host_majfault_per_s": 0.05, "host_retrans_pct": 0.02, "net_drop_per_s": 0.05,
    "vm_majfault_per_s": 0.05, "vm_disk_iops": 0.08, "vm_swap_kbs": 0.05, "disk_queue": 0.05,
    "host_thp_fallback_per_s": 0.05, "host_reclaim_per_s": 0.05, "host_rt_cpu_pct": 0.02, "vm_throttled_pct": 0.2,
    "console_worker_pct": 0.02, "console_stalled_pct": 2.5, "host_mem_errors_per_h": 20, "console_drops_per_h": 3,
    "console_clients": 0.5,
}  # fmt: skip
"""Metrics made of counters of small whole numbers, and how far rounding to one a minute can take them."""
RATIOS = {"vm_disk_await_ms": 1e-2, "vm_flush_ms": 1e-2}
"""Ratios of counters of whole requests, and how far their rounding can take them."""
FROM_COUNTERS = {
    "host_swap_kbs", "host_majfault_per_s", "host_retrans_pct", "disk_queue", "disk_read_kbs", "disk_write_kbs",
    "net_rx_kbs", "net_tx_kbs", "net_util_pct", "net_drop_per_s", "vm_cpu_pct", "vm_ready_pct", "vm_swap_kbs",
    "vm_majfault_per_s", "vm_disk_await_ms", "vm_disk_iops", "vm_disk_kbs", "vm_net_rx_kbs", "vm_net_tx_kbs",
    "vm_system_share_pct", "vm_ipc", "vm_cache_miss_per_ki", "vm_throttled_pct", "vm_flush_ms", "console_worker_pct",
    "host_numa_remote_pct", "host_thp_fallback_per_s", "host_reclaim_per_s", "host_rt_cpu_pct", "net_err_per_s",
    "console_drops_per_h",
}  # fmt: skip
DERIVED = {
    "host_memory_available_gib", "link_ttl", "net_bad_ppm", "console_proxied_update_ms", "console_proxied_echo_ms",
    "console_proxied_failed_pct", "link_unreachable_pct",
}  # fmt: skip
"""What the database knows and the simulated data set does not: other units of its metrics, and fields of ping and of
consoles that are seen through a proxy."""
SELDOM = {"disk_bad_sectors": 10}
"""Metrics that are gathered every so many slots and hold in between."""


@dataclass(frozen=True)
class Corpus:
    """A fleet, and the database that holds all of it but a few late points."""

    fleet: Fleet
    database: InfluxQlDatabase
    late: list[Points]

    def source(self, end: np.datetime64 = END) -> DatabaseSource:
        reader = Canonicaliser(self.database, TelegrafMapping.load(), FLEET.interval_s)
        return DatabaseSource(reader, since=FLEET.start, now=end, lookback=2 * HOUR.astype("timedelta64[ms]"))


@pytest.fixture(scope="module")
def corpus(influx: Influx) -> Corpus:
    fleet = simulate(FLEET)
    database = influx.database("corpus")
    late_from = int((END - HOUR).astype("datetime64[ms]").astype(np.int64))
    late = []
    for points in telegraf_points(fleet, Trouble(resets=RESET, moves=MOVED)):
        is_late = (points.times >= late_from) & (points.measurement == "mem")
        database.write(batches(_some(points, ~is_late)))
        if is_late.any():
            late.append(_some(points, is_late))
    return Corpus(fleet, database, late)


@pytest.fixture(scope="module")
def synced(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[SyncResult, History]:
    """What a sync until an hour before the end brought, and the history that it made."""
    folder = tmp_path_factory.mktemp("synced")
    return sync(corpus.source(END - HOUR), folder), History.open(folder)


def _some(points: Points, keep: np.ndarray) -> Points:
    fields = {name: values[keep] for name, values in points.fields.items()}
    return replace(points, series=points.series[keep], times=points.times[keep], fields=fields)


def _aligned(found: Panel, expected: Panel, entity: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Both series on the slots of the history, from the second slot on: the first has no rates."""
    own = found.values[found.entity_ids.index(entity), :, found.metric_names.index(metric)]
    made = expected.values[expected.entity_ids.index(entity), :, expected.metric_names.index(metric)]
    first = expected.slot(found.start)
    skip = max(1 - first, 0)
    return own[skip:], made[first + skip : first + len(own)]


def _gathered(values: np.ndarray, every: int) -> np.ndarray:
    """Values of the slots in which something was gathered; the first one compared is the second of the fleet."""
    return values[np.arange(1, len(values) + 1) % every == 0]


def test_what_was_simulated_comes_back(corpus: Corpus, synced: tuple[SyncResult, History]) -> None:
    result, history = synced
    simulated = {metric.name for panel in corpus.fleet.panels.values() for metric in panel.metrics}
    assert {metric.name for metric in history.metrics} == simulated | DERIVED
    assert result.repairs.by_kind() == {Repair.COUNTER_RESET: result.repairs.by_kind()[Repair.COUNTER_RESET]}
    compared = 0
    for shard in shards(history):
        expected = corpus.fleet.panels[shard.panel.entities[0].kind]
        for entity in shard.panel.entity_ids:
            for metric in sorted({*shard.panel.metric_names} - DERIVED):
                own, made = _aligned(shard.panel, expected, entity, metric)
                if metric in SELDOM:
                    assert np.isfinite(own).mean() > 0.95
                    own, made = _gathered(own, SELDOM[metric]), _gathered(made, SELDOM[metric])
                if metric == "host_sessions":  # a sum over consoles: short where one of them is missing
                    assert np.nanmedian(np.abs(own - made)) == 0
                    continue
                both = np.isfinite(own) & np.isfinite(made)
                share, size = RATIOS.get(metric, 2e-3), COUNTED.get(metric, 2e-3)
                np.testing.assert_allclose(own[both], made[both], share, size, err_msg=f"{entity} {metric}")
                lost = int((np.isfinite(made) & ~np.isfinite(own)).sum())
                troubled = (entity in RESET) + (entity.removesuffix("/console") in MOVED)
                assert lost == (troubled if metric in FROM_COUNTERS else 0), (entity, metric, lost)
                compared += int(both.sum())
    assert compared > 200_000


def test_incidents_are_told_alike_over_the_database_and_without_it(
    corpus: Corpus, synced: tuple[SyncResult, History]
) -> None:
    history, diagnoser = synced[1], Diagnoser(Knowledge.load())
    answers = []
    for incident in corpus.fleet.incidents:
        members = tuple(e.id for e in corpus.fleet.topology if e.group == incident.group)
        end = min(incident.end, END - HOUR)
        window = IncidentWindow(id=incident.id, start=incident.start, end=end, entities=members)
        simulated = [
            panel.select(entities=[row for row, e in enumerate(panel.entities) if e.group == incident.group])
            for panel in corpus.fleet.panels.values()
        ]
        plans = plan_shards(history, entities=set(members))
        through = [read_shard(history, plan).panel for plan in plans]
        for panels, topology in ((simulated, corpus.fleet.topology), (through, history.topology)):
            past = [panel.between(panel.start, end) for panel in panels]
            answers.append((incident.cause, diagnoser.diagnose(window, past, topology).top.id))
    assert answers[::2] == answers[1::2]
    assert sum(cause == answer for cause, answer in answers) >= 8


def test_configuration_comes_back_as_labels(corpus: Corpus, synced: tuple[SyncResult, History]) -> None:
    found = synced[1].topology
    unknown = {"memory_gib", "cores", "speed_mbits", "protocol"}
    for entity in corpus.fleet.topology:
        expected = {name: value for name, value in entity.labels.items() if name not in unknown}
        assert expected.items() <= found[entity.id].labels.items(), entity.id
    assert len(found["vm002"].labels) > 20  # it moved: the labels came along
    assert found["vm002"].parent == "kvm02"
    assert found["vm002"].named_by == ("domain_name", "host")


def test_resets_are_counted_and_a_migration_keeps_the_guest(corpus: Corpus, synced: tuple[SyncResult, History]) -> None:
    result, history = synced
    resets = result.repairs.by_entity()
    assert set(resets) == set(RESET)
    assert resets["kvm02/bond0"] == 1
    vcpus = int(corpus.fleet.topology["vm003"].labels["vcpus"])
    assert resets["vm003"] == 7 + vcpus  # libvirt_cpu, perf, balloon, net, cgroup, two disks, and each vCPU
    assert resets["kvm01"] == 5  # swap, kernel_vmstat, nstat, linux_cpu, rt_thread
    topology = history.topology
    assert topology["vm002"].parent == "kvm02"
    assert topology["vm002"].former == ((FLEET.start + 9 * HOUR, "kvm01"),)
    assert topology["vm002/console"].parent == "vm002"
    assert topology["vm001"].parent == "kvm01"
    assert {entity.kind for entity in topology} == {"host", "disk", "path", "interface", "link", "vm", "console"}


def test_late_points_and_new_ones_are_brought_by_the_next_sync_and_nothing_else_is_read(
    corpus: Corpus, tmp_path: Path
) -> None:
    sync(corpus.source(), tmp_path)
    (before,) = [s for s in shards(History.open(tmp_path)) if s.panel.entities[0].kind == "host"]
    corpus.database.write(line for points in corpus.late for line in batches(points))
    result = sync(corpus.source(), tmp_path)
    assert result.slices == 1
    (after,) = [s for s in shards(History.open(tmp_path)) if s.panel.entities[0].kind == "host"]
    column = after.panel.metric_names.index("host_memory_available_pct")
    assert np.isnan(before.panel.values[:, -50:, column]).all()
    assert np.isfinite(after.panel.values[:, -50:, column]).mean() > 0.9


KILLED = """
import sys, time
from pathlib import Path
import numpy as np
from brownout.adapters.influx.http import Connection
from brownout.adapters.influx.influxql import InfluxQlDatabase
from brownout.ingest.canonical import Canonicaliser
from brownout.ingest.mapping import TelegrafMapping
from brownout.operate.sources import DatabaseSource
from brownout.operate.sync import sync

url, password, folder, start, end = sys.argv[1:]
database = InfluxQlDatabase(Connection(url=url), database="corpus", user="admin", password=password, version="1.6.7")
source = DatabaseSource(
    Canonicaliser(database, TelegrafMapping.load(), 60),
    since=np.datetime64(start, "ms"), now=np.datetime64(end, "ms"), lookback=np.timedelta64(7_200_000, "ms"),
)
sync(source, Path(folder), progress=lambda stage, share: print(share, flush=True))
"""


@pytest.mark.parametrize(("slices", "delay"), [(0, 1.0), (1, 0.0), (2, 0.15), (3, 0.4)])
def test_killed_at_any_moment_the_next_sync_ends_in_the_same_bytes(
    corpus: Corpus, tmp_path: Path, slices: int, delay: float
) -> None:
    sync(corpus.source(), tmp_path / "undisturbed")
    url = corpus.database.label.split(" at ")[1].split(",")[0]
    arguments = [url, PASSWORD, str(tmp_path / "killed"), str(FLEET.start), str(END)]
    process = subprocess.Popen([sys.executable, "-c", KILLED, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(slices):
        process.stdout.readline()
    try:
        process.wait(delay)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    process.stdout.close()
    sync(corpus.source(), tmp_path / "killed")
    content = [
        {path.name: path.read_bytes() for path in sorted((tmp_path / name).rglob("*.parquet"))}
        for name in ("undisturbed", "killed")
    ]
    assert content[0] == content[1]
    descriptions = [(tmp_path / name / "history.json").read_text() for name in ("undisturbed", "killed")]
    assert descriptions[0] == descriptions[1]


def test_a_counter_beyond_2_to_the_53_has_exact_rates(influx: Influx) -> None:
    """One request a minute, counted from 9.2e18 on, where neighbours of float64 lie 1,024 apart."""
    first, start = 9_200_000_000_000_000_001, np.datetime64("2026-03-02T06:00", "ms")
    begin = int(start.astype(np.int64))
    lines = [f"swap,host=kvm1 in={first + 61 * minute}i,out=0i {begin + minute * 60_000}" for minute in range(30)]
    database = influx.database("long counters")
    database.write(["\n".join(lines) + "\n"])
    reader = Canonicaliser(database, TelegrafMapping.load(), 60)
    (table,) = reader.read(start, start + np.timedelta64(1, "h"), database.schemas()).tables
    assert set(table["host_swap_kbs"].drop_null().to_pylist()) == {61 / 60 / 1024}
