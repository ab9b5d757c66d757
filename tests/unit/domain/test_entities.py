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
