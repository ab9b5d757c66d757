"""What real collectors wrote, through a real InfluxDB 1.x: entities, and values against loops over the lines."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from influx import Influx

from brownout.adapters.agent.host_agent import host_agent
from brownout.adapters.hypervisor.kernel import Kernel
from brownout.adapters.hypervisor.virsh import Virsh
from brownout.domain.errors import BrownoutError
from brownout.domain.repairs import Repair
from brownout.ingest.canonical import Canonical, Canonicaliser
from brownout.ingest.mapping import TelegrafMapping

DATA = Path(__file__).parents[1] / "data"
SLOT_S = 10
STILL = {"host_retrans_pct", "vm_system_share_pct"}
FACTS = {"host_rt_cpu_pct", "host_vm_starts_per_min", "host_maintenance", "vm_migrating", "vm_block_job"}
"""Metrics of ``brownout facts``, whose guests are listed apart."""


@dataclass(frozen=True)
class Line:
    """A recorded line."""

    series: str
    fields: Mapping[str, float]
    ms: int

    @classmethod
    def read(cls, text: str) -> "Line":
        series, fields, time = text.rsplit(" ", 2) if '"' not in text else _quoted(text)
        found = re.findall(r"([^=,]+)=([0-9.eE+-]+)i?(?=,|$)", fields)
        return cls(series, {name: float(value) for name, value in found}, int(time) // 1_000_000)


def _quoted(text: str) -> tuple[str, str, str]:
    series, rest = re.split(r"(?<!\\) ", text, maxsplit=1)
    fields, time = rest.rsplit(" ", 1)
    return series, fields, time


def lines(name: str) -> list[Line]:
    return [Line.read(text) for text in (DATA / name).read_text().splitlines()]


def canonical(influx: Influx, name: str, *, slot_s: int = SLOT_S) -> Canonical:
    """The recording as it comes out of a database that holds nothing else."""
    database = influx.database(name.replace("/", " "))
    text = re.sub(r"(\d{13})\d{6}$", r"\1", (DATA / name).read_text(), flags=re.MULTILINE)
    database.write([text])
    times = [line.ms for line in lines(name)]
    start = np.datetime64(min(times) // 3_600_000 * 3_600_000, "ms")
    end = np.datetime64((max(times) // 3_600_000 + 1) * 3_600_000, "ms")
    return Canonicaliser(database, TelegrafMapping.load(), slot_s).read(start, end, database.schemas())


def values(found: Canonical, entity: str, metric: str) -> list[float]:
    own = [
        table.filter([name == entity for name in table["entity"].to_pylist()])[metric].drop_null().to_pylist()
        for table in found.tables
        if metric in table.column_names
    ]
    return [value for column in own for value in column]


def speeds(name: str, series: str, field: str) -> list[float]:
    """Rates a second of one series of a recording, one after the other."""
    own = sorted({line.ms: line.fields[field] for line in lines(name) if re.search(series, line.series)}.items())
    return [(b - a) / (t - s) * 1000 for (s, a), (t, b) in pairwise(own)]


def guests(found: Canonical) -> set[tuple[str, str]]:
    return {(entity.id, entity.parent) for entity in found.entities if entity.kind == "vm"}


SPLIT, JOINED = "collectors/collectd-guest-as-host-split.lp", "collectors/collectd-guest-as-instance-joined.lp"
VERSION_1, VERSION_2 = "collectors/prometheus-version-1.lp", "collectors/prometheus-version-2.lp"


@pytest.mark.parametrize("name", [VERSION_1, VERSION_2])
def test_libvirt_exporter_in_both_versions(influx: Influx, name: str) -> None:
    found = canonical(influx, name)
    assert guests(found) == {("vm1", "kvm1"), ("vm2", "kvm1"), ("vm3", "kvm1")}
    assert not {repair for repair, _ in found.repairs.counts} - {Repair.COUNTER_RESET, Repair.NOT_OWN}
    one = name == VERSION_1
    field = "counter" if one else "libvirt_domain_info_cpu_time_seconds_total"
    series = r"cpu_time_seconds_total,domain=vm1" if one else r"^prometheus,domain=vm1,host=kvm1,url"
    expected = [100 * speed / 2 for speed in _speeds_with(name, series, field)]
    np.testing.assert_allclose(values(found, "vm1", "vm_cpu_pct"), expected)
    reads, writes = (
        _speeds_with(
            name,
            rf"block_stats_{kind}_requests_total,domain=vm1" if one else r"^prometheus,domain=vm1.*target_device=vda",
            "counter" if one else f"libvirt_domain_block_stats_{kind}_requests_total",
        )
        for kind in ("read", "write")
    )
    np.testing.assert_allclose(values(found, "vm1", "vm_disk_iops"), np.add(reads, writes))
    assert values(found, "vm1", "vm_balloon_ratio") == [1.0, 1.0, 1.0]


def _speeds_with(name: str, series: str, field: str) -> list[float]:
    own = {
        line.ms: line.fields[field] for line in lines(name) if re.search(series, line.series) and field in line.fields
    }
    pairs = sorted(own.items())
    return [(b - a) / (t - s) * 1000 for (s, a), (t, b) in pairwise(pairs)]


def test_node_exporter_in_version_2(influx: Influx) -> None:
    found = canonical(influx, VERSION_2)
    busy = [
        sum(
            _speeds_with(VERSION_2, rf"cpu={cpu},host=kvm1,mode={mode},", "node_cpu_seconds_total")[place]
            for cpu in (0, 1)
            for mode in ("irq", "nice", "softirq", "steal", "system", "user")
        )
        / 2
        * 100
        for place in range(2)
    ]
    np.testing.assert_allclose(values(found, "kvm1", "host_cpu_busy_pct"), busy)
    assert 85 < values(found, "kvm1", "host_memory_available_pct")[0] < 100


@pytest.mark.parametrize(("name", "parent"), [(SPLIT, ""), (JOINED, "kvm1")])
def test_collectd_in_both_namings(influx: Influx, name: str, parent: str) -> None:
    found = canonical(influx, name)
    assert guests(found) == {(guest, parent) for guest in ("vm1", "vm2", "vm3")}
    own = "host=vm1" if name == SPLIT else "instance=vm1"
    reads, writes = ("virt_0", "virt_1") if name == SPLIT else ("virt", "virt")
    fields = ("value", "value") if name == SPLIT else ("0", "1")

    def both(kind: str) -> np.ndarray:
        parts = [
            speeds(name, rf"^{measurement},.*{own},type={kind},", field)
            for measurement, field in zip((reads, writes), fields, strict=True)
        ]
        return np.add(*parts)

    np.testing.assert_allclose(values(found, "vm1", "vm_disk_iops"), both("disk_ops"), rtol=2e-3)
    expected = both("disk_time") / both("disk_ops") / 1e6
    np.testing.assert_allclose(values(found, "vm1", "vm_disk_await_ms"), expected, rtol=2e-3)
    value = "virt_value" if name == SPLIT else "virt"
    cpu = [speeds(name, rf"^{value},.*{own},type=virt_vcpu,type_instance={n}", "value") for n in (0, 1)]
    np.testing.assert_allclose(values(found, "vm1", "vm_cpu_pct"), np.mean(cpu, axis=0) / 1e7, rtol=2e-3)


def test_telegraf(influx: Influx) -> None:
    found = canonical(influx, "collectors/telegraf.lp")
    assert guests(found) == {(guest, "kvm1") for guest in ("vm1", "vm2", "vm3")}
    # procstat by pattern: nothing in its tags says which guest a process is.
    unnamed = {name for repair, name in found.repairs.counts if repair is Repair.NO_ENTITY}
    assert unnamed == {"procstat"}
    unreachable = values(found, "kvm1>10.77.0.99", "link_unreachable_pct")
    assert unreachable
    assert set(unreachable) == {100.0}
    assert set(values(found, "kvm1>10.77.0.11", "link_unreachable_pct")) == {0.0}


def test_a_spice_console_has_no_banner(influx: Influx) -> None:
    found = canonical(influx, "spice-console.lp", slot_s=60)
    waits = values(found, "win-10/console", "console_mainloop_ms")
    assert min(waits) == pytest.approx(11.5)
    assert max(waits) > 1000


def test_disks_of_old_agents_have_a_latency_from_counters(influx: Influx) -> None:
    recorded = [text for text in (DATA / "collectors/telegraf.lp").read_text().splitlines() if text[:7] == "diskio,"]
    old = [re.sub(r"(?<=[ ,])io_(await|util|svctm)=[^,]+,", "", text) for text in recorded]
    database = influx.database("old agent")
    database.write([re.sub(r"(\d{13})\d{6}$", r"\1", text) + "\n" for text in old])
    start = np.datetime64(Line.read(old[0]).ms // 3_600_000 * 3_600_000, "ms")
    reader = Canonicaliser(database, TelegrafMapping.load(), SLOT_S)
    found = reader.read(start, start + np.timedelta64(2, "h"), database.schemas())
    new = [Line.read(text).fields["io_await"] for text in recorded]
    own = values(found, "kvm1/vda", "disk_await_ms")
    assert len(own) == len(new) - 1
    np.testing.assert_allclose(own, new[1:], rtol=0.02)


def test_the_agents_lines_become_what_telegrafs_do(influx: Influx, tmp_path: Path) -> None:
    """Rounds over a recorded /proc: the same metrics, of the same kinds of entity, as Telegraf's lines give."""
    root = tmp_path / "root"
    complaints: list[BrownoutError] = []
    virsh = tmp_path / "virsh"
    virsh.write_text(f'#!/bin/sh\n[ "$1" = domstats ] && cat {DATA}/agent/domstats.txt; true\n')
    virsh.chmod(0o755)
    root.symlink_to(DATA / "agent/first")
    agent = host_agent(
        host="kvm1",
        kernel=Kernel(root, 100),
        virsh=Virsh(program=str(virsh)),
        announcement=tmp_path / "none",
        complain=complaints.append,
    )
    agent.begin(0.0)
    start = 1_795_852_080_000
    lines = agent.round(1.0, start)
    root.unlink()
    root.symlink_to(DATA / "agent/second")
    for place in (1, 2):
        lines += agent.round(1.0 + 10.0 * place, start + 10_000 * place)
    assert complaints == []
    database = influx.database("agent")
    database.write(["\n".join(lines) + "\n"])
    at = np.datetime64(start // 3_600_000 * 3_600_000, "ms")
    found = Canonicaliser(database, TelegrafMapping.load(), SLOT_S).read(
        at, at + np.timedelta64(1, "h"), database.schemas()
    )
    assert Repair.NO_ENTITY not in {repair for repair, _ in found.repairs.counts}
    assert guests(found) == {("vm1", "kvm1")}  # the other is shut off
    telegraf = canonical(influx, "collectors/telegraf.lp")
    measured, like = (
        {
            (entity, metric)
            for entity, kind in (("kvm1", "host"), ("vm1", "vm"), ("kvm1/vda", "disk"), ("kvm1/eth0", "interface"))
            for metric in TelegrafMapping.load().catalogue.metrics
            if kind and values(of, entity, metric)
        }
        for of in (found, telegraf)
    )
    gone = {metric for _, metric in like - measured}
    # the guest has no balloon driver; its domstats and the host's TCP stand still: nothing to divide by
    assert (
        gone
        <= {"vm_memory_usable_pct", "vm_swap_kbs", "vm_majfault_per_s", "vm_disk_await_ms", "vm_flush_ms"}
        | STILL
        | FACTS
    )
    assert {"vm_qemu_cpu_pct", "vm_uptime_h", "vm_throttled_pct"} <= {metric for _, metric in measured}
