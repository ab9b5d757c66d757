"""What is called differently before and after, or by two collectors, is one thing: hosts by name, guests by key."""

import numpy as np
from memory_database import START, MemoryDatabase, raw
from small_fleet import cpu, guests, joined, kinds, read

from brownout.domain.entities import Entity
from brownout.domain.repairs import Repair
from brownout.ingest.canonical import Canonical, Canonicaliser
from brownout.ingest.mapping import TelegrafMapping
from brownout.ingest.other_names import GuestName, OtherNames, short_name
from brownout.ingest.raw import Raw, Request

EARLY, LATE = list(range(90)), list(range(90, 180))


def known_as(uuid: str, name: str, minutes: list[int], **tags: str) -> Raw:
    return raw([{"host": "kvm1", "domain_name": name, "uuid": uuid, **tags}], minutes, known=[1.0] * len(minutes))


def labels(found: Canonical, entity: str) -> dict[str, str]:
    return next(dict(e.labels) for e in found.entities if e.id == entity)


def rows(found: Canonical, entity: str) -> int:
    return sum(table["entity"].to_pylist().count(entity) for table in found.tables)


def test_a_host_that_takes_its_full_name_stays_one() -> None:
    found = read(cpu=joined(cpu("kvm1", minutes=EARLY), cpu("kvm1.example.org", minutes=LATE)))
    assert kinds(found) == {("host", "kvm1", "")}
    assert rows(found, "kvm1") == 180
    assert labels(found, "kvm1")["also_called"] == "kvm1.example.org"
    assert found.repairs.counts == {(Repair.OTHER_NAME, "kvm1.example.org"): 90}


def test_two_collectors_may_call_a_host_by_two_names() -> None:
    memory = raw([{"host": "kvm1"}], EARLY, available_percent=[40.0] * 90)
    found = read(cpu=cpu("kvm1.example.org", minutes=EARLY), mem=memory, **guests(("kvm1", "web01"), minutes=EARLY))
    assert len({entity for entity in kinds(found) if entity[0] == "host"}) == 1
    (guest,) = (entity for entity in kinds(found) if entity[0] == "vm")
    assert guest[2] in {"kvm1", "kvm1.example.org"}


def test_hosts_that_are_measured_at_once_are_two_whatever_they_are_called() -> None:
    found = read(cpu=cpu("kvm1", "kvm1.example.org"))
    assert kinds(found) == {("host", "kvm1", ""), ("host", "kvm1.example.org", "")}
    found = read(cpu=joined(cpu("kvm1.a.org", minutes=EARLY), cpu("kvm1.b.org", minutes=LATE)))
    assert len(kinds(found)) == 2


def test_hosts_that_the_history_has_as_two_stay_two() -> None:
    known = (Entity(id="kvm1", kind="host"), Entity(id="kvm1.example.org", kind="host"))
    assert len(kinds(read(known=known, cpu=cpu("kvm1.example.org", minutes=EARLY)))) == 1
    found = read(known=known, cpu=joined(cpu("kvm1", minutes=EARLY), cpu("kvm1.example.org", minutes=LATE)))
    assert len(kinds(found)) == 2


def test_the_name_in_the_history_stays_the_id() -> None:
    known = (Entity(id="kvm1", kind="host", labels={"also_called": "kvm1.example.org"}),)
    found = read(known=known, cpu=cpu("kvm1.example.org"))
    assert kinds(found) == {("host", "kvm1", "")}
    assert labels(found, "kvm1") == {"host": "kvm1.example.org", "also_called": "kvm1.example.org"}


def test_an_agent_may_call_its_guest_by_the_full_name() -> None:
    assert kinds(read(cpu=cpu("web01.example.org"), **guests(("kvm1", "web01")))) == {
        ("host", "kvm1", ""), ("vm", "web01", "kvm1"),
    }  # fmt: skip
    assert kinds(read(cpu=cpu("web01"), **guests(("kvm1", "web01.example.org")))) == {
        ("host", "kvm1", ""), ("vm", "web01.example.org", "kvm1"),
    }  # fmt: skip
    assert ("host", "debian12", "") in kinds(read(cpu=cpu("debian12"), **guests(("kvm1", "debian12.1"))))


