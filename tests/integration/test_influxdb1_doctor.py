"""What the doctor says of fleets that are not what they seem, on a real InfluxDB 1.x."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from influx import PASSWORD, Influx
from test_influxdb1_night import ran

from brownout.bootstrap import clock, doctor_services
from brownout.operate.checks import Check, State
from brownout.operate.doctor import examine
from brownout.settings import Settings
from brownout.site_knowledge import Definitions


@pytest.fixture(scope="module")
def definitions() -> Callable[[Path | None], Definitions]:
    """What ships, read once."""
    shipped = doctor_services().definitions(None)
    return lambda _: shipped


@pytest.fixture
def examined(influx: Influx, monkeypatch: pytest.MonkeyPatch, definitions: Callable[[Path | None], Definitions]):  # type: ignore[no-untyped-def] # noqa: ANN201 - a closure
    monkeypatch.setenv("BROWNOUT_INFLUXDB_PASSWORD", PASSWORD)
    now = clock()

    def examine_points(
        name: str, *series: str, every_s: int = 60, stopped: tuple[str, ...] = (), hours_ago: int = 3
    ) -> list[Check]:
        first = int(now.astype(np.int64)) // 60_000 * 60_000
        times = range(first - 7_200_000, first, every_s * 1000)
        before = range(first - 18_000_000, first - hours_ago * 3_600_000, every_s * 1000)
        lines = [f"{point} {time}\n" for point in series for time in times]
        influx.database(name).write([*lines, *(f"{point} {time}\n" for point in stopped for time in before)])
        own = {"url": influx.url, "database": name, "user": "admin"}
        services = replace(doctor_services(), definitions=definitions)
        return list(examine(Settings(influxdb=own), services, now))  # type: ignore[arg-type]

    return examine_points


def about(checks: list[Check], name: str) -> list[Check]:
    return [check for check in checks if check.about == name]


def host(name: str) -> str:
    return f"cpu,cpu=cpu-total,host={name} usage_idle=60,usage_iowait=1"


def guest(name: str, where: str) -> str:
    return f"libvirt_state,domain_name={name},host={where} state=1i"


def test_a_collector_far_from_the_hypervisors_is_asked_about(examined) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    checks = examined(
        "collector", host("kvm1"), host("kvm2"), host("mon1"), guest("web01", "mon1"), guest("db01", "mon1")
    )
    (found,) = about(checks, "hosts")
    assert "none on kvm1, kvm2" in found.found
    assert "inputs.libvirt.tags" in found.do
    (fleet,) = about(checks, "fleet")
    rows = {row[0]: row[1:3] for row in fleet.table}
    assert rows["mon1"] == ("2", "0")
    assert rows["kvm1"] == ("0", "0")


def test_several_collectors_far_from_the_hypervisors_are_told_by_whose_cpus_run_guests(examined) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    def using(name: str, guests: int) -> str:
        return f"{host(name)},usage_guest={guests}"

    hosts = [*(using(name, 30) for name in ("kvm1", "kvm2")), *(using(name, 0) for name in ("mon1", "mon2"))]
    (found,) = about(examined("collectors", *hosts, guest("web01", "mon1"), guest("db01", "mon2")), "hosts")
    assert "are mon1, mon2 collectors" in found.found
    storage = [using("kvm1", 30), using("kvm2", 30), using("stor1", 0), guest("web02", "kvm1"), guest("db02", "kvm2")]
    assert about(examined("storage", *storage), "hosts") == []


def test_agents_inside_guests_are_no_hosts_of_the_table_however_they_write_their_names(examined) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    points = [host("kvm1"), host("WEB01"), host("db01.example.org"), guest("web01", "kvm1"), guest("db01", "kvm1")]
    (fleet,) = about(examined("capitals", *points), "fleet")
    assert [row[0] for row in fleet.table[1:]] == ["kvm1"]


def test_points_without_a_host_are_told(examined) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    checks = examined("untagged", "cpu,cpu=cpu-total usage_idle=60,usage_iowait=1")
    (found,) = about(checks, "tags")
    assert "omit_hostname" in found.do
    assert found.found.endswith("cpu")
    # What names no host tells of no cause.
    assert about(checks, "causes")[0].state is State.BAD


def test_names_that_mean_two_things_are_told(examined) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    checks = examined(
        "clashes", host("kvm1"), guest("web01", "kvm1"), guest("db01", "kvm1"), guest("db01", "kvm2"), host("web01")
    )
    assert {(check.state, check.found) for check in about(checks, "names")} == {
        (State.GOOD, "agents inside guests are left out: web01"),
        (
            State.WARNING,
            "one name for several guests, or for a host and a guest, told apart: kvm1/db01, kvm2/db01",
        ),
    }


def test_a_database_slower_than_the_settings_names_the_interval(examined) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    checks = examined("slow", host("kvm1"), every_s=300)
    assert [check.do for check in about(checks, "interval")] == ["Set interval_s = 300."]
    assert not about(examined("quick", host("kvm1")), "interval")


def test_each_collector_is_recognised(examined) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    checks = examined(
        "proxmox",
        "system,object=qemu,vmid=100,nodename=pve1,host=web01 cpu=0.2,uptime=5000,netin=1,netout=1",
        "system,object=nodes,host=pve1 uptime=9000",
        "system,object=lxc,vmid=101,nodename=pve1,host=dns cpu=0.1,uptime=5000,netin=1,netout=1",
    )
    (found,) = about(checks, "collectors")
    assert found.found == "Proxmox' metric server"
    (fleet,) = about(checks, "fleet")
    assert [row[:3] for row in fleet.table[1:]] == [("pve1", "1", "0")]
    assert not about(checks, "system")
    (containers,) = about(checks, "containers")
    assert "(system)" in containers.found


def test_a_database_of_something_else_is_no_success(examined) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    (found,) = about(examined("foreign", "temperature,room=a celsius=21"), "collectors")
    assert found.state is State.BAD
    assert "found temperature" in found.found
    exporter = "libvirt_domain_info_cpu_time_seconds_total,domain=web01,host=mon1 counter=5"
    (found,) = about(examined("half an exporter", exporter), "collectors")
    assert found.state is State.BAD
    assert "libvirt-exporter (metric_version = 1) lacks libvirt_domain_info_virtual_cpus" in found.found


def test_what_a_host_lacks_is_told_by_host(examined) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    memory = "mem,host=kvm1 available_percent=40"
    checks = examined(
        "uneven", host("kvm1"), host("kvm2"), memory, guest("web01", "kvm1"), guest("db01", "kvm2"),
        stopped=(host("kvm3"), "mem,host=kvm2 available_percent=40"),
    )  # fmt: skip
    (fleet,) = about(checks, "fleet")
    assert fleet.state is State.WARNING
    lacks = {row[0]: row[4] for row in fleet.table[1:]}
    assert lacks["kvm1"] == ""
    assert lacks["kvm2"].startswith("mem silent for 3 h")
    assert lacks["kvm3"].startswith("everything silent for 3 h")
    causes = {row[0]: int(row[3]) for row in fleet.table[1:]}
    assert causes["kvm1"] >= causes["kvm2"] > 0


def test_a_source_that_only_other_hosts_have_is_missed(examined) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    checks = examined("partly", host("kvm1"), host("kvm2"), "mem,host=kvm1 available_percent=40")
    (fleet,) = about(checks, "fleet")
    assert {row[0]: row[4] for row in fleet.table[1:]} == {"kvm1": "", "kvm2": "no mem"}


def test_hosts_called_by_their_full_names_are_told_as_one(examined) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    checks = examined("renamed", host("kvm1"), "mem,host=kvm1.example.org available_percent=40")
    (fleet,) = about(checks, "fleet")
    assert len(fleet.table) == 2
    assert fleet.table[1][4] == ""
    assert any("told as one" in check.found for check in about(checks, "names"))


def test_a_balloon_that_is_not_polled_is_told_from_one_without_a_driver(examined) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    checks = examined(
        "balloons",
        "libvirt_balloon,domain_name=new,host=kvm1 current=8i,maximum=8i,last_update=0i",
        "libvirt_balloon,domain_name=plain,host=kvm1 current=8i,maximum=8i",
        "libvirt_balloon,domain_name=good,host=kvm1 current=8i,maximum=8i,usable=4i,available=8i,last_update=5i",
    )
    said = {check.found.partition(":")[0]: check.do for check in about(checks, "libvirt balloon")}
    assert "virtio_balloon" in said["the balloon of new is polled and does not answer"]
    assert "dommemstat" in said["the balloon of plain is not polled"]
    # Its configuration knows better than the figures.
    checks = examined(
        "balloon facts",
        "libvirt_balloon,domain_name=new,host=kvm1 current=8i,maximum=8i,last_update=0i",
        "vm_config,domain_name=new,host=kvm1,disk_bus=virtio known=1i",
    )
    assert "is not polled" in about(checks, "libvirt balloon")[0].found


def test_processes_of_several_guests_in_one_series_are_told(examined) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    folded = "procstat,host=kvm1,pattern=qemu-system,process_name=qemu-system-x86_64 cpu_usage=5"
    apart = "procstat,host=kvm2,cgroup=machine-qemu-1-web01.scope,process_name=qemu-system-x86_64 cpu_usage=5"
    checks = examined("processes", folded, apart, guest("web01", "kvm1"))
    assert [check.found for check in about(checks, "procstat") if "overwrite" in check.found] == [
        "no tag says which guest a QEMU is on kvm1: several processes overwrite one another"
    ]


def test_sentinels_are_told(examined) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    checks = examined("odd", "swap,host=kvm1 in=9223372036854775807i,out=0i")
    assert any("swap" in check.about and "2^63 - 1" in check.found for check in checks)


def test_the_output_is_short_and_says_nothing_twice(influx: Influx, tmp_path: Path) -> None:
    now = int(clock().astype(np.int64))
    influx.database("short").write(
        [f"{host(name)} {now - 60_000 * k}\n" for name in ("kvm1", "kvm2") for k in range(20)]
    )
    path = tmp_path / "brownout.toml"
    path.write_text(f'[influxdb]\nurl = "{influx.url}"\ndatabase = "short"\nuser = "admin"\n')
    done = ran("doctor", "--config", path)
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    assert len(done.stdout) < 10_000
    findings = [line for line in lines if line[0] in "✔!✘"]
    assert len(findings) == len(set(findings))
    assert len(findings) < 12
    assert done.stderr == ""


def test_a_server_that_is_away_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "brownout.toml"
    path.write_text('[influxdb]\nurl = "http://127.0.0.1:1"\n')
    done = ran("doctor", "--config", path, code=1)
    server, alerts = done.stdout.splitlines()
    assert server.startswith("✘ server")
    assert alerts.startswith("✔ alerts: nobody is told")
    assert done.stderr == ""


def test_a_database_that_fell_silent_is_no_success(examined) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    checks = examined("silent", stopped=(host("kvm1"),))
    assert about(checks, "fleet")[0].state is State.BAD


def test_guests_without_a_host_are_told(examined) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    checks = examined("homeless", host("kvm1"), "libvirt_state,domain_name=web01 state=1i")
    (found,) = about(checks, "tags")
    assert "which host web01 run on" in found.found
    assert "omit_hostname" in found.do


def test_a_collector_that_is_no_host_itself_is_asked_about(examined) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    checks = examined("far", host("kvm1"), host("kvm3"), guest("web01", "mon1"), guest("db01", "kvm3"))
    (found,) = about(checks, "hosts")
    assert found.found.startswith("guests are on mon1, none on kvm1: is mon1 a collector")
    assert not about(examined("near", host("kvm1"), guest("web01", "kvm1")), "hosts")


RECORDED = Path(__file__).parents[1] / "data" / "collectors"


@pytest.fixture
def recorded(influx: Influx, monkeypatch: pytest.MonkeyPatch, definitions: Callable[[Path | None], Definitions]):  # type: ignore[no-untyped-def] # noqa: ANN201 - a closure
    monkeypatch.setenv("BROWNOUT_INFLUXDB_PASSWORD", PASSWORD)

    def examine_recording(name: str) -> list[Check]:
        """What the doctor says half a minute after the end of a recording."""
        pairs = [text.rsplit(" ", 1) for text in (RECORDED / name).read_text().splitlines()]
        shift = int(clock().astype(np.int64)) - 30_000 - max(int(time) // 1_000_000 for _, time in pairs)
        influx.database(name).write([f"{series} {int(time) // 1_000_000 + shift}\n" for series, time in pairs])
        own = {"url": influx.url, "database": name, "user": "admin"}
        services = replace(doctor_services(), definitions=definitions)
        return list(examine(Settings(influxdb=own), services, clock()))  # type: ignore[arg-type]

    return examine_recording


def test_what_a_real_telegraf_wrote_is_told_in_few_lines(recorded) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    checks = recorded("telegraf.lp")
    (fleet,) = about(checks, "fleet")
    assert [row[:3] for row in fleet.table[1:]] == [("kvm1", "3", "3")]  # what is only pinged is no host
    wrong = {check.about: check.do for check in checks if check.state is not State.GOOD}
    assert set(wrong) == {"ping", "procstat", "causes"}
    assert any("overwrite" in check.found for check in about(checks, "procstat"))
    assert not about(checks, "tags")


def test_guests_without_a_driver_and_counters_that_are_still_zero(recorded) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    checks = recorded("first-samples-no-balloon-driver.lp")
    (balloon,) = about(checks, "libvirt balloon")
    assert balloon.found == "the balloon of vm1, vm2, vm3 is polled and does not answer: no driver in the guest"
    (nstat,) = about(checks, "nstat")
    assert "still 0" in nstat.found
    assert nstat.do == "[[inputs.nstat]] dump_zeros = true"
    assert about(checks, "libvirt")[0].state is State.GOOD


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("prometheus-version-1.lp", "libvirt-exporter (metric_version = 1), node-exporter (metric_version = 1)"),
        ("prometheus-version-2.lp", "libvirt-exporter (metric_version = 2), node-exporter (metric_version = 2)"),
        ("collectd-guest-as-host-split.lp", "collectd, collectd's virt plugin"),
        ("collectd-guest-as-instance-joined.lp", "collectd, collectd's virt plugin"),
        ("pve-exporter-version-1.lp", "prometheus-pve-exporter (metric_version = 1)"),
        ("pve-exporter-version-2.lp", "prometheus-pve-exporter (metric_version = 2)"),
        ("ceilometer-version-1.lp", "ceilometer's Prometheus exporter (metric_version = 1)"),
        ("ceilometer-version-2.lp", "ceilometer's Prometheus exporter (metric_version = 2)"),
    ],
)
def test_each_collector_of_the_corpus_is_recognised(recorded, name: str, said: str) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    checks = recorded(name)
    (found,) = about(checks, "collectors")
    assert sorted(found.found.split(", ")) == sorted(said.split(", "))
    assert all(check.state is not State.BAD for check in checks)
