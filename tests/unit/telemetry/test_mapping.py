"""The mapping that ships with brownout, and what a site puts over it."""

from pathlib import Path

import numpy as np
import pytest

from brownout.domain.errors import KnowledgeError
from brownout.domain.metrics import Catalogue
from brownout.simulation.telegraf import NOT_WRITTEN
from brownout.telemetry.canonical import Canonicaliser
from brownout.telemetry.mapping import Names, TelegrafMapping
from brownout.telemetry.raw import MeasurementSchema, Raw, Request

START = np.datetime64("2026-03-02T00:00", "ms")
INPUTS = {
    "libvirt", "cpu", "mem", "swap", "disk", "diskio", "net", "nstat", "netstat", "ping", "kernel", "kernel_vmstat",
    "system", "processes", "procstat", "linux_cpu", "conntrack", "console probe",
}  # fmt: skip


class Memory:
    """A database in memory: raw telemetry by measurement."""

    name = label = "memory"

    def __init__(self, **tables: Raw) -> None:
        self.tables = tables

    def schemas(self) -> dict[str, MeasurementSchema]:
        return {name: MeasurementSchema(tags=(), fields=raw.fields) for name, raw in self.tables.items()}

    def read(self, request: Request) -> Raw:
        raw = self.tables[request.measurement]
        places = [raw.fields.index(name) for name in request.fields]
        return Raw(request.fields, raw.tags, raw.series, raw.times, raw.values[:, places])


def raw(tags: list[dict[str, str]], minutes: list[int], **fields: list[float]) -> Raw:
    """The same minutes for each series."""
    times = START.astype(np.int64) + np.tile(minutes, len(tags)) * 60_000
    values = np.column_stack([np.array(column, float) for column in fields.values()])
    return Raw(tuple(fields), tuple(tags), np.repeat(np.arange(len(tags)), len(minutes)), times, values)


def read(mapping: TelegrafMapping, names: Names | None = None, **tables: Raw) -> dict[tuple[str, str], list[float]]:
    database = Memory(**tables)
    reader = Canonicaliser(database, mapping, 60, names or Names())  # type: ignore[arg-type]
    found = reader.read(START, START + np.timedelta64(1, "h"), database.schemas())
    return {
        (entity, metric): table.filter([name == entity for name in table["entity"].to_pylist()])[metric].to_pylist()
        for table in found.tables
        for entity in set(table["entity"].to_pylist())
        for metric in table.column_names[2:]
    }


def test_every_source_makes_metrics_of_the_catalogue_on_kinds_that_carry_them() -> None:
    mapping, catalogue = TelegrafMapping.load(), Catalogue.load().metrics
    for source in mapping.sources:
        for name in source.metrics:
            assert source.entity[0].kind in catalogue[name].entity_kinds, name
    assert {source.input for source in mapping.sources} == INPUTS
    assert all(any(s.advice for s in mapping.sources if s.input == name) for name in INPUTS)
    assert set(catalogue) - {metric.name for metric in mapping.metrics} == set(NOT_WRITTEN)


def test_cpu_of_a_host_counts_guests_and_not_waiting() -> None:
    found = read(
        TelegrafMapping.load(),
        cpu=raw([{"host": "k", "cpu": "cpu-total"}], [0], usage_idle=[61.0], usage_iowait=[0.7]),
    )
    assert found["k", "host_cpu_busy_pct"] == pytest.approx([38.3])


def test_a_guest_that_is_shut_off_on_its_old_host_is_left_out_and_unknown_is_kept() -> None:
    tags = [{"host": host, "domain_name": name} for host, name in (("k1", "a"), ("k2", "a"), ("k1", "b"))]
    found = read(
        TelegrafMapping.load(),
        libvirt_state=raw(tags[:2], [0], state=[5, 1]),
        libvirt_balloon=raw(tags, [0], current=[1, 3, 1], maximum=[4, 4, 2], usable=[1, 2, 1], available=[4, 4, 4]),
    )
    assert found["a", "vm_balloon_ratio"] == [0.75]
    assert found["b", "vm_balloon_ratio"] == [0.5]


