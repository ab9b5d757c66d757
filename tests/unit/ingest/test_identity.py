"""Names that mean two things at once: told apart by kind and place, and counted."""

import numpy as np
import pytest
from memory_database import START, raw
from small_fleet import MINUTES, cpu, guests, kinds, read

from brownout.domain.entities import Entity
from brownout.domain.repairs import Repair
from brownout.ingest.entity_registry import Sighting
from brownout.ingest.identity import Identity, overlap_ms
from brownout.ingest.mapping import Names
from brownout.ingest.raw import Raw


def test_an_agent_inside_a_guest_makes_no_host_of_it() -> None:
    found = read(cpu=cpu("kvm1", "web01"), **guests(("kvm1", "web01")))
    assert kinds(found) == {("host", "kvm1", ""), ("vm", "web01", "kvm1")}
    assert found.repairs.counts[Repair.IN_GUEST, "web01"] == len(MINUTES)
    assert all(set(table["entity"].to_pylist()) != {"kvm1", "web01"} for table in found.tables)


def test_windows_writes_its_name_in_capitals() -> None:
    found = read(cpu=cpu("kvm1", "WEB01"), **guests(("kvm1", "web01")))
    assert kinds(found) == {("host", "kvm1", ""), ("vm", "web01", "kvm1")}


def test_a_guest_of_the_history_stays_one_while_its_hypervisor_is_silent() -> None:
    known = (Entity(id="web01", kind="vm", parent="kvm1"), Entity(id="kvm1", kind="host"))
    assert kinds(read(known=known, cpu=cpu("web01"))) == set()


def test_a_guest_that_is_a_hypervisor_is_both_under_two_ids() -> None:
    found = read(cpu=cpu("kvm1", "nested"), **guests(("kvm1", "nested"), ("nested", "inner")))
    assert kinds(found) == {
        ("host", "kvm1", ""),
        ("host", "nested", ""),
        ("vm", "kvm1/nested", "kvm1"),
        ("vm", "inner", "nested"),
    }
    assert found.repairs.by_kind().get(Repair.IN_GUEST) is None


def test_one_name_on_two_hosts_at_once_is_two_guests_with_consoles_of_their_own() -> None:
    tags = [{"host": "probe", "hypervisor": host, "domain_name": "web01"} for host in ("kvm1", "kvm2")]
    probes = raw(tags, MINUTES, update_latency_ms=[20.0] * 180 + [90.0] * 180)
    found = read(console_probe=probes, **guests(("kvm1", "web01"), ("kvm2", "web01"), ("kvm2", "db01")))
    assert {entity for entity in kinds(found) if entity[0] != "host"} == {
        ("vm", "kvm1/web01", "kvm1"),
        ("vm", "kvm2/web01", "kvm2"),
        ("vm", "db01", "kvm2"),
        ("console", "kvm1/web01/console", "kvm1/web01"),
        ("console", "kvm2/web01/console", "kvm2/web01"),
    }
    told = {name for repair, name in found.repairs.counts if repair is Repair.TOLD_APART}
    assert {"kvm1/web01", "kvm2/web01"} <= told
    # One of them is shut off in the next slice: the other one keeps its name.
    later = read(known=found.entities, **guests(("kvm1", "web01")))
    assert ("vm", "kvm1/web01", "kvm1") in kinds(later)


def test_a_migration_is_no_second_guest() -> None:
    tags = [{"host": host, "domain_name": "web01"} for host in ("kvm1", "kvm2")]
    times = [*range(100), *range(70, 180)]  # half an hour of both
    state = Raw(
        ("state",), tuple(tags), np.repeat([0, 1], [100, 110]),
        START.astype(np.int64) + np.array(times) * 60_000, np.ones((210, 1)),
    )  # fmt: skip
    found = read(libvirt_state=state)
    assert {(e.id, e.parent) for e in found.entities if e.kind == "vm"} == {("web01", "kvm2")}


def test_what_names_no_entity_is_counted_by_source() -> None:
    found = read(cpu=cpu(""), **guests(("kvm1", "web01")))
    assert found.repairs.counts[Repair.NO_ENTITY, "cpu"] == len(MINUTES)
    assert not any(name == "libvirt_state" for _, name in found.repairs.counts)


