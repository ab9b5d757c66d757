"""Windows of maintenance against a plain loop over minutes, across changes of the clocks."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from brownout.domain.calendar import Calendar, Maintenance
from brownout.domain.entities import Entity, Topology
from brownout.domain.metrics import Metric
from brownout.domain.panel import Panel

ZONE = ZoneInfo("Europe/Zurich")
START = np.datetime64("2026-03-23T00:00", "ms")
TOPOLOGY = Topology.of(
    [
        Entity(id="kvm1", kind="host"),
        Entity(id="vm1", kind="vm", parent="kvm1"),
        Entity(id="vm1/console", kind="console", parent="vm1"),
        Entity(id="kvm2", kind="host"),
    ]
)
TEN = st.builds(time, st.integers(0, 23), st.sampled_from([0, 10, 30]))


def panel(slots: int = 144, start: np.datetime64 = START, interval_s: int = 600) -> Panel:
    values = np.ones((len(TOPOLOGY), slots, 1), np.float32)
    return Panel(values, start, interval_s, tuple(TOPOLOGY), (Metric(name="m"),))


def hour(number: float) -> np.datetime64:
    return START + np.timedelta64(round(number * 60), "m")


def closed(window: Maintenance, over: Panel) -> dict[str, list[int]]:
    """Slots without a value, by entity."""
    found = Calendar((window,)).without(over, TOPOLOGY).values[..., 0]
    return {name: np.flatnonzero(np.isnan(row)).tolist() for name, row in zip(over.entity_ids, found, strict=True)}


def inside(window: Maintenance, minute: datetime) -> bool:
    """Whether the clock on the wall is inside, as an operator would tell."""
    local = minute.astimezone(ZONE)
    today, yesterday = (
        day.weekday() in window.weekdays or day in window.dates for day in (local.date(), local.date() - timedelta(1))
    )
    clock = local.time()
    if window.closes > window.opens:
        return today and window.opens <= clock < window.closes
    return (today and clock >= window.opens) or (yesterday and clock < window.closes)


@pytest.mark.parametrize("start", ["2026-03-26T00:00", "2026-10-22T00:00"])
@given(days=st.sets(st.integers(0, 6), min_size=1, max_size=3), opens=TEN, closes=TEN)
@example(days={5, 6}, opens=time(23), closes=time(1))
@settings(max_examples=40)
def test_a_window_that_comes_again_is_what_the_clock_on_the_wall_says(
    start: str, days: set[int], opens: time, closes: time
) -> None:
    window = Maintenance(
        name="w",
        entities=("*",),
        weekdays=tuple(days),
        dates=(date(2026, 3, 27),),
        opens=opens,
        closes=closes,
        zone=ZONE,
    )
    over = panel(144 * 6, np.datetime64(start, "ms"))
    found = set(closed(window, over)["kvm1"])
    first = datetime.fromisoformat(start).replace(tzinfo=UTC)
    expected = {slot for slot in range(144 * 6) if inside(window, first + timedelta(minutes=10 * slot))}
    if {opens.hour, closes.hour} & {1, 2, 3}:  # within an hour that the clocks skip or repeat both readings count
        assert expected <= found
        assert len(found - expected) <= 12
    else:
        assert found == expected


def test_a_window_covers_what_hangs_on_its_entities_and_every_slot_that_it_touches() -> None:
    window = Maintenance(name="w", entities=("kvm1",), once=(hour(1.05), hour(2.01)))
    touched = list(range(6, 13))
    assert closed(window, panel()) == {"kvm1": touched, "vm1": touched, "vm1/console": touched, "kvm2": []}


def test_a_window_ends_before_its_end_and_may_lie_outside() -> None:
    assert closed(Maintenance(name="w", entities=("kvm2",), once=(hour(1), hour(2))), panel())["kvm2"] == [
        *range(6, 12)
    ]
    for once in ((hour(-5), hour(0)), (hour(24), hour(25))):
        over = panel()
        assert Calendar((Maintenance(name="w", entities=("*",), once=once),)).without(over, TOPOLOGY) is over
    assert len(closed(Maintenance(name="w", entities=("*",), once=(hour(-5), hour(99))), panel())["vm1"]) == 144


def test_windows_that_overlap_close_their_union() -> None:
    one, two = (Maintenance(name=n, entities=("vm*",), once=(hour(a), hour(a + 2))) for n, a in (("a", 1), ("b", 2)))
    found = Calendar((one, two)).without(panel(), TOPOLOGY).values
    assert np.isnan(found[1, :, 0]).sum() == 18
    assert np.isfinite(found[0]).all()


def test_what_is_announced_counts_entities_and_names_patterns_that_nothing_has() -> None:
    window = Maintenance(name="w", entities=("kvm1", "kvm9"), once=(hour(1), hour(2)))
    again = Maintenance(name="b", entities=("*",), weekdays=(0,), opens=time(0), closes=time(0))
    found = Calendar((window, again)).announced(TOPOLOGY, START, hour(30))
    assert [(a.name, a.start, a.end, a.entities, a.unknown) for a in found] == [
        ("b", START, hour(24), 4, ()),
        ("w", hour(1), hour(2), 3, ("kvm9",)),
    ]


@pytest.mark.parametrize(
    ("day", "opens", "closes", "start", "end"),
    [
        (date(2026, 3, 29), time(2, 30), time(4), "2026-03-29T00:30", "2026-03-29T02:00"),  # 2:30 is skipped
        (date(2026, 10, 25), time(1), time(2, 30), "2026-10-24T23:00", "2026-10-25T01:30"),  # 2:30 comes twice
    ],
)
def test_a_time_that_the_clocks_skip_or_repeat_is_read_both_ways(
    day: date, opens: time, closes: time, start: str, end: str
) -> None:
    window = Maintenance(name="w", entities=("*",), dates=(day,), opens=opens, closes=closes, zone=ZONE)
    expected = [(np.datetime64(start, "ms"), np.datetime64(end, "ms"))]
    assert window.spans(np.datetime64("2026-01-01", "ms"), np.datetime64("2026-12-31", "ms")) == expected


def test_a_guest_is_in_the_window_of_a_host_only_while_it_is_there() -> None:
    entities = [replace(e, parent="kvm2", former=((hour(2), "kvm1"),)) if e.id == "vm1" else e for e in TOPOLOGY]
    window = Maintenance(name="w", entities=("kvm1",), once=(hour(1), hour(4)))
    found = np.isnan(Calendar((window,)).without(panel(), Topology.of(entities)).values[..., 0])
    slots = [np.flatnonzero(row).tolist() for row in found]
    assert slots == [list(range(6, 24)), list(range(6, 12)), list(range(6, 12)), []]