def test_ready_time_is_the_mean_of_vcpus_and_use_is_shared_by_them() -> None:
    tags = [{"host": "k", "domain_name": "a", "vcpu_id": str(n)} for n in range(2)]
    total = [{"host": "k", "domain_name": "a"}]
    found = read(
        TelegrafMapping.load(),
        libvirt_vcpu=raw(tags, [0, 1], delay=[0, 6e9, 0, 12e9]),
        libvirt_cpu=raw(total, [0, 1], user=[0, 50e9], system=[0, 10e9]),
        libvirt_vcpu_total=raw(total, [0], current=[2]),
    )
    assert found["a", "vm_ready_pct"] == pytest.approx([15])
    assert found["a", "vm_cpu_pct"] == pytest.approx([50])


def test_network_use_needs_a_known_speed() -> None:
    tags = [{"host": "k", "interface": name} for name in ("eth0", "eth1", "lo", "vnet3")]
    counted = [0, 60 * 125e6 / 2] * 4
    speed = [1000, 1000, -1, -1, 10, 10, 10, 10]
    found = read(
        TelegrafMapping.load(),
        net=raw(tags, [0, 1], bytes_recv=counted, bytes_sent=[0] * 8, drop_in=[0] * 8, drop_out=[0] * 8, speed=speed),
    )
    assert found["k/eth0", "net_util_pct"] == pytest.approx([50])
    assert found["k/eth1", "net_util_pct"] == [None]
    assert {entity for entity, _ in found} == {"k/eth0", "k/eth1"}


def test_a_qemu_process_is_told_by_its_scope() -> None:
    scopes = ["machine-qemu\\x2d3\\x2dweb\\x2d01.scope", "machine-qemu-4-db.scope", "sshd.service"]
    tags = [{"host": "k", "cgroup": scope} for scope in scopes]
    found = read(TelegrafMapping.load(), procstat=raw(tags, [0], cpu_usage=[70, 80, 90], memory_swap=[0, 2**20, 0]))
    assert {entity for entity, _ in found} == {"web-01", "db"}
    assert found["db", "vm_qemu_swap_mib"] == [1]


def test_a_site_can_name_alias_filter_and_map_its_own(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[[sources]]\nmeasurement = "node_memory"\nentity = [{ kind = "host", id = "{node}" }]\n'
        '[sources.metrics]\nhost_memory_available_pct = "100 * free / total"\n'
    )
    names = Names(ids={"vm": "{host}/{domain_name}"}, aliases={"url": {"10.0.0.1": "k1"}}, hosts=("k*",))
    mapping = TelegrafMapping.load(own, names=names)
    cpu = raw(
        [{"host": h, "cpu": "cpu-total"} for h in ("k1", "guest7")], [0], usage_idle=[50, 60], usage_iowait=[0, 0]
    )
    found = read(
        mapping,
        names,
        node_memory=raw([{"node": "k1"}], [0], free=[1], total=[4]),
        mem=raw([{"host": "k1"}], [0], available_percent=[99]),
        ping=raw([{"host": "p", "url": "10.0.0.1"}], [0], average_response_ms=[3]),
        libvirt_balloon=raw([{"host": "k1", "domain_name": "a"}], [0], current=[1], maximum=[2]),
        cpu=cpu,
    )
    assert found["k1", "host_memory_available_pct"] == [25]
    assert found["p>k1", "link_rtt_ms"] == [3]
    assert found["k1/a", "vm_balloon_ratio"] == [0.5]
    assert not any(entity == "guest7" for entity, _ in found)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[sources]]\nmeasurement = 'm'\n", "lacks"),
        ("[[sources]]\nmeasurement='m'\nentity=[{kind='host',id='{h}'}]\nmetrics={a='b'}\nnope=1\n", "unknown keys"),
        ("[[sources]]\nmeasurement='m'\nentity=[{kind='host'}]\nmetrics={a='b'}\n", "cannot be read"),
        ("[[sources]]\nmeasurement='m'\nentity=[]\nexclude={a='('}\nmetrics={a='b'}\n", "cannot be read"),
        ("[other]\n", "unknown tables"),
        ("x = [", "cannot be read"),
    ],
)  # fmt: skip
def test_a_malformed_mapping_is_refused_with_its_reason(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(KnowledgeError, match=says):
        TelegrafMapping.load(tmp_path / "own.toml")
