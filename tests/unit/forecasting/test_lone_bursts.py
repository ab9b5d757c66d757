"""A burst that came once, far from the usual day, is left out; habits, the present and better times stay."""

from dataclasses import replace

import numpy as np
import pytest

from brownout.domain.entities import Entity
from brownout.domain.metrics import Metric, Worse
from brownout.domain.panel import Panel
from brownout.forecasting.present import without_lone_bursts

START, DAY, DAYS = np.datetime64("2026-03-02", "ms"), 48, 14
LATENCY = Metric(name="console_echo_ms", limit=100.0, worse=Worse.UP)
MEMORY = Metric(name="vm_memory_usable_pct", limit=10.0, worse=Worse.DOWN)


def fleet(
    *bursts: tuple[int, int], metric: Metric = LATENCY, height: float = 60.0, hours: float = 5, days: int = DAYS
) -> Panel:
    """One entity on half hours with a daily course of 20 to 40, and bursts that begin on a day at a slot of it."""
    slots = np.arange(days * DAY)
    values = 30 + 10 * np.sin(2 * np.pi * slots / DAY) + np.random.default_rng(1).normal(0, 1, len(slots))
    for day, slot in bursts:
        values[day * DAY + slot : day * DAY + slot + round(2 * hours)] += height
    return Panel(values.astype(np.float32)[None, :, None], START, 1800, (Entity(id="one", kind="vm"),), (metric,))


def left_out(panel: Panel) -> list[int]:
    return np.flatnonzero(np.isnan(without_lone_bursts(panel).values[0, :, 0])).tolist()


def test_a_burst_that_came_once_is_left_out_whole_and_alone() -> None:
    assert left_out(fleet((12, 20))) == list(range(12 * DAY + 20, 12 * DAY + 30))


def test_towards_better_nothing_is_left_out() -> None:
    assert left_out(fleet((12, 20), metric=MEMORY)) == []
    assert len(left_out(fleet((12, 20), metric=MEMORY, height=-60))) == 10
    assert left_out(fleet((12, 20), metric=replace(LATENCY, worse=Worse.NONE))) == []


@pytest.mark.parametrize(
    "habit",
    [
        [(day, 20) for day in range(DAYS)],
        [(day, 20 + day % 3 - 1) for day in range(2, DAYS, 3)],
        [(5, 20), (12, 20)],
        [(1, 3), (5, 40), (7, 30), (9, 12), (12, 20)],
    ],
    ids=["every night", "every third night, with jitter", "every week", "on many days at any hour"],
)
def test_what_returns_stays(habit: list[tuple[int, int]]) -> None:
    assert left_out(fleet(*habit)) == []


def test_two_incidents_at_different_hours_are_no_habit() -> None:
    assert len(left_out(fleet((4, 3), (12, 20)))) == 20


def test_what_is_going_on_or_lasted_for_days_stays() -> None:
    assert left_out(fleet((13, 38))) == []
    assert left_out(fleet((2, 0), hours=24 * 5)) == []
    growing = fleet()
    growing.values[0, -60:, 0] += np.arange(60)
    assert left_out(growing) == []


def test_a_short_past_has_no_usual_day() -> None:
    assert left_out(fleet((1, 20), days=3)) == []


def test_nothing_is_invented_where_nothing_is_measured() -> None:
    panel = fleet((12, 20))
    panel.values[0, :200] = np.nan
    assert left_out(panel) == [*range(200), *range(12 * DAY + 20, 12 * DAY + 30)]
    empty = fleet()
    empty.values[:] = np.nan
    assert without_lone_bursts(empty) is empty
