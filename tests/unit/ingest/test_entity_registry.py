"""Where guests are, from who writes about them: in one slice, over slices, and however often a slice is read."""

from pathlib import Path

import numpy as np
import pytest

from brownout.domain.entities import Entity
from brownout.ingest.entity_registry import Registry, merged
from brownout.store.history import Description

START = np.datetime64("2026-03-02T06:00", "ms")
MINUTE = 60_000


def at(minutes: float) -> np.datetime64:
    return START + np.timedelta64(round(minutes * MINUTE), "ms")


def guest(host: str) -> tuple[Entity, ...]:
    return Entity(id="vm", kind="vm", parent=host, labels={"host": host}), Entity(id=host, kind="host")


def seen(*runs: tuple[str, float, float], configured_only: tuple[str, float, float] | None = None) -> Entity:
    """The guest after sightings at hosts, from minute to minute."""
    registry = Registry(MINUTE)
    for host, first, last in runs:
        registry.add(guest(host), [tuple(int(at(m).astype(np.int64)) for m in (first, last))], {})  # type: ignore[list-item]
    if configured_only is not None:
        host, first, last = configured_only
        run = (int(at(first).astype(np.int64)), int(at(last).astype(np.int64)))
        registry.add(guest(host), [run], {}, configured_only=True)
    return next(entity for entity in registry.entities() if entity.kind == "vm")


@pytest.mark.parametrize(
    ("runs", "former", "parent"),
    [
        ([("a", 0, 59)], (), "a"),
        ([("a", 0, 19), ("b", 20, 59)], ((20, "a"),), "b"),
        ([("b", 20, 59), ("a", 0, 19)], ((20, "a"),), "b"),  # whichever series comes first
        ([("a", 0, 22), ("b", 20, 59)], ((23, "a"),), "b"),  # both write while it migrates
        ([("a", 0, 59), ("b", 20, 40)], (), "a"),  # a migration that failed
        ([("a", 0, 19), ("b", 20, 29), ("a", 30, 59)], ((20, "a"), (30, "b")), "a"),
        ([("a", 0, 10), ("a", 0, 19), ("b", 25.5, 59)], ((25, "a"),), "b"),  # two measurements, and a gap
        ([("a", 0, 10), ("a", 5, 19), ("b", 12, 59)], ((20, "a"),), "b"),
        ([("a", 0, 19.5), ("b", 19.9, 59)], ((20, "a"),), "b"),  # a slot that both share is the old one's
    ],
)
def test_a_parent_holds_until_another_takes_over(
    runs: list[tuple[str, float, float]], former: tuple[tuple[int, str], ...], parent: str
) -> None:
    found = seen(*runs)
    assert found.former == tuple((at(minute), host) for minute, host in former)
    assert found.parent == found.labels["host"] == parent


def test_configuration_places_only_what_nothing_else_does() -> None:
    assert seen(("a", 0, 19), configured_only=("b", 0, 59)).parent == "a"
    assert seen(("a", 0, 19), configured_only=("b", 0, 59)).former == ()
    assert seen(configured_only=("b", 0, 59)).parent == "b"


def test_slices_are_put_together_and_reading_them_again_changes_nothing() -> None:
    first, second, third = seen(("a", 0, 359)), seen(("a", 350, 400), ("b", 401, 719)), seen(("c", 720, 800))
    known: Entity | None = None
    expected = [(), ((401, "a"),), ((401, "a"), (720, "b"))]
    for _ in range(2):
        for number, found in [(0, first), (1, second), (1, second), (2, third), (2, third)]:
            known = merged(known, found, at(360 * number))
            assert known.former == tuple((at(minute), host) for minute, host in expected[number])
    assert known is not None
    assert known.parent == "c"


def test_a_move_between_two_slices_is_at_the_edge_and_a_gap_keeps_the_parent() -> None:
    known = merged(seen(("a", 0, 359)), seen(("b", 360, 719)), at(360))
    assert known.former == ((at(360), "a"),)
    assert merged(known, Entity(id="vm", kind="vm"), at(720)).parent == "b"
    assert merged(known, Entity(id="vm", kind="vm"), at(720)).former == known.former


def test_a_source_that_says_all_replaces_what_was_known() -> None:
    known = merged(seen(("a", 0, 359)), seen(("b", 360, 719)), at(360))
    assert merged(known, Entity(id="vm", kind="vm", parent="c")).former == ()


def test_the_history_keeps_where_guests_were(tmp_path: Path) -> None:
    moved = merged(seen(("a", 0, 359)), seen(("b", 360, 719)), at(360))
    described = Description(source="s", interval_s=60, metrics=(), entities=(moved, Entity(id="still")))
    text = described.to_json()
    assert text.count("former") == 1
    (tmp_path / "history.json").write_text(text)
    assert Description.from_json((tmp_path / "history.json").read_text()).entities == described.entities
