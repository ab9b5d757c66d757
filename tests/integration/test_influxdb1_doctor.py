"""What the doctor says of fleets that are not what they seem, on a real InfluxDB 1.x."""

import numpy as np
import pytest
from influx import PASSWORD, Influx

from brownout.bootstrap import clock, doctor_surroundings
from brownout.operate.checks import Check, State
from brownout.operate.doctor import examine
from brownout.settings import Settings


@pytest.fixture
def examined(influx: Influx, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def] # noqa: ANN201 - a closure
    monkeypatch.setenv("BROWNOUT_INFLUXDB_PASSWORD", PASSWORD)
    now = clock()

    def examine_points(name: str, *series: str, every_s: int = 60) -> list[Check]:
        first = int(now.astype(np.int64)) // 60_000 * 60_000
        times = range(first - 7_200_000, first, every_s * 1000)
        influx.database(name).write([f"{point} {time}\n" for point in series for time in times])
        own = {"url": influx.url, "database": name, "user": "admin"}
        return list(examine(Settings(influxdb=own), doctor_surroundings(), now))  # type: ignore[arg-type]

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
    assert ("mon1", "2", "0") in fleet.table
    assert ("kvm1", "0", "0") in fleet.table


def test_points_without_a_host_are_told(examined) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    checks = examined("untagged", "cpu,cpu=cpu-total usage_idle=60,usage_iowait=1")
    assert any("omit_hostname" in check.do for check in about(checks, "cpu"))


def test_names_that_mean_two_things_are_told(examined) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    checks = examined(
        "clashes", host("kvm1"), guest("web01", "kvm1"), guest("db01", "kvm1"), guest("db01", "kvm2"), host("web01")
    )
    assert {(check.state, check.found) for check in about(checks, "names")} == {
        (State.GOOD, "agents inside guests are left out: web01"),
        (
            State.WARNING,
            "one name on several hosts or for a host and a guest, told apart: kvm1/db01, kvm2/db01",
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
    assert fleet.table[1:] == (("pve1", "1", "0"),)


def test_a_database_of_something_else_is_no_success(examined) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    checks = examined("foreign", "temperature,room=a celsius=21")
    assert about(checks, "collectors")[0].state is State.BAD
    assert about(checks, "causes")[0].state is State.BAD
