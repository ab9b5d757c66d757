"""Exporters, ceilometer and collectd's hosts through a real InfluxDB 1.x, as `test_influxdb1_collectors` reads others.

Lines were recorded (Telegraf 1.39, see `tests/data/collectors`), or written from what the projects publish:
prometheus-pve-exporter's tests/golden, the README of libvirt-exporter 2.x, ceilometer's polling/prom_exporter.py.
"""

import numpy as np
import pytest
from influx import Influx
from test_influxdb1_collectors import JOINED, SPLIT, VERSION_1, VERSION_2, canonical, guests, speeds, values

from brownout.domain.entities import Entity
from brownout.domain.repairs import Repair
from brownout.ingest.canonical import Canonical, Canonicaliser
from brownout.ingest.mapping import TelegrafMapping


def only(found: Canonical, entity: str, metric: str) -> float:
    """The one value that a metric has all the time."""
    (value,) = {round(value, 6) for value in values(found, entity, metric)}
    return value


def entity(found: Canonical, name: str) -> Entity:
    return next(one for one in found.entities if one.id == name)


@pytest.mark.parametrize("version", [1, 2])
def test_proxmox_exporter(influx: Influx, version: int) -> None:
    found = canonical(influx, f"collectors/pve-exporter-version-{version}.lp", slot_s=60)
    assert guests(found) == {("web01", "pve1"), ("win01", "pve2")}
    assert {e.id for e in found.entities if e.kind == "host"} == {"pve1", "pve2"}
    assert entity(found, "web01").labels["vmid"] == "100"
    assert only(found, "web01", "vm_cpu_pct") == pytest.approx(12.34)
    assert only(found, "win01", "vm_net_rx_kbs") == 1.0
    assert only(found, "win01", "vm_disk_kbs") == 4.0
    assert only(found, "pve1", "host_memory_available_pct") == 75.0
    (((repair, source), number),) = found.repairs.counts.items()
    assert (repair, source) == (Repair.LEFT_OUT, "pve_up" if version == 1 else "prometheus")
    assert number == 10  # of lxc/101 in ten minutes


@pytest.mark.parametrize("version", [1, 2])
def test_libvirt_exporter_that_knows_novas_names(influx: Influx, version: int) -> None:
    found = canonical(influx, f"collectors/libvirt-exporter-2-version-{version}.lp", slot_s=60)
    assert guests(found) == {("t2-1", "compute1")}
    labels = entity(found, "t2-1").labels
    assert (labels["domain"], labels["project"], labels["flavour"]) == ("instance-00000001", "admin", "m1.small")
    expected = {
        "vm_cpu_pct": 25.0, "vm_ready_pct": 2.0, "vm_memory_usable_pct": 40.0, "vm_balloon_ratio": 0.5,
        "vm_disk_iops": 6.0, "vm_disk_kbs": 60.0, "vm_disk_await_ms": 1.0, "vm_flush_ms": 5.0,
        "vm_net_rx_kbs": 1.0, "vm_net_tx_kbs": 2.0,
    }  # fmt: skip
    assert {name: only(found, "t2-1", name) for name in expected} == pytest.approx(expected, rel=1e-3)
    assert not found.repairs.counts


@pytest.mark.parametrize("version", [1, 2])
def test_ceilometer(influx: Influx, version: int) -> None:
    found = canonical(influx, f"collectors/ceilometer-version-{version}.lp", slot_s=60)
    assert guests(found) == {("t2-1", "compute1")}
    assert entity(found, "t2-1").labels["uuid"] == "f6b6310a-cf50-443a-8499-a383b9bbc51c"
    expected = {
        "vm_cpu_pct": 25.0, "vm_disk_iops": 6.0, "vm_disk_kbs": 60.0, "vm_net_rx_kbs": 1.0, "vm_net_tx_kbs": 2.0,
    }  # fmt: skip
    assert {name: only(found, "t2-1", name) for name in expected} == pytest.approx(expected, rel=1e-3)
    assert not found.repairs.counts