def test_fields_that_a_source_does_not_use_are_not_dropped_samples() -> None:
    mixed = raw([{"host": "k", "cpu": "cpu-total"}, {}], [0, 1], usage_idle=[50, 50, np.nan, np.nan])
    assert Repair.NO_ENTITY not in read(cpu=mixed).repairs.by_kind()


def test_points_about_an_address_keep_the_address_that_they_were_written_with() -> None:
    ping = raw([{"host": "probe", "url": "10.21.0.17"}], [0], average_response_ms=[9.1])
    found = read(names=Names(aliases={"url": {"10.21.0.17": "kvm-b3"}}), ping=ping)
    link = next(entity for entity in found.entities if entity.kind == "link")
    assert (link.id, link.parent) == ("probe>kvm-b3", "kvm-b3")
    assert {name: link.labels[name] for name in link.named_by} == {"host": "probe", "url": "10.21.0.17"}


def test_a_guest_that_is_pinged_is_no_host() -> None:
    ping = raw([{"host": "probe", "url": "web01"}], MINUTES, average_response_ms=[9.1] * len(MINUTES))
    found = read(ping=ping, **guests(("kvm1", "web01")))
    assert ("link", "probe>web01", "web01") in kinds(found)
    assert ("host", "web01", "") not in kinds(found)


@pytest.mark.parametrize("seed", range(5))
def test_overlap_equals_that_of_a_naive_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sightings, lived = [], {"a": set[int](), "b": set[int]()}
    for parent in ("a", "b"):
        first = 0
        for _ in range(4):
            first += int(rng.integers(1, 30))
            last = first + int(rng.integers(1, 30))
            sightings.append(Sighting(first, last, parent))
            lived[parent] |= set(range(first, last))
            first = last
    assert overlap_ms(sightings) == len(lived["a"] & lived["b"])


def test_the_history_says_who_was_told_apart() -> None:
    known = [Entity(id="kvm1/web01", kind="vm", parent="kvm1"), Entity(id="db01", kind="vm", parent="kvm2")]
    found = Identity.recalled(known)
    assert (found.apart, found.hypervisors) == ({"web01"}, {"kvm1", "kvm2"})


def net(*names: str) -> Raw:
    tags = [{"host": "kvm1", "interface": name} for name in names]
    growing = [float(minute) for minute in MINUTES] * len(names)
    return raw(tags, MINUTES, bytes_recv=growing, bytes_sent=growing)


def own(measurement: str, tag: str, **known: int) -> dict[str, Raw]:
    tags = [{"host": "kvm1", tag: name.replace("_", "-"), "type": "any"} for name in known]
    return {measurement: raw(tags, MINUTES, own=[float(value) for value in known.values() for _ in MINUTES])}


def test_the_kernel_says_which_interfaces_are_the_hosts_own_and_names_only_where_it_does_not() -> None:
    facts = own("interface_config", "interface", tap_uplink=1, guest7=0, eno1=1)
    found = read(net=net("eno1", "tap-uplink", "guest7", "tap9", "eno2"), **facts)
    kept = {entity for kind, entity, _ in kinds(found) if kind == "interface"}
    assert kept == {"kvm1/eno1", "kvm1/tap-uplink", "kvm1/eno2"}
    assert found.repairs.counts == {(Repair.NOT_OWN, "net"): 2 * len(MINUTES)}


def test_disks_that_can_be_taken_out_are_told_by_the_kernel() -> None:
    tags = [{"host": "kvm1", "name": name} for name in ("sda", "sdb", "sr0")]
    busy = raw(tags, MINUTES, io_util=[10.0] * 3 * len(MINUTES))
    found = read(diskio=busy, **own("disk_config", "name", sda=1, sdb=0))
    assert {entity for kind, entity, _ in kinds(found) if kind == "disk"} == {"kvm1/sda"}
    assert found.repairs.counts[Repair.NOT_OWN, "diskio"] == 2 * len(MINUTES)


def test_a_site_may_say_which_hosts_are_hosts() -> None:
    machines = cpu("kvm1", "db01.example.org")
    assert ("host", "db01.example.org", "") not in kinds(read(cpu=machines, **guests(("kvm1", "db01"))))
    said = Names(hosts=("kvm*", "*.example.org"))
    assert ("host", "db01.example.org", "") in kinds(read(cpu=machines, names=said, **guests(("kvm1", "db01"))))
