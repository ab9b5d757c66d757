"""Trends that run are found and carried on with honest ranges; what returns, flattens or wanders is none."""

import numpy as np
import pytest

from brownout.domain.panel import Float
from brownout.forecasting.present import runs_of

DAY, HORIZON, SERIES = 48, 48, 200


def ramps(hours: float, *, slope: float, noise: float, days: int = 12, day: int = DAY) -> Float:
    """Series ``[row, slot]`` with a season, noise, and a ramp of so much an hour that began so long before the end."""
    slots = np.arange(days * day + day)
    begun = days * day - hours * day / 24
    ramp = np.maximum(slots - begun, 0) * slope * 24 / day
    season = 10 * np.sin(2 * np.pi * slots / day)
    drawn = np.random.default_rng(3).normal(0, noise, (SERIES, len(slots)))
    values: Float = (50 + season + ramp + drawn).astype(np.float32)
    return values


@pytest.mark.parametrize("hours", [9, 12, 20, 30, 120, 200])
def test_a_ramp_of_hours_or_days_is_found_and_carried_on(hours: float) -> None:
    values = ramps(hours, slope=1.0 if hours < 48 else 0.2, noise=0.7)
    past, ahead = values[:, :-HORIZON], values[:, -HORIZON:]
    runs = runs_of(past, DAY)
    assert runs.found.mean() > 0.97
    paths = runs.paths(np.arange(1, HORIZON + 1, dtype=np.float32))
    inside = (ahead >= paths[..., 0]) & (ahead <= paths[..., -1])
    assert 0.65 < inside.mean() < 0.97
    risen = ahead[:, -1] - past[:, -1]
    assert np.median(np.abs(paths[:, -1, 4] - ahead[:, -1])) < 0.15 * np.median(np.abs(risen))


def test_slots_of_five_minutes_give_the_same_line() -> None:
    values = ramps(20, slope=1.0, noise=0.7, day=288)
    runs = runs_of(values[:, :-288], 288)
    assert runs.found.mean() > 0.97
    assert np.median(runs.slope) == pytest.approx(1 / 12, rel=0.1)


def test_what_does_not_rise_or_returns_is_no_trend() -> None:
    rng = np.random.default_rng(4)
    slots = np.arange(12 * DAY)
    noise = rng.normal(0, 1, (SERIES, len(slots)))
    nightly_restart = slots % DAY * 0.6 + noise
    late_restart = (slots + 17) % (3 * DAY) * 0.3 + noise
    for values in (noise, nightly_restart, late_restart):
        assert runs_of(values.astype(np.float32), DAY).found.mean() < 0.02


def test_a_ramp_that_flattens_is_not_carried_on_straight() -> None:
    slots = np.arange(13 * DAY)
    begun = 12 * DAY - 60
    risen = np.where(slots > begun, 30 * (1 - np.exp(-(slots - begun) / 30)), 0)
    values = (risen + np.random.default_rng(5).normal(0, 0.3, (SERIES, len(slots)))).astype(np.float32)
    runs = runs_of(values[:, :-DAY], DAY)
    end = runs.paths(np.arange(1, DAY + 1, dtype=np.float32))[:, -1, 4]
    assert not runs.found.any() or end[runs.found].max() < 34


def test_a_ramp_that_ended_with_a_restart_is_over() -> None:
    values = ramps(20, slope=1.0, noise=0.7)[:, :-HORIZON]
    values[:, -3:] -= 20
    assert not runs_of(values, DAY).found.any()


def test_no_value_and_gaps_do_no_harm() -> None:
    assert not runs_of(np.full((2, 300), np.nan, np.float32), DAY).found.any()
    values = ramps(20, slope=1.0, noise=0.7)[:, :-HORIZON]
    values[:, 100:130] = np.nan
    assert runs_of(values, DAY).found.mean() > 0.97


def test_a_quiet_day_that_ends_is_no_trend() -> None:
    """Busy by day, but hardly today: less its median day the afternoon looks like a rise from a low."""
    rng = np.random.default_rng(4)
    hours = np.arange(10 * DAY) % DAY * 24 / DAY
    busy = 40 * np.sin(np.pi * np.clip(hours - 6, 0, 14) / 14)
    days = rng.uniform(0.9, 1.1, (20, 10))
    days[:, -1] = 0.1
    values = 8 + busy * days.repeat(DAY, axis=1) + rng.normal(0, 0.5, (20, 10 * DAY))
    evening = values[:, : -DAY // 8].astype(np.float32)
    assert runs_of(evening, DAY).found.mean() < 0.1


@pytest.mark.parametrize("weekend", [True, False], ids=["a week of unlike days", "all days alike"])
def test_a_leak_of_a_friday_is_carried_on_by_the_saturday_of_the_week_before(*, weekend: bool) -> None:
    """A dip of every weekday is none of the next day, which is a Saturday; where all days are alike, it is."""
    slots = np.arange(15 * DAY + DAY)
    dips = 8 * np.clip(np.sin(2 * np.pi * (slots % DAY - 12) / DAY), 0, 1)
    weekday = (slots // DAY + 4) % 7 < 5  # the past ends with a Thursday and a Friday, then comes a Saturday
    assert weekday[-2 * DAY - 1]
    assert not weekday[-1]
    noise = np.random.default_rng(6).normal(0, 0.3, (SERIES, len(slots)))
    ramp = -0.65 * np.maximum(slots - (15 * DAY - 40), 0)
    values = (52 - np.where(weekday | (not weekend), dips, 0) + ramp + noise).astype(np.float32)
    runs = runs_of(values[:, : 15 * DAY], DAY)
    assert runs.found.mean() > 0.95
    ahead = runs.paths(np.arange(1, DAY + 1, dtype=np.float32))[runs.found, :, 4]
    missed = np.abs(ahead - values[runs.found, 15 * DAY :]).mean(axis=0)
    assert missed.max() < 3.5, "the dip is 8"
