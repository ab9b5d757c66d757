"""Dates on which kinds of hosts run out, against closed forms and against truths that chance draws."""

from dataclasses import replace

import numpy as np
import pytest

from brownout.domain.entities import Entity
from brownout.domain.findings.capacity_plan import HardwareOutlook
from brownout.domain.metrics import Catalogue
from brownout.domain.panel import Panel
from brownout.planning.hardware_roadmap import LEAST_WEEKS, hardware_roadmap, host_demands

METRICS = Catalogue.load().metrics
START = np.datetime64("2026-01-05T00:00", "ms")
SIZE = {"cores": "10", "memory_gib": "100"}
DAY = np.timedelta64(86_400_000, "ms")
RNG = np.random.default_rng(0)


def fleet(busy: np.ndarray, labels: dict[str, str] | None = None, *, interval_s: int = 1800) -> Panel:
    """Hosts that are so busy, in percent ``[host, day]``, all day long; memory stays half available."""
    cpu = np.repeat(np.atleast_2d(busy), 86_400 // interval_s, axis=1)
    hosts = tuple(Entity(id=f"kvm{n}", kind="host", labels=labels or SIZE) for n in range(len(cpu)))
    values = np.stack([cpu, np.full_like(cpu, 50.0)], axis=-1).astype(np.float32)
    return Panel(values, START, interval_s, hosts, (METRICS["host_cpu_busy_pct"], METRICS["host_memory_available_pct"]))


def cpu_outlook(panel: Panel) -> HardwareOutlook | None:
    found = hardware_roadmap(host_demands(panel), panel.end)
    return next((one for one in found if one.resource.value == "vcpus"), None)


def test_a_straight_line_runs_out_when_it_crosses_what_one_host_fewer_holds() -> None:
    days = np.arange(42)
    found = cpu_outlook(fleet(np.stack([20 + 0.5 * days] * 3)))
    assert found is not None
    assert found.usable == pytest.approx(2 * 10 * 0.8)
    # The second busiest day of a week is its last but one; three hosts of ten CPUs grow by 15 % of a CPU a day.
    assert found.demand == pytest.approx(3 * 10 * (20 + 0.5 * 40) / 100)
    assert found.growth == pytest.approx(3 * 10 * 0.5 * 7 / 100)
    crossing = (16 - found.demand) / found.growth * 7
    for date in (found.earliest, found.likely, found.latest):
        assert date is not None
        assert (date - (START + 42 * DAY)) / DAY == pytest.approx(crossing, rel=1e-3)


def test_what_does_not_grow_never_runs_out_and_what_is_beyond_is_so_now() -> None:
    flat = cpu_outlook(fleet(np.full((3, 35), 30.0)))
    assert flat is not None
    assert (flat.earliest, flat.likely, flat.latest) == (None, None, None)
    full = cpu_outlook(fleet(np.full((3, 35), 60.0)))
    assert full is not None
    assert full.likely == full.latest == START + 35 * DAY


def test_a_date_further_ahead_than_four_times_the_past_is_not_told() -> None:
    slow = cpu_outlook(fleet(np.stack([20 + 0.02 * np.arange(42)] * 3)))
    assert slow is not None
    assert slow.growth > 0
    assert slow.likely is None
    assert (slow.until - (START + 42 * DAY)) / DAY == pytest.approx(4 * 42)


def test_weekends_and_single_bad_days_do_not_move_the_date() -> None:
    days = np.arange(56)
    busy = 20 + 0.4 * days
    quiet = np.where(days % 7 >= 5, busy * 0.3, busy)
    spiky = quiet.copy()
    spiky[[10, 30, 52]] = 95.0
    plain, odd = (cpu_outlook(fleet(np.stack([part] * 4))) for part in (quiet, spiky))
    assert plain is not None
    assert odd is not None
    assert plain.likely is not None
    assert odd.likely is not None
    assert abs((odd.likely - plain.likely) / DAY) < 4


def noisy(level: float, growth: float, days: np.ndarray) -> np.ndarray:
    """Hosts that grow, with good and bad days that all of them share."""
    return level + growth * days + RNG.normal(0, 2.0, len(days)) + RNG.normal(0, 1, (3, len(days)))


def test_the_range_holds_the_date_about_as_often_as_it_says() -> None:
    inside, told, days = 0, 0, np.arange(63)
    for _ in range(100):
        growth, level = RNG.uniform(0.2, 0.5), RNG.uniform(15, 25)
        found = cpu_outlook(fleet(np.clip(noisy(level, growth, days), 0, 100)))
        assert found is not None
        # What the second busiest day of a week lies above its middle, by 500 more weeks; then 53.3 % are all there is.
        weeks = noisy(0.0, growth, np.arange(3500)).mean(axis=0) - growth * np.arange(3500)
        above = np.sort(weeks.reshape(500, 7) + growth * np.arange(-3, 4), axis=1)[:, -2].mean()
        truth = (160 / 3 - (level + above)) / growth + 3 - 63
        if truth <= 0 or found.earliest is None or found.latest is None:
            continue
        told += 1
        low, high = ((date - (START + 63 * DAY)) / DAY for date in (found.earliest, found.latest))
        inside += low <= truth <= high
    assert told >= 50
    assert 0.7 <= inside / told <= 0.98


def test_a_host_that_came_later_took_nothing_before_and_a_gap_is_no_dip() -> None:
    busy = np.full((3, 42), 40.0)
    busy[2, :21] = np.nan  # it came with guests of the other two
    busy[:2, :21] = 60.0
    moved = cpu_outlook(fleet(busy))
    assert moved is not None
    assert moved.growth == pytest.approx(0, abs=1e-6)
    gap = np.full((3, 42), 40.0)
    gap[1, 14:21] = np.nan
    found = cpu_outlook(fleet(gap))
    assert found is not None
    assert found.weeks == 5
    assert found.growth == pytest.approx(0, abs=1e-6)


def test_too_short_a_past_and_hosts_of_unknown_size_are_left_out() -> None:
    assert cpu_outlook(fleet(np.full((3, 7 * LEAST_WEEKS - 1), 40.0))) is None
    assert hardware_roadmap(host_demands(fleet(np.full((3, 42), 40.0), {"cores": "10"})), START) == ()
    assert hardware_roadmap((), START) == ()


def test_a_single_host_is_judged_by_itself_and_sizes_apart() -> None:
    busy = np.full((2, 35), 50.0)
    panel = fleet(busy)
    large = replace(panel.entities[1], labels={"cores": "40", "memory_gib": "400"})
    found = hardware_roadmap(host_demands(replace(panel, entities=(panel.entities[0], large))), panel.end)
    assert sorted((one.hosts, one.resource.value, one.usable) for one in found) == [
        (("kvm0",), "memory", pytest.approx(85)),
        (("kvm0",), "vcpus", pytest.approx(8)),
        (("kvm1",), "memory", pytest.approx(340)),
        (("kvm1",), "vcpus", pytest.approx(32)),
    ]
    assert all(one.likely is None for one in found)


def test_neither_order_nor_the_width_of_slots_changes_it() -> None:
    busy = 20 + 0.5 * np.arange(42) + RNG.normal(0, 1, (3, 42))
    once, other = fleet(busy), fleet(busy, interval_s=300).coarsen(6)
    demands = host_demands(once)
    expected = hardware_roadmap(demands, once.end)
    assert hardware_roadmap(demands[::-1], once.end) == expected
    assert [one.likely for one in hardware_roadmap(host_demands(other), other.end)] == [one.likely for one in expected]


def test_a_day_of_which_little_was_measured_does_not_count() -> None:
    panel = fleet(np.full((3, 42), 40.0))
    values = panel.values.copy()
    for day in range(35, 42):  # nights alone, when little goes on
        values[:, day * 48 : day * 48 + 20] = 5.0
        values[:, day * 48 + 20 : (day + 1) * 48] = np.nan
    assert cpu_outlook(replace(panel, values=values)) is None
