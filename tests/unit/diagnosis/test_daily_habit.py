"""What recurs at these hours is usual: levels reached on most days, against a loop over the days."""

from dataclasses import replace

import numpy as np
import pytest

from brownout.diagnosis.evidence.daily_habit import daily_extremes
from brownout.diagnosis.evidence.observation import Observation, observe
from brownout.domain.entities import Entity
from brownout.domain.metrics import shipped_catalogue
from brownout.domain.panel import Panel

START = np.datetime64("2026-03-02", "ms")
HOUR = np.timedelta64(3_600_000, "ms")
JOB = shipped_catalogue().metrics["vm_block_job"]


def nightly_job(interval_s: int, *, days: int = 7, shift_min: int = 0) -> Panel:
    """A job from 02:00 to 03:00 every night, by turns half an hour later."""
    slots = days * 86_400 // interval_s
    values = np.zeros((1, slots, 1), np.float32)
    for day in range(days):
        begin = (day * 86_400 + 7200 + (day % 2) * 1800 + shift_min * 60) // interval_s
        values[0, begin : begin + 3600 // interval_s] = 1
    return Panel(values, START, interval_s, (Entity(id="vm", kind="vm"),), (JOB,))


@pytest.mark.parametrize("interval_s", [60, 300, 900])
@pytest.mark.parametrize("early_min", [-2, 0, 2])
def test_a_job_of_every_night_is_usual_however_it_is_sampled(interval_s: int, early_min: int) -> None:
    panel = nightly_job(interval_s)
    start = START + 6 * 24 * HOUR + 2 * HOUR + np.timedelta64(early_min, "m")
    seen = observe([panel], start, start + HOUR).of("vm", "vm_block_job")
    assert seen is not None
    assert (seen.usual_high, seen.high) == (1, 1)
    other = observe([panel], start + 6 * HOUR, start + 7 * HOUR).of("vm", "vm_block_job")
    assert other is not None
    assert other.usual_high == 0


def test_levels_are_those_of_a_loop_over_the_days() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(50, 10, (2, 7 * 288, 1)).astype(np.float32)
    values[1, 300:420] = np.nan
    panel = Panel(values, START, 300, tuple(Entity(id=f"vm{i}", kind="vm") for i in range(2)), (JOB,))
    start, end = START + 6 * 24 * HOUR + 5 * HOUR, START + 6 * 24 * HOUR + 8 * HOUR
    found = daily_extremes(panel.between(START, start), start, end, share=0.25)
    assert found is not None
    for row in range(2):
        tops = []
        for day in range(1, 7):
            first = panel.slot(start - day * 24 * HOUR - HOUR)
            part = values[row, max(first, 0) : first + 60, 0]
            if np.isfinite(part).mean() >= 0.5:
                tops.append(np.sort(part[np.isfinite(part)])[-9])
        assert found.top[row, 0] == pytest.approx(np.median(tops), rel=1e-6)


def test_two_days_are_no_habit_and_half_a_day_has_no_hours() -> None:
    panel = nightly_job(300, days=3)
    start = START + 2 * 24 * HOUR + 2 * HOUR
    assert daily_extremes(panel.between(START, start), start, start + HOUR, share=0.25) is None
    week = nightly_job(300)
    start = START + 6 * 24 * HOUR
    assert daily_extremes(week.between(START, start), start, start + 12 * HOUR, share=0.25) is None


def test_what_differs_from_day_to_day_is_measured_by_how_far_it_differs() -> None:
    seen = Observation(metric=JOB, usual=2, spread=1, high=12, low=-4, trend=0, habit=(6, 0), habit_spread=(3, 2))
    assert seen.rise == pytest.approx((12 - 6) / 3)
    assert seen.fall == pytest.approx((0 - -4) / 2)
    steady = replace(seen, habit_spread=(0.5, 0.5))
    assert steady.rise == pytest.approx(12 - 6)
    assert steady.fall == pytest.approx(4)


def test_what_one_does_at_these_hours_and_no_peer_is_no_difference_from_the_peers() -> None:
    alone = nightly_job(300)
    rng = np.random.default_rng(7)
    values = rng.normal(0, 0.02, (5, alone.values.shape[1], 1)).astype(np.float32)
    values[:1] += alone.values
    entities = tuple(Entity(id=f"vm{i}", kind="vm") for i in range(5))
    panel = replace(alone, values=values, entities=entities)
    start = START + 6 * 24 * HOUR + 2 * HOUR
    night = observe([panel], start, start + HOUR).of("vm0", "vm_block_job")
    noon = np.array(values)
    first = panel.slot(start + 8 * HOUR)
    noon[0, first : first + 12] += 1
    day = observe([replace(panel, values=noon)], start + 8 * HOUR, start + 9 * HOUR).of("vm0", "vm_block_job")
    assert night is not None
    assert day is not None
    assert abs(night.apart[0]) < 2
    assert day.apart[0] > 10


@pytest.mark.parametrize(("born", "trend"), [(0, -1.0), (30, -1.0), (47, 0.0)])
def test_what_was_first_measured_less_than_a_day_ago_falls_by_no_trend_that_is_known(born: int, trend: float) -> None:
    """At the end of three days a guest's memory falls for twelve hours: of a guest of yesterday that may be any day."""
    values = np.full((2, 72 * 12, 1), 60.0, np.float32)
    values[:, -12 * 12 :, 0] = np.linspace(60, 30, 12 * 12)
    values[1, : born * 12] = np.nan
    memory = shipped_catalogue().metrics["vm_memory_usable_pct"]
    guests = (Entity(id="old", kind="vm"), Entity(id="young", kind="vm"))
    panel = Panel(values, START, 300, guests, (memory,))
    seen = observe([panel], panel.end - 3 * HOUR, panel.end)
    (old, young) = (seen.of(name, "vm_memory_usable_pct") for name in ("old", "young"))
    assert old is not None
    assert young is not None
    assert old.trend == pytest.approx(-1.0, abs=0.01)
    assert young.trend == pytest.approx(trend, abs=0.01)


def test_where_nobody_was_measured_a_day_ago_a_steady_fall_is_one() -> None:
    values = np.linspace(60, 30, 20 * 12, dtype=np.float32)[None, :, None]
    memory = shipped_catalogue().metrics["vm_memory_usable_pct"]
    panel = Panel(values, START, 300, (Entity(id="vm", kind="vm"),), (memory,))
    seen = observe([panel], panel.end - 3 * HOUR, panel.end).of("vm", "vm_memory_usable_pct")
    assert seen is not None
    assert seen.trend == pytest.approx(-1.0, abs=0.01)