def test_a_renamed_domain_stays_one_guest() -> None:
    before, after = guests(("kvm1", "old"), minutes=EARLY), guests(("kvm1", "new"), minutes=LATE)
    tables = {name: joined(before[name], after[name]) for name in before}
    found = read(vm_config=joined(known_as("u-1", "old", EARLY), known_as("u-1", "new", LATE)), **tables)
    assert {entity for entity in kinds(found) if entity[0] == "vm"} == {("vm", "old", "kvm1")}
    assert rows(found, "old") == 180
    assert labels(found, "old")["domain_name"] == "new"
    assert found.repairs.counts[Repair.OTHER_NAME, "new"] > 0
    # Without a UUID nothing says that they are one.
    assert len({e for e in kinds(read(**tables)) if e[0] == "vm"}) == 2


def test_a_renamed_domain_of_the_history_is_found_again_by_its_uuid() -> None:
    known = (Entity(id="old", kind="vm", parent="kvm1", labels={"uuid": "u-1", "domain_name": "old"}),)
    tables = guests(("kvm1", "new"), ("kvm1", "old"))
    found = read(
        known=known, vm_config=joined(known_as("u-1", "new", EARLY), known_as("u-2-long", "old", EARLY)), **tables
    )
    named = {e.labels["domain_name"]: e.id for e in found.entities if e.kind == "vm"}
    assert named == {"new": "old", "old": "old (u-2-long)"}


def test_a_guest_that_is_made_anew_under_its_name_stays_one() -> None:
    known = (Entity(id="web01", kind="vm", parent="kvm1", labels={"uuid": "u-1"}),)
    found = read(known=known, vm_config=known_as("u-2", "web01", EARLY), **guests(("kvm1", "web01"), minutes=EARLY))
    assert {e for e in kinds(found) if e[0] == "vm"} == {("vm", "web01", "kvm1")}
    assert labels(found, "web01")["uuid"] == "u-2"


def test_guests_of_openstack_go_by_the_names_that_their_owners_gave_them() -> None:
    configured = joined(
        known_as("u-1", "instance-0000001a", EARLY, display_name="shop", project="sales"),
        known_as("u-2", "instance-0000001b", EARLY, display_name="test", project="sales"),
        known_as("u-3", "instance-0000001c", EARLY, display_name="test", project="lab"),
    )
    names = [f"instance-0000001{letter}" for letter in "abc"]
    found = read(
        vm_config=configured, cpu=cpu("shop", minutes=EARLY), **guests(*(("kvm1", n) for n in names), minutes=EARLY)
    )
    assert {e for e in kinds(found) if e[0] == "vm"} == {
        ("vm", "shop", "kvm1"), ("vm", "test (sales)", "kvm1"), ("vm", "test (lab)", "kvm1"),
    }  # fmt: skip
    assert labels(found, "shop")["domain_name"] == "instance-0000001a"
    assert {repair for repair, _ in found.repairs.counts} == {Repair.IN_GUEST}
    # Guests that the history has by their domains keep these ids.
    known = (Entity(id=names[0], kind="vm", parent="kvm1"),)
    found = read(known=known, vm_config=configured, **guests(("kvm1", names[0]), minutes=EARLY))
    assert labels(found, names[0])["display_name"] == "shop"


def proxmox(*series: dict[str, str], minutes: list[int] = EARLY) -> Raw:
    number = len(series) * len(minutes)
    tags = [{"object": "qemu", "nodename": "pve1", **own} for own in series]
    return raw(tags, minutes, cpu=[0.2] * number, uptime=[9000.0] * number, netin=[1.0] * number, netout=[1.0] * number)


