"""A pool that was emptied is not full again at noon because it was yesterday; what repeats is left as it is."""

import numpy as np
import pytest

from brownout.domain.entities import Entity
from brownout.domain.metrics import Family, Metric, Worse
from brownout.domain.panel import Float, Panel
from brownout.forecasting.present import present_shift
from brownout.forecasting.series_rows import rows_of

DAY, DAYS = 48, 14
DISK = Metric(name="disk_used_pct", limit=95, worse=Worse.UP, family=Family.DISK)
CPU = Metric(name="vm_cpu_pct", limit=90, worse=Worse.UP, family=Family.CPU)
HOURS = np.arange(-DAYS * 24, 0, 24 / DAY)
NOISE = np.random.default_rng(1).normal(0, 0.2, (6, DAYS * DAY))


def moved(course: Float, *, metric: Metric = DISK, lag: int = DAY) -> tuple[Float, Float]:
    """A copy of the values a lag earlier, as it is and moved to the present level: both ``[row, step]``."""
    values = (course + NOISE).astype(np.float32)
    entities = tuple(Entity(id=f"e{row}", kind="path") for row in range(len(values)))
    panel = Panel(values[..., None], np.datetime64("2026-03-02", "ms"), 1800, entities, (metric,))
    copy = values[:, values.shape[1] - lag :][:, :DAY]
    return copy, copy + present_shift(rows_of(panel, (values.shape[1] - 1,)), lag, DAY)


@pytest.mark.parametrize("ago", [1, 2, 6, 12])
def test_a_fill_of_days_that_was_cleaned_is_over(ago: float) -> None:
    course = 50 + np.where(HOURS + ago < 0, np.clip((HOURS + 120) / 120, 0, 1) * 46, 0)
    copy, at_present = moved(course)
    assert copy.max() > 85
    assert at_present.max() < 75


@pytest.mark.parametrize("lag", [DAY, 7 * DAY])
@pytest.mark.parametrize("ago", [4, 15, 23])
def test_a_level_that_changed_within_the_last_day_holds_at_every_hour(ago: float, lag: int) -> None:
    _, at_present = moved(60 + np.where(HOURS + ago < 0, 0, 25), lag=lag)
    assert np.median(at_present) == pytest.approx(85, abs=1)
    assert np.abs(at_present - 85).max() < 4


def test_what_repeats_each_day_and_what_follows_demand_is_left_as_it_is() -> None:
    copy, at_present = moved(60 + 20 * np.sin(2 * np.pi * HOURS / 24))
    assert np.abs(at_present - copy).max() < 1
    copy, at_present = moved(50 + np.where(HOURS < -1, np.clip((HOURS + 120) / 120, 0, 1) * 46, 0), metric=CPU)
    np.testing.assert_array_equal(copy, at_present)


def test_a_short_past_and_gaps_move_nothing() -> None:
    panel = Panel(np.full((1, 60, 1), np.nan, np.float32), np.datetime64("2026-03-02", "ms"), 1800,
                  (Entity(id="e", kind="path"),), (DISK,))  # fmt: skip
    panel.values[0, 3, 0] = 50
    for origin in (10, 59):
        assert not present_shift(rows_of(panel, (origin,)), DAY, DAY).any()


def test_slots_of_a_day_are_enough() -> None:
    values = np.linspace(20, 60, 90, dtype=np.float32)[None, :, None]
    panel = Panel(values, np.datetime64("2026-03-02", "ms"), 86_400, (Entity(id="e", kind="path"),), (DISK,))
    assert np.isfinite(present_shift(rows_of(panel, (89,)), 1, 7)).all()
