"""Disks and network cards that go elsewhere on their host: room, headroom, and nothing where facts are missing."""

from dataclasses import replace

import pytest

from brownout.domain.entities import Entity, Topology
from brownout.domain.findings.capacity_plan import Part, PartMove
from brownout.domain.findings.service_levels import Level
from brownout.domain.forecasts import Breach, Series
from brownout.planning.placing.part_moves import UNMEASURED, Fullness, disk_moves, uplink_moves

OLD, NEW = "h:/images", "h:/fast"
LIMITS = {"disk_used_pct": 90.0, "net_util_pct": 80.0}


def guest(name: str, folder: str, gib: int, filled: int, bridge: str = "br0") -> Entity:
    labels = {
        "disk_path": f"{folder}/{name}.qcow2", "disk_target": "vda", "disk_gib": str(gib),
        "disk_filled_pct": str(filled), "bridge": bridge,
    }  # fmt: skip
    return Entity(id=name, kind="vm", parent="h", labels=labels)


ENTITIES = (
    Entity(id="h", kind="host"),
    Entity(id="h:/", kind="path", parent="h", labels={"size_gib": "5000", "device": "sdc"}),
    Entity(id=OLD, kind="path", parent="h", labels={"size_gib": "1000", "device": "sda"}),
    Entity(id=NEW, kind="path", parent="h", labels={"size_gib": "2000", "device": "sdb"}),
    Entity(id="h/sdb", kind="disk", parent="h"),
    Entity(id="h/eth0", kind="interface", parent="h", labels={"bridge": "br0", "speed_mbits": "1000"}),
    Entity(id="h/eth1", kind="interface", parent="h", labels={"bridge": "br1", "speed_mbits": "10000"}),
    guest("large", "/images", 300, 100),
    guest("thin", "/images", 400, 20),
    guest("there", "/fast", 100, 100, "br1"),
)
USED = {
    ("h:/", "disk_used_pct"): (10.0, 10.0), (OLD, "disk_used_pct"): (92.0, 93.0), (NEW, "disk_used_pct"): (40.0, 40.0),
    ("h/sdb", "disk_util_pct"): (10.0, 20.0),
    ("h/eth0", "net_util_pct"): (50.0, 85.0), ("h/eth1", "net_util_pct"): (5.0, 10.0),
    ("large", "vm_net_rx_kbs"): (12_207.03125, 24_414.0625), ("thin", "vm_net_tx_kbs"): (100.0, 200.0),
}  # fmt: skip


def breach(entity: str, metric: str, probability: float = 0.9) -> Breach:
    when = "2026-03-16"
    return Breach(
        series=Series(entity, metric), limit=LIMITS[metric], probability=probability, earliest=when, likely=when,
        latest=when, duration_s=60.0, horizon_s=3600.0, now=50.0, maker="lstm",
    )  # type: ignore[arg-type]  # fmt: skip


def fullness(*found: Breach, used: dict[tuple[str, str], tuple[float, float]] = USED,
             entities: tuple[Entity, ...] = ENTITIES) -> Fullness:  # fmt: skip
    levels = [
        Level(series=Series(*name), now=usual, usual=usual, busy=busy, limit=LIMITS.get(name[1]))
        for name, (usual, busy) in used.items()
    ]
    return Fullness.of(Topology.of(entities), levels, found)


def disks(full: Fullness, budget: int = 3, fixed: str = "") -> tuple[PartMove, ...]:
    return disk_moves(full, budget=budget, fixed=lambda name: name == fixed)


def test_the_largest_image_leaves_a_store_that_will_be_full_and_the_effect_is_a_range() -> None:
    (move,) = disks(fullness(breach(OLD, "disk_used_pct")))
    assert (move.guest, move.part, move.source, move.target) == ("large", Part.DISK, OLD, NEW)
    # 300 GiB, 90 to 100 % of them written: 27 to 30 points of 1000 GiB, and up to 15 of 2000.
    assert (move.source_before, move.source_low, move.source_high) == pytest.approx((93, 63, 66))
    assert (move.target_before, move.target_low, move.target_high) == pytest.approx((40, 53.5, 55))
    assert move.values == {
        "guest": "large", "guest_disk": "vda", "old_image": "/images/large.qcow2", "new_image": "/fast/large.qcow2",
    }  # fmt: skip
    assert move.caution == ""


def test_a_second_one_goes_where_the_first_may_not_be_enough_and_counts_it() -> None:
    used = USED | {(OLD, "disk_used_pct"): (99.0, 99.0)}
    small = tuple(guest(f"s{n}", "/images", 50, 100) for n in range(4))
    entities = (*(e for e in ENTITIES if e.id not in ("large", "thin")), *small)
    first, second, third = disks(fullness(breach(OLD, "disk_used_pct"), used=used, entities=entities), budget=3)
    assert (first.source_high, second.source_high, third.source_high) == pytest.approx((94.5, 90.0, 85.5))
    assert (second.target_before, third.target_high) == pytest.approx((first.target_high, 47.5))
    assert len(disks(fullness(breach(OLD, "disk_used_pct"), used=used, entities=entities), budget=2)) == 2


