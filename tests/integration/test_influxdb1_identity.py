"""Who is who in databases as sites fill them: through a real InfluxDB 1.x and sync, into the history."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from influx import Influx

from brownout.domain.errors import DataError
from brownout.domain.repairs import Repair
from brownout.ingest.canonical import Canonicaliser
from brownout.ingest.mapping import Names, TelegrafMapping
from brownout.operate.sources import DatabaseSource
from brownout.operate.sync import sync
from brownout.store.history import History

START = np.datetime64("2026-03-02T06:00", "ms")
MINUTES = 120
OVERLAYS = (
    *(f"{prefix}02f3c9a1-7b" for prefix in ("qbr", "qvb", "qvo", "tap")),
    *("ovs-system", "br-int", "br-tun", "br-0123456789ab", "vxlan_sys_4789", "genev_sys_6081", "cali12ab", "flannel.1"),
    *("cni0", "lxcbr0", "macvtap3", "dummy0", "kube-ipvs0", "lxdbr0", "podman0", "cilium_host", "weave", "ovn-k8s-mp0"),
    *("tun0", "wg0", "tailscale0", "sg-1a2b", "fg-1a2b", "rfp-1a2b", "ovs-netdev"),
    *("docker_gwbridge", "o-hm0", "antrea-gw0", "vhu02f3c9a1-7b", "vif1.0", "incusbr0", "azv1a2b", "eni12ab34cd56"),
    *("ha-02f3c9a1-7b", "int-br-ex", "phy-br-ex", "patch-int", "ve-web", "macvlan0", "ipvlan1", "wg-mesh", "ppp0"),
)


def lines(*points: tuple[str, str]) -> Iterator[str]:
    """Each series with its fields once a minute; ``{n}`` in the fields counts."""
    first = int(START.astype(np.int64))
    for minute in range(MINUTES):
        for series, fields in points:
            yield f"{series} {fields.replace('{n}', str(1000 + 60_000 * minute))} {first + minute * 60_000}"


def history(influx: Influx, folder: Path, name: str, *points: tuple[str, str], names: Names | None = None) -> History:
    database = influx.database(name)
    database.write(["\n".join(lines(*points)) + "\n"])
    reader = Canonicaliser(database, TelegrafMapping.load(), 60, names or Names())
    end = START + np.timedelta64(MINUTES, "m")
    sync(DatabaseSource(reader, since=START, now=end, lookback=np.timedelta64(3_600_000, "ms")), folder)
    return History.open(folder)


def host(tags: str) -> list[tuple[str, str]]:
    return [
        (f"cpu,cpu=cpu-total{tags}", "usage_idle=60,usage_iowait=1"),
        (f"mem{tags}", "available_percent=40,available=5000i,total=12000i,dirty=0i,write_back=0i"),
        (f"net,interface=eno1{tags}", "bytes_recv={n}i,bytes_sent={n}i,speed=10000i"),
    ]


def guest(name: str, tags: str) -> list[tuple[str, str]]:
    return [
        (f"libvirt_state,domain_name={name}{tags}", "state=1i"),
        (f"libvirt_balloon,domain_name={name}{tags}", "current=8i,maximum=8i,usable=4i,available=8i"),
        (f"libvirt_net,domain_name={name},interface_id=0{tags}", "rx_bytes={n}i,tx_bytes={n}i"),
    ]


def placed(found: History) -> set[tuple[str, str, str]]:
    return {(entity.kind, entity.id, entity.parent) for entity in found.topology}


def test_agents_inside_guests_are_left_out_and_counted(influx: Influx, tmp_path: Path) -> None:
    points = [*host(",host=kvm1"), *guest("web01", ",host=kvm1"), *host(",host=web01")]
    found = history(influx, tmp_path, "inguest", *points)
    assert placed(found) == {
        ("host", "kvm1", ""), ("interface", "kvm1/eno1", "kvm1"), ("vm", "web01", "kvm1"),
    }  # fmt: skip
    repairs = found.repairs().counts
    assert repairs == {(Repair.IN_GUEST, "web01"): 3 * MINUTES}


def test_points_without_a_host_are_counted_by_source(influx: Influx, tmp_path: Path) -> None:
    found = history(influx, tmp_path, "nohost", *host(""), *guest("web01", ""))
    assert placed(found) == {("vm", "web01", "")}
    assert found.repairs().counts == {(Repair.NO_ENTITY, name): MINUTES for name in ("cpu", "mem", "net")}


def test_one_name_on_two_hosts_is_two_guests(influx: Influx, tmp_path: Path) -> None:
    points = [*guest("web01", ",host=kvm1"), *guest("web01", ",host=kvm2")]
    found = history(influx, tmp_path, "twice", *points)
    assert {entity for entity in placed(found) if entity[0] == "vm"} == {
        ("vm", "kvm1/web01", "kvm1"), ("vm", "kvm2/web01", "kvm2"),
    }  # fmt: skip
    assert set(found.repairs().by_kind()) == {Repair.TOLD_APART}


def test_interfaces_of_guests_and_overlays_are_no_entities(influx: Influx, tmp_path: Path) -> None:
    extra = [
        (f"net,host=compute1,interface={name}", "bytes_recv={n}i,bytes_sent={n}i,speed=10000i") for name in OVERLAYS
    ]
    kept = [
        (f"net,host=compute1,interface={name}", "bytes_recv={n}i,bytes_sent={n}i,speed=10000i")
        for name in ("br-ex", "bond0", "enp1s0f0np0", "vlan20")
    ]
    found = history(influx, tmp_path, "overlays", *host(",host=compute1"), *extra, *kept)
    names = {entity.id for entity in found.topology if entity.kind == "interface"}
    assert names == {f"compute1/{name}" for name in ("eno1", "br-ex", "bond0", "enp1s0f0np0", "vlan20")}


@pytest.mark.parametrize("host", ["kvm-b3", "10.21.0.17"])
def test_links_by_address_are_written_back_by_address(influx: Influx, tmp_path: Path, host: str) -> None:
    recorded = Path(__file__).parents[1] / "data" / "ping-by-address.lp"
    database = influx.database(f"address of {host}")
    shifted = recorded.read_text().replace("000000\n", "\n")
    database.write([shifted])
    names = Names(aliases={"url": {"10.21.0.17": host}})
    first = np.datetime64(1795838400000, "ms")
    reader = Canonicaliser(database, TelegrafMapping.load(), 60, names)
    end = first + np.timedelta64(10, "m")
    sync(DatabaseSource(reader, since=first, now=end, lookback=np.timedelta64(0, "ms")), tmp_path)
    link = next(entity for entity in History.open(tmp_path).topology if entity.kind == "link")
    assert link.parent == host
    assert link.labels["url"] == "10.21.0.17"


def proxmox(node: str, kind: str, vmid: str = "", name: str = "") -> str:
    tags = f",object={kind},host={name or node}"
    return f"{tags},nodename={node},vmid={vmid}" if vmid else tags


def test_what_proxmox_writes_is_read_and_containers_are_no_hosts(influx: Influx, tmp_path: Path) -> None:
    """As PVE/Status/InfluxDB.pm of pve-manager names measurements and tags."""
    web, node = proxmox("pve1", "qemu", "100", "web01"), proxmox("pve1", "nodes")
    guest_fields = 'cpu=0.25,cpus=4,uptime={n},netin={n},netout={n},diskread={n},status="running"'
    found = history(
        influx,
        tmp_path,
        "pve",
        (f"system{web}", guest_fields),
        (f"system{proxmox('pve1', 'lxc', '200', 'ct-dns')}", guest_fields),
        (
            f"blockstat{web},instance=scsi0",
            "rd_operations={n},wr_operations=5,rd_total_time_ns={n}000000,wr_total_time_ns=5",
        ),
        (f"ballooninfo{web}", "actual=4,max_mem=8"),
        (f"nics{web},instance=tap100i0", "netin={n},netout={n}"),
        (f"nics{node},instance=eno1", "receive={n},transmit={n}"),
        (f"cpustat{node}", "cpu=0.3,cpus=16,wait=0.01,avg1=4"),
        (f"memory{node}", "memtotal=100,memfree=60"),
        (f"system{node}", "uptime={n}"),
        ("system,object=storages,nodename=pve1,host=local-zfs,type=zfspool", "total=9,used=4"),
    )
    assert placed(found) == {
        ("host", "pve1", ""), ("interface", "pve1/eno1", "pve1"), ("vm", "web01", "pve1"),
    }  # fmt: skip
    table = found.read(("web01",))
    assert set(table["vm_cpu_pct"].drop_null().to_pylist()) == {25.0}
    assert set(table["vm_balloon_ratio"].drop_null().to_pylist()) == {0.5}
    assert set(table["vm_disk_await_ms"].drop_null().to_pylist()) == {1.0}
    assert found.topology["web01"].labels["vmid"] == "100"
    assert found.repairs().counts[Repair.LEFT_OUT, "system"] == MINUTES
    assert set(found.read(("pve1",))["host_memory_available_pct"].drop_null().to_pylist()) == {60.0}


def test_a_host_that_takes_its_full_name_stays_one_from_one_sync_to_the_next(influx: Influx, tmp_path: Path) -> None:
    database = influx.database("renamed host")
    first, middle = int(START.astype(np.int64)), MINUTES // 2
    for minute in range(MINUTES):
        name = "kvm1" if minute < middle else "kvm1.example.org"
        own = [*host(f",host={name}"), *guest("web01", f",host={name}")]
        time = first + minute * 60_000
        text = [f"{series} {fields.replace('{n}', str(1000 + 60_000 * minute))} {time}" for series, fields in own]
        database.write(["\n".join(text) + "\n"])
    reader = Canonicaliser(database, TelegrafMapping.load(), 60)
    for minutes in (middle, middle + 30, MINUTES):
        end = START + np.timedelta64(minutes, "m")
        sync(DatabaseSource(reader, since=START, now=end, lookback=np.timedelta64(600_000, "ms")), tmp_path)
    found = History.open(tmp_path)
    assert placed(found) == {
        ("host", "kvm1", ""), ("interface", "kvm1/eno1", "kvm1"), ("vm", "web01", "kvm1"),
    }  # fmt: skip
    assert found.spans()["kvm1"].rows == MINUTES
    assert found.repairs().counts[Repair.OTHER_NAME, "kvm1.example.org"] > 0


def test_a_database_of_which_nothing_can_be_made_is_told_in_one_sentence(influx: Influx, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found virt_other"):
        history(influx, tmp_path, "unknown", ("virt_other,host=a", "value={n}"))
