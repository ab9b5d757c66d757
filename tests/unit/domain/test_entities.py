from itertools import pairwise

import numpy as np
import pytest

from brownout.domain.entities import Entity, Topology
from brownout.domain.errors import DataError


@pytest.fixture
def fleet() -> Topology:
    return Topology.of(
        [
            Entity(id="kvm1", kind="host"),
            Entity(id="sda", kind="disk", parent="kvm1"),
            Entity(id="vm1", kind="vm", parent="kvm1"),
            Entity(id="vm1/console", kind="console", parent="vm1"),
            Entity(id="kvm2", kind="host"),
        ]
    )


def test_relations_run_up_and_down(fleet: Topology) -> None:
    assert fleet.ancestors("vm1/console") == ("vm1", "kvm1")
    assert fleet.descendants("kvm1") == ("sda", "vm1", "vm1/console")
    assert fleet.root("vm1/console") == "kvm1"
    assert fleet.root("kvm2") == "kvm2"
    assert fleet.related("vm1/console") == ("kvm1", "sda", "vm1", "vm1/console")


def test_a_cycle_of_parents_ends() -> None:
    ring = Topology.of([Entity(id="a", parent="b"), Entity(id="b", parent="a")])
    assert ring.ancestors("a") == ("b",)
    assert ring.descendants("a") == ("b",)


def test_an_unknown_entity_stands_alone(fleet: Topology) -> None:
    assert fleet["nobody"] == Entity(id="nobody")
    assert fleet.related("nobody") == ("nobody",)


def test_an_id_described_twice_is_refused() -> None:
    with pytest.raises(DataError, match="'a' is described twice"):
        Topology.of([Entity(id="a"), Entity(id="a")])


NOON = np.datetime64("2026-03-02T12:00", "ms")
HOUR = np.timedelta64(3_600_000, "ms")


@pytest.fixture
def moved() -> Topology:
    """vm1 was on kvm1 until noon, on kvm2 until one, and is on kvm1 again."""
    places = [(NOON - 9 * HOUR, "kvm1"), (NOON - 8 * HOUR, "kvm1"), (NOON, "kvm2"), (NOON + HOUR, "kvm1")]
    return Topology.of(
        [
            Entity(id="kvm1", kind="host", group="one"),
            Entity(id="kvm2", kind="host", group="two"),
            Entity(id="vm1", kind="vm", group="one").placed(places),
            Entity(id="vm1/console", kind="console", parent="vm1", group="one"),
            Entity(id="vm2", kind="vm", parent="kvm2", group="two"),
        ]
    )


@pytest.mark.parametrize(
    ("hours", "host"), [(-99, "kvm1"), (-0.001, "kvm1"), (0, "kvm2"), (0.999, "kvm2"), (1, "kvm1"), (99, "kvm1")]
)
def test_everything_is_on_one_host_at_each_time(moved: Topology, hours: float, host: str) -> None:
    time = NOON + np.timedelta64(round(hours * 3_600_000), "ms")
    then, other = moved.at(time), {"kvm1": "kvm2", "kvm2": "kvm1"}[host]
    assert moved.root("vm1/console", time) == then.root("vm1/console") == host
    assert moved.ancestors("vm1/console", time) == ("vm1", host)
    assert then["vm1/console"].group == then["vm1"].group == then[host].group
    assert {"vm1", "vm1/console"} <= set(then.descendants(host))
    assert not {"vm1", "vm1/console"} & set(then.related(other))
    assert then["vm2"] == moved["vm2"]
    assert then.at(NOON) is then


def test_without_a_time_it_is_now_and_what_never_moved_is_the_same_always(fleet: Topology, moved: Topology) -> None:
    assert moved["vm1"].former == ((NOON, "kvm1"), (NOON + HOUR, "kvm2"))
    assert moved.root("vm1/console") == "kvm1"
    assert fleet.at(NOON) is fleet
    assert moved.groups("vm1/console") == ("one", "two")
    assert moved.groups("vm2") == ("two",)


def test_stays_are_divided_where_something_above_moved(moved: Topology) -> None:
    edges = [NOON - HOUR, NOON, NOON + HOUR, NOON + 2 * HOUR]
    assert moved.stays("vm1/console", edges[0], edges[-1]) == tuple(pairwise(edges))
    assert moved.stays("vm1", NOON, NOON + HOUR) == ((NOON, NOON + HOUR),)
    assert moved.stays("vm2", edges[0], edges[-1]) == ((edges[0], edges[-1]),)


def test_a_move_is_felt_by_the_mover_and_by_both_hosts_and_their_parts(moved: Topology) -> None:
    parts = [Entity(id="sda", kind="disk", parent="kvm1"), Entity(id="kvm3", kind="host")]
    topology = Topology.of([*moved, *parts])
    both = {NOON: "vm1", NOON + HOUR: "vm1"}
    assert topology.moves == dict.fromkeys(("vm1", "vm1/console", "kvm1", "kvm2", "sda"), both)


def test_what_was_known_by_a_time_includes_where_everything_had_been(moved: Topology) -> None:
    """A night that is replayed knows of the migrations before it, and of none that came later."""
    movers = [entity for entity in moved if entity.former]
    assert movers
    for mover in movers:
        for until, _ in mover.former:
            known = moved.as_of(until)
            assert known[mover.id].parent == mover.parent_at(until)
            assert all(time <= until for entity in known for time, _ in entity.former)
            for time in (until - np.timedelta64(1, "ms"), until):
                assert known.root(mover.id, time) == moved.root(mover.id, time)
            before = moved.as_of(until - np.timedelta64(1, "ms"))
            assert until not in [time for time, _ in before[mover.id].former]


def test_all_that_hung_on_a_host_in_a_span_is_known_of_it(moved: Topology) -> None:
    vm2, both = ("kvm2", "vm2"), ("kvm2", "vm2", "vm1", "vm1/console")
    for begin, end, there in [(-2, -1, vm2), (-2, 0, both), (0.5, 0.6, both), (0.5, 2, both), (1, 2, vm2)]:
        span = [NOON + np.timedelta64(round(hours * 3_600_000), "ms") for hours in (begin, end)]
        assert set(moved.related_during("kvm2", *span)) == set(there), (begin, end)
    assert moved.related_during("vm1/console", NOON - HOUR, NOON + 2 * HOUR)[0] == "kvm1"