def test_no_disk_moves_without_a_full_store_room_headroom_or_facts() -> None:
    full = breach(OLD, "disk_used_pct")
    assert disks(fullness()) == ()
    assert disks(fullness(breach(OLD, "disk_used_pct", 0.4))) == ()
    assert disks(fullness(full), budget=0) == ()
    assert disks(fullness(full, used=USED | {(NEW, "disk_used_pct"): (79.0, 79.0)})) == ()
    assert disks(fullness(full, used=USED | {("h/sdb", "disk_util_pct"): (50.0, 70.0)})) == ()
    assert disks(fullness(full, breach(NEW, "disk_used_pct"))) == ()
    bare = tuple(replace(e, labels={}) if e.kind == "vm" and e.id != "there" else e for e in ENTITIES)
    assert disks(fullness(full, entities=bare)) == ()
    without_size = tuple(replace(e, labels={}) if e.id == NEW else e for e in ENTITIES)
    assert disks(fullness(full, entities=without_size)) == ()
    elsewhere = tuple(e for e in ENTITIES if e.id != "there")  # then no image lies on /fast: it may be for anything
    assert disks(fullness(full, entities=elsewhere)) == ()


def test_a_guest_that_the_site_keeps_stays_and_what_is_not_measured_is_said() -> None:
    unmeasured = {name: value for name, value in USED.items() if name != ("h/sdb", "disk_util_pct")}
    (move,) = disks(fullness(breach(OLD, "disk_used_pct"), used=unmeasured), fixed="large")
    assert (move.guest, move.caution) == ("thin", UNMEASURED)
    # 400 GiB thin: 40 to 80 are written now, all 400 may come.
    assert (move.source_low, move.source_high, move.target_high) == pytest.approx((85, 89, 60))


def test_a_card_goes_to_a_bridge_that_the_site_names_as_the_same_network_only() -> None:
    full = fullness(breach("h/eth0", "net_util_pct"))
    free = {"budget": 3, "fixed": lambda _: False}
    assert uplink_moves(full, (), **free) == ()
    assert uplink_moves(full, [("br0", "br7")], **free) == ()
    (move,) = uplink_moves(full, [("br1", "br0")], **free)
    assert (move.guest, move.part, move.target, move.values) == ("large", Part.UPLINK, "h/eth1", {"new_bridge": "br1"})
    # 12207 KiB/s are 100 Mbit/s: 10 to 20 points of the old uplink, 1 to 2 of the new one.
    assert (move.source_low, move.source_high) == pytest.approx((65, 75))
    assert (move.target_low, move.target_high) == pytest.approx((11, 12))


def test_images_of_one_name_go_to_names_of_their_own() -> None:
    one, two = (guest(name, "/images", 300, 100) for name in ("one", "two"))
    alike = tuple(replace(e, labels=e.labels | {"disk_path": f"/images/{e.id}/disk.qcow2"}) for e in (one, two))
    entities = (*(e for e in ENTITIES if e.id not in ("large", "thin")), *alike)
    used = USED | {(OLD, "disk_used_pct"): (99.0, 130.0)}
    moves = disks(fullness(breach(OLD, "disk_used_pct"), used=used, entities=entities))
    assert [m.values["new_image"] for m in moves] == ["/fast/one-disk.qcow2", "/fast/two-disk.qcow2"]


def test_two_full_stores_do_not_fill_one_target_twice() -> None:
    other = Entity(id="h:/more", kind="path", parent="h", labels={"size_gib": "1000", "device": "sda"})
    entities = (*ENTITIES, other, guest("big", "/more", 600, 100))
    used = USED | {("h:/more", "disk_used_pct"): (92.0, 93.0)}
    full = breach(OLD, "disk_used_pct"), breach("h:/more", "disk_used_pct")
    (alone,) = disks(fullness(full[1], used=used, entities=entities))
    assert (alone.guest, alone.target_high) == ("big", pytest.approx(70))
    assert [m.guest for m in disks(fullness(*full, used=used, entities=entities))] == ["large"]


@pytest.mark.parametrize("size", ["nan", "inf", "-1", "many"])
def test_sizes_that_are_none_move_nothing(size: str) -> None:
    entities = tuple(replace(e, labels=e.labels | {"size_gib": size}) if e.id == NEW else e for e in ENTITIES)
    assert disks(fullness(breach(OLD, "disk_used_pct"), entities=entities)) == ()
