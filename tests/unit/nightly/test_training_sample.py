"""Which entities of a big fleet a training reads."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brownout.domain.entities import Entity, Topology
from brownout.nightly.training.training_sample import FEW, families


def fleet(hosts: int, guests: int) -> Topology:
    """Hosts with a disk and so many guests each, every guest with a console."""
    entities = []
    for host in (f"host{number:03}" for number in range(hosts)):
        entities += [Entity(id=host, kind="host"), Entity(id=f"{host}:sda", kind="disk", parent=host)]
        for guest in (f"{host}-vm{number:03}" for number in range(guests)):
            entities += [
                Entity(id=guest, kind="vm", parent=host),
                Entity(id=f"con-{guest}", kind="console", parent=guest),
            ]
    return Topology.of(entities)


def ids(topology: Topology) -> list[str]:
    return [entity.id for entity in topology]


def test_a_small_fleet_is_read_whole() -> None:
    topology = fleet(4, 10)
    assert families(topology, ids(topology), 512) == tuple(sorted(ids(topology)))


@pytest.mark.parametrize(("hosts", "guests"), [(143, 7), (30, 33), (3, 400), (1, 2000)])
def test_chosen_consoles_come_with_the_loads_that_drive_them(hosts: int, guests: int) -> None:
    topology = fleet(hosts, guests)
    chosen = families(topology, ids(topology), 512)
    kinds = Counter(topology[name].kind for name in chosen)
    assert 256 <= len(chosen) <= 512 + 4 * FEW
    assert kinds["vm"] == kinds["console"] > 100
    for name in chosen:
        if topology[name].kind == "console":
            assert set(topology.ancestors(name)) <= set(chosen)


def test_the_sample_spreads_over_the_whole_fleet() -> None:
    topology = fleet(143, 7)
    hosts = sorted({topology.root(name) for name in families(topology, ids(topology), 512)})
    assert (hosts[0], hosts[-1]) == ("host000", "host142")


def test_a_kind_that_is_rare_is_learned_from_too() -> None:
    guests = [Entity(id=f"vm{number:04}", kind="vm") for number in range(3000)]
    hosts = [Entity(id=f"host{number}", kind="host") for number in range(3)]
    topology = Topology.of([*guests, *hosts])
    chosen = families(topology, ids(topology), 512)
    assert {host.id for host in hosts} <= set(chosen)


@given(st.integers(1, 40), st.integers(0, 12), st.integers(1, 200), st.randoms(use_true_random=False))
def test_the_order_of_the_names_changes_nothing(hosts: int, guests: int, most: int, random: object) -> None:
    topology = fleet(hosts, guests)
    names = ids(topology)
    random.shuffle(names)  # type: ignore[attr-defined]
    chosen = families(topology, names, most)
    assert chosen == families(topology, ids(topology), most)
    assert set(chosen) <= set(names)
    assert chosen