def test_guests_of_proxmox_are_told_by_their_numbers() -> None:
    before, after = ({"vmid": "100", "host": name} for name in ("web01", "shop"))
    found = read(system=joined(proxmox(before, minutes=EARLY), proxmox(after, minutes=LATE)))
    assert {e for e in kinds(found) if e[0] == "vm"} == {("vm", "web01", "pve1")}
    # Two clusters may use one number: then it says nothing.
    found = read(system=proxmox(before, {"vmid": "100", "host": "mail", "nodename": "pve9"}))
    assert {e for e in kinds(found) if e[0] == "vm"} == {("vm", "web01", "pve1"), ("vm", "mail", "pve9")}


def test_a_process_known_by_its_number_is_of_the_guest_of_that_number() -> None:
    process = raw([{"host": "pve1", "cgroup": "/qemu.slice/100.scope"}], EARLY, cpu_usage=[50.0] * 90)
    found = read(system=proxmox({"vmid": "100", "host": "web01"}), procstat=process)
    assert {e for e in kinds(found) if e[0] == "vm"} == {("vm", "web01", "pve1")}
    assert any("vm_qemu_cpu_pct" in table.column_names for table in found.tables)


def test_names_that_were_learned_do_not_depend_on_how_much_is_read_at_once() -> None:
    tables = {"cpu": joined(cpu("kvm1", minutes=EARLY), cpu("kvm1.example.org", minutes=LATE))}
    whole = read(**tables)
    database = MemoryDatabase(**tables)
    reader = Canonicaliser(database, TelegrafMapping.load(), 60)  # type: ignore[arg-type]
    known: tuple[Entity, ...] = ()
    for hour in range(3):
        start = START + np.timedelta64(hour, "h")
        part = reader.read(start, start + np.timedelta64(1, "h"), database.schemas(), known)
        known = part.entities
        assert kinds(part) == kinds(whole)


def test_a_number_ends_no_name() -> None:
    assert short_name("kvm1.example.org") == "kvm1"
    assert [short_name(name) for name in ("10.0.0.1", "debian12.1", "fe80::1.x", ".org", "kvm1")] == [
        "10.0.0.1", "debian12.1", "fe80::1.x", ".org", "kvm1",
    ]  # fmt: skip


def test_a_key_with_two_names_in_one_input_at_once_means_nothing() -> None:
    found = OtherNames()
    for name in ("a", "b"):
        found.see_guest(GuestName(key=("uuid", "u"), name=name, measurement="m"), (0, 9_000_000))
    assert not found.learn()
    for name in ("a", "b"):
        found.see_guest(GuestName(key=("uuid", "v"), name=name, measurement=f"m-{name}"), (0, 9_000_000))
    assert found.learn()
    assert found.guests == {"b": "a"}


class Counted(MemoryDatabase):
    """Counts what is asked for."""

    asked = 0

    def read(self, request: Request) -> Raw:
        self.asked += 1
        return super().read(request)


def test_names_that_the_history_knows_cost_no_second_look_and_outlive_their_source() -> None:
    configured = known_as("u-1", "instance-0000001a", EARLY, display_name="shop", project="sales")
    first = read(vm_config=configured, **guests(("kvm1", "instance-0000001a"), minutes=EARLY))
    known = first.entities
    assert labels(first, "shop")["uuid"] == "u-1"
    # Later nobody writes the configuration any more.
    database = Counted(**guests(("kvm1", "instance-0000001a"), minutes=LATE))
    reader = Canonicaliser(database, TelegrafMapping.load(), 60)  # type: ignore[arg-type]
    start = START + np.timedelta64(90, "m")
    later = reader.read(start, start + np.timedelta64(2, "h"), database.schemas(), known)
    assert {e for e in kinds(later) if e[0] == "vm"} == {("vm", "shop", "kvm1")}
    assert {repair for repair, _ in later.repairs.counts} == set()
    once = database.asked
    alone = Counted(**guests(("kvm1", "shop"), minutes=LATE))
    Canonicaliser(alone, TelegrafMapping.load(), 60).read(  # type: ignore[arg-type]
        start, start + np.timedelta64(2, "h"), alone.schemas()
    )
    assert once == alone.asked


