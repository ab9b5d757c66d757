"""What grew before a pool was made larger and grows on after it is one trend; what was mended or stopped is none."""

import numpy as np
import pytest

from brownout.domain.entities import Entity
from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import Forecasts
from brownout.domain.metrics import Family, Metric, Worse
from brownout.domain.panel import Float, Panel
from brownout.forecasting.baselines.naive import WeeklyNaive
from brownout.forecasting.present import Trending, trends_of
from brownout.forecasting.present.level_steps import without_step
from brownout.forecasting.series_rows import rows_of

DAY, DAYS, SERIES = 48, 15, 8
DISK = Metric(name="disk_used_pct", limit=95, worse=Worse.UP, family=Family.DISK, lower=0, upper=100)


def growth(a_day: float, steps: dict[float, float], *, until: float = 0) -> Float:
    """Series ``[row, slot]`` that end at 80, grow by so much a day until so many hours before the end, and step."""
    hours = np.arange(-DAYS * 24, 0, 24 / DAY)
    values = 80 + np.minimum(hours + until, 0) * a_day / 24
    for ago, size in steps.items():
        values = values - np.where(hours < -ago, size, 0)
    drawn = np.random.default_rng(1).normal(0, 0.1, (SERIES, len(hours)))
    noisy: Float = (values + drawn).astype(np.float32)
    return noisy


def trends(values: Float) -> Trending:
    """Beside a forecaster that holds the week before for the present."""
    entities = tuple(Entity(id=f"pool{row}", kind="path") for row in range(len(values)))
    panel = Panel(values[..., None], np.datetime64("2026-03-02", "ms"), 1800, entities, (DISK,))

    def last_week(part: Panel, origin: int, steps: int) -> Forecasts:
        return WeeklyNaive().predict(ForecastRequest(part, (origin,), steps))

    return trends_of(rows_of(panel, (values.shape[1] - 1,)), DAY, last_week)


@pytest.mark.parametrize("ago", [12, 30, 100])
def test_a_pool_made_larger_that_goes_on_filling_is_one_trend(ago: float) -> None:
    found = trends(growth(1.5, {ago: -12}))
    assert len(found.places) == SERIES
    assert found.runs.slope * DAY == pytest.approx(1.5, rel=0.15)
    assert found.runs.slots.min() > 200 * DAY / 24, "the days before the step count too"


@pytest.mark.parametrize(
    "values",
    [growth(0, {30: -12}), growth(1.5, {30: -12}, until=30), growth(0, {9: 20}), growth(1.5, {12: -12}, until=12)],
    ids=["flat", "stopped by the step", "a copy came", "stopped half a day ago"],
)
def test_what_does_not_grow_since_its_step_is_no_trend(values: Float) -> None:
    assert not len(trends(values).places)


def test_a_step_is_levelled_to_the_level_after_it() -> None:
    levelled, since = without_step(growth(1.5, {30: -12}), DAY)
    assert (np.abs(since - 30 * DAY // 24) <= 1).all()
    assert np.nanmax(np.abs(np.diff(levelled, axis=1))) < 1


def test_saw_teeth_noise_and_what_has_just_come_are_left_as_they_are() -> None:
    two_restarts, just_now = growth(1.5, {30: -12, 90: -12}), growth(1.5, {3: -12})
    for values in (two_restarts, just_now, growth(1.5, {}), growth(0, {})[:, :10]):
        levelled, since = without_step(values, DAY)
        np.testing.assert_array_equal(levelled, values)
        assert not since.any()