def test_node_exporter_says_the_same_in_both_versions(influx: Influx) -> None:
    one, two = (canonical(influx, name) for name in (VERSION_1, VERSION_2))
    metrics = {
        "kvm1": (
            "host_cpu_busy_pct", "host_cpu_iowait_pct", "host_softirq_pct", "host_memory_available_pct",
            "host_memory_available_gib", "host_dirty_pct", "host_majfault_per_s", "host_blocked_tasks",
            "host_tcp_established", "host_conntrack_pct", "host_uptime_h",
        ),
        "kvm1/vda": ("disk_util_pct", "disk_queue", "disk_read_kbs", "disk_write_kbs"),
        "kvm1/eth0": ("net_rx_kbs", "net_tx_kbs", "net_drop_per_s", "net_err_per_s"),
        "kvm1:/": ("disk_used_pct",),
    }  # fmt: skip
    for name, own in metrics.items():
        for metric in own:
            assert values(one, name, metric), metric
            # Two scrapes, half a second apart.
            np.testing.assert_allclose(
                values(one, name, metric), values(two, name, metric), rtol=0.2, atol=0.5, err_msg=metric
            )
    assert {e.id for e in one.entities} == {e.id for e in two.entities}
    kept = {e.id for e in one.entities if e.kind == "interface"}
    assert "kvm1/eth0" in kept
    assert not kept & {"kvm1/lo", "kvm1/ifb0", "kvm1/vnet0"}
    assert one.repairs.counts[Repair.NOT_OWN, "node_network_receive_bytes_total"] > 0


@pytest.mark.parametrize("name", [SPLIT, JOINED])
def test_collectd_of_hosts(influx: Influx, name: str) -> None:
    found = canonical(influx, name)
    cpu = "cpu_value" if name == SPLIT else "cpu"
    states = ("user", "system", "nice", "interrupt", "softirq", "steal")
    busy = sum(
        np.array(speeds(name, rf"^{cpu},host=kvm1,instance={n},type=cpu,type_instance={state}", "value"))
        for n in (0, 1)
        for state in states
    )
    np.testing.assert_allclose(values(found, "kvm1", "host_cpu_busy_pct"), busy / 2, rtol=5e-3)
    assert all(85 < share < 100 for share in values(found, "kvm1", "host_memory_available_pct"))
    ops, queue = (("disk_0", "disk_1"), "disk_1") if name == SPLIT else (("disk", "disk"), "disk")
    fields = ("value", "value") if name == SPLIT else ("0", "1")
    requests = sum(
        np.array(speeds(name, rf"^{m},host=kvm1,instance=vda,type=disk_ops", field))
        for m, field in zip(ops, fields, strict=True)
    )
    waited = np.array(speeds(name, rf"^{queue},host=kvm1,instance=vda,type=disk_io_time", fields[1]))
    np.testing.assert_allclose(values(found, "kvm1/vda", "disk_await_ms"), waited / requests, rtol=5e-3)
    assert values(found, "kvm1/eth0", "net_rx_kbs")


def test_one_telegraf_may_scrape_several_hypervisors(influx: Influx) -> None:
    """The exporter's address says whose guests they are; an address of the machine itself says nothing."""
    database = influx.database("scraped")
    start = np.datetime64("2026-03-02T06:00", "ms")
    begin = int(start.astype(np.int64))
    lines = []
    for minute in range(10):
        for guest, host in (("web01", "kvm1"), ("db01", "kvm2.example.org"), ("app01", "127.0.0.1")):
            tags = f"domain={guest},host=mon1,url=http://{host}:9177/metrics"
            time = begin + minute * 60_000
            lines += [
                f"libvirt_domain_info_cpu_time_seconds_total,{tags} counter={30 * minute} {time}",
                f"libvirt_domain_info_virtual_cpus,{tags} gauge=2 {time}",
            ]
    database.write(["\n".join(lines) + "\n"])
    found = Canonicaliser(database, TelegrafMapping.load(), 60).read(
        start, start + np.timedelta64(1, "h"), database.schemas()
    )
    assert guests(found) == {("web01", "kvm1"), ("db01", "kvm2.example.org"), ("app01", "mon1")}
    assert only(found, "web01", "vm_cpu_pct") == 25.0
