"""What is different on another host is no alarm, unless it is bad."""

from dataclasses import replace

import numpy as np
import pytest

from brownout.detection.episodes.relocation import first_starts, relocation_episodes
from brownout.domain.entities import Entity, Topology
from brownout.domain.findings import Episode, Mover, SuppressionReason
from brownout.domain.forecasts import Series
from brownout.domain.metrics import Metric, Worse
from brownout.domain.panel import Panel
from brownout.domain.ports import Span

START = np.datetime64("2026-03-02T00:00", "ms")
METRICS = (
    Metric(name="wait", worse=Worse.UP, limit=50.0),
    Metric(name="free", worse=Worse.DOWN, limit=10.0),
    Metric(name="load"),
)


def at(minutes: float) -> np.datetime64:
    return START + np.timedelta64(round(minutes), "m")


def panel(wait: float = 30.0, free: float = 40.0, *, spikes: int = 0) -> Panel:
    """Ten hours at 5 minutes of two guests; from hour 5 on the first one's values are those given."""
    values = np.full((2, 120, 3), 20.0, np.float32)
    values[0, 60:, 0], values[0, 60:, 1] = wait, free
    values[0, 60 : 60 + spikes, 0] = 99
    return Panel(values, START, 300, (Entity(id="vm1"), Entity(id="vm2")), METRICS)


def episode(entity: str = "vm1", start: float = 300, *, rules: tuple[str, ...] = (), moved: str = "wait") -> Episode:
    mover = Mover(series=Series(entity, moved), usual=2.0, peak=1.0, deviation=3.0, share=0.9, onset=at(start))
    return Episode(
        id=f"{entity}{start}", entity=entity, start=at(start), end=at(start + 120), open=False, severity=2.0,
        movers=(mover,), rules=rules,
    )  # fmt: skip


MOVES = {"vm1": {at(310): "vm1", at(100): "other"}}


def test_an_episode_that_begins_with_a_move_is_quiet_and_says_why() -> None:
    (quiet,) = relocation_episodes([episode()], panel(), MOVES)
    assert (quiet.why, quiet.because) == (SuppressionReason.MOVED, "vm1")
    assert quiet.reason == "vm1 moved to another host at 2026-03-02T05:10Z, and no limit is crossed"


@pytest.mark.parametrize(
    ("found", "over"),
    [
        (episode("vm2"), panel()),  # somebody else moved
        (episode(start=279), panel()),  # begun long before
        (episode(start=371), panel()),  # or long after
        (episode(rules=("slow",)), panel()),
        (episode(), panel(wait=51)),
        (episode(moved="free"), panel(free=9)),
    ],
)
def test_what_has_another_reason_or_does_harm_stays_an_alarm(found: Episode, over: Panel) -> None:
    assert relocation_episodes([found], over, MOVES) == ()


@pytest.mark.parametrize(
    ("found", "over"),
    [
        (episode(start=280), panel()),
        (episode(start=370), panel()),
        (episode(), panel(wait=49)),
        (episode(moved="load"), panel(wait=99)),  # not what moved
        (episode(), panel(spikes=5)),  # beyond the limit for a while only
    ],
)
def test_what_is_only_different_is_quiet(found: Episode, over: Panel) -> None:
    assert len(relocation_episodes([found], over, MOVES)) == 1


def test_what_moved_with_a_move_is_quiet_though_it_was_noticed_later() -> None:
    late = episode(start=380)
    (mover,) = late.movers
    assert relocation_episodes([late], panel(), MOVES) == ()
    assert len(relocation_episodes([replace(late, movers=(replace(mover, onset=at(315)),))], panel(), MOVES)) == 1


def test_what_a_new_guest_changes_at_its_host_is_quiet_and_says_why() -> None:
    starts = {"vm1": {at(310): "vm9"}}
    (quiet,) = relocation_episodes([episode()], panel(), {}, starts)
    assert quiet.reason == "vm9 is new, and was first measured at 2026-03-02T05:10Z, and no limit is crossed"
    assert relocation_episodes([episode()], panel(wait=51), {}, starts) == ()
    assert relocation_episodes([episode(start=100)], panel(), {}, starts) == ()


def test_a_guest_is_new_where_its_host_was_measured_half_a_day_before_it() -> None:
    fleet = Topology.of(
        [
            Entity(id="h", kind="host"),
            Entity(id="h/sda", kind="disk", parent="h"),
            *(Entity(id=name, kind="vm", parent="h") for name in ("old", "new", "unseen")),
            Entity(id="new/console", kind="console", parent="new"),
            Entity(id="alone", kind="vm"),
        ]
    )
    begun = {"h": 0, "h/sda": 0, "old": 11.9 * 60, "new": 12 * 60, "new/console": 13 * 60, "alone": 20 * 60}
    spans = {name: Span(first=at(begin), last=at(9999), interval_s=300, rows=9) for name, begin in begun.items()}
    assert first_starts(fleet, spans) == {key: {at(720): "new"} for key in ("new", "new/console", "h", "h/sda")}
    assert first_starts(fleet, {}) == {}