def test_a_guest_may_take_its_old_name_again() -> None:
    known = (Entity(id="old", kind="vm", parent="kvm1", labels={"uuid": "u-1", "domain_name": "new"}),)
    found = read(known=known, vm_config=known_as("u-1", "old", EARLY), **guests(("kvm1", "old"), minutes=EARLY))
    assert {e for e in kinds(found) if e[0] == "vm"} == {("vm", "old", "kvm1")}
    assert labels(found, "old")["domain_name"] == "old"


def test_a_collector_that_knows_uuids_only_tells_of_the_guest_of_that_name() -> None:
    uuid = "2f6d2a4c-6a0c-4b6b-9a54-6f0f8b9a1c11"
    tags = {"host": uuid, "type": "virt_vcpu", "type_instance": "0"}
    value = raw([tags], EARLY, value=[6e9 * minute for minute in EARLY])
    found = read(virt_value=value, vm_config=known_as(uuid, "web01", EARLY))
    assert {e for e in kinds(found) if e[0] == "vm"} == {("vm", "web01", "kvm1")}
    assert any("vm_cpu_pct" in table.column_names for table in found.tables)


def numbered(name: str, vmid: str, node: str, minutes: list[int] = EARLY) -> Raw:
    tags = {"object": "qemu", "host": name, "vmid": vmid, "nodename": node}
    return raw([tags], minutes, cpu=[0.2] * len(minutes), uptime=[3600.0] * len(minutes))


def test_guests_of_one_name_are_told_apart_by_their_numbers() -> None:
    """Names need not be unique in Proxmox: what clones are called by default is the name of their template."""
    parts = [numbered("clone", "105", "pve1"), numbered("clone", "106", "pve1"), numbered("clone", "107", "pve2")]
    found = read(system=joined(*parts))
    assert kinds(found) == {
        ("vm", "clone (105)", "pve1"), ("vm", "clone (106)", "pve1"), ("vm", "clone (107)", "pve2"),
        ("host", "pve1", ""), ("host", "pve2", ""),
    }  # fmt: skip
    assert rows(found, "clone (106)") == len(EARLY)
    assert kinds(read(known=found.entities, system=joined(*parts))) == kinds(found)
    alone = read(known=found.entities, system=numbered("clone", "106", "pve2"))
    assert kinds(alone) == {("vm", "clone (106)", "pve2"), ("host", "pve2", "")}
    assert set(found.repairs.counts) == {(Repair.TOLD_APART, f"clone ({vmid})") for vmid in (105, 106, 107)}


def test_a_guest_made_anew_under_its_name_is_another_one_where_its_number_says_so() -> None:
    found = read(system=joined(numbered("web", "105", "pve1"), numbered("web", "106", "pve1", LATE)))
    assert {entity for _, entity, _ in kinds(found)} == {"web (105)", "web (106)", "pve1"}


def test_the_guest_that_the_history_has_keeps_its_name_when_another_takes_it_too() -> None:
    known = (Entity(id="clone", kind="vm", parent="pve1", labels={"vmid": "105"}),)
    found = read(known=known, system=joined(numbered("clone", "105", "pve1"), numbered("clone", "106", "pve1")))
    assert {entity for _, entity, _ in kinds(found)} == {"clone", "clone (106)", "pve1"}


def test_guests_of_one_name_whose_uuids_not_all_inputs_write_are_told_apart_by_host() -> None:
    facts = [
        raw([{"host": host, "domain_name": "web", "uuid": uuid * 36}], EARLY, known=[1.0] * len(EARLY))
        for host, uuid in (("kvm1", "1"), ("kvm2", "2"))
    ]
    found = read(vm_config=joined(*facts), **guests(("kvm1", "web"), ("kvm2", "web"), minutes=EARLY))
    assert {entity for kind, entity, _ in kinds(found) if kind == "vm"} == {"kvm1/web", "kvm2/web"}
