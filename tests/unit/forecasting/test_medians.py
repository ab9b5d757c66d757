"""The median level on the median day against a plain loop, and what spikes and jobs do to it."""

import numpy as np
import pytest

from brownout.forecasting.baselines.medians import MedianLevel, median_day
from brownout.forecasting.baselines.smoothing import Smoothing

LEVELS = np.arange(1, 10) / 10


def naive_day(series: np.ndarray, season: int) -> np.ndarray:
    """Median of each phase, less the median of them all, averaged over the neighbours within a 48th of the season."""
    medians = []
    for phase in range(season):
        known = [value for value in series[phase::season].tolist() if np.isfinite(value)]
        medians.append(float(np.median(known)) if known else float("nan"))
    usual = float(np.nanmedian(medians))
    moved = [0.0 if np.isnan(value) else value - usual for value in medians]
    reach = season // 48
    return np.array(
        [np.mean([moved[(phase + k) % season] for k in range(-reach, reach + 1)]) for phase in range(season)]
    )


def test_paths_are_those_of_a_plain_loop() -> None:
    season, horizon, slots = 96, 16, 5 * 96 + 17
    rng = np.random.default_rng(0)
    past = (50 + rng.normal(size=(3, slots)).cumsum(axis=1) + 9 * np.sin(np.arange(slots) / 15)).astype(np.float32)
    past[1, 100:130] = np.nan
    past[2, 5::season] = np.nan
    made = MedianLevel().paths(past, season, horizon)
    for row, series in enumerate(past.astype(float)):
        day = naive_day(series, season)
        adjusted = series - day[np.arange(slots) % season]
        held = adjusted.copy()
        for slot in range(1, slots):
            held[slot] = held[slot - 1] if np.isnan(held[slot]) else held[slot]
        ends = range(slots - 1, season // 6 - 2, -(season // 24 + 1))
        level = {end: float(np.median(held[end - season // 6 + 1 : end + 1])) for end in ends}
        for step in (1, 4, 16):
            misses = [adjusted[end + step] - level[end] for end in ends if end + step < slots]
            middle = level[slots - 1] + day[(slots + step - 1) % season]
            expected = middle + np.quantile([miss for miss in misses if np.isfinite(miss)], LEVELS)
            np.testing.assert_allclose(made[row, step - 1], expected, rtol=1e-4)


def test_spikes_move_nothing() -> None:
    season = 48
    rng = np.random.default_rng(1)
    clean = np.tile(30 + 10 * np.sin(np.arange(season) * 2 * np.pi / season), 15)[None].astype(np.float32)
    spiked = np.where(rng.random(clean.shape) < 0.06, 5000, clean).astype(np.float32)
    middle = MedianLevel().paths(spiked, season, season)[0, :, 4]
    np.testing.assert_allclose(middle, MedianLevel().paths(clean, season, season)[0, :, 4], atol=1.5)
    assert np.abs(Smoothing().paths(spiked, season, season)[0, :, 4] - clean[0, :season]).mean() > 50


def test_a_job_at_some_minutes_of_the_hour_is_among_the_errors_of_every_distance() -> None:
    season, hours = 288, 15 * 24
    rng = np.random.default_rng(2)
    runs = np.repeat(rng.random(hours) < 0.4, 12) & (np.arange(hours * 12) % 12 < 4)
    made = MedianLevel().paths(np.where(runs, 100, 0)[None].astype(np.float32), season, 48)
    assert (made[0, [0, 3, 15, 47], 8] > 60).all()


@pytest.mark.parametrize("slots", [1, 5, 50, 288])
def test_a_short_past_is_enough(slots: int) -> None:
    made = MedianLevel().paths(np.full((2, slots), 7, np.float32), 288, 24)
    np.testing.assert_array_equal(made, np.full((2, 24, 9), 7, np.float32))


def test_phases_never_measured_are_as_usual() -> None:
    past = np.full((1, 96), np.nan, np.float32)
    past[0, :30] = 5
    np.testing.assert_array_equal(median_day(past, 48), np.zeros((1, 48), np.float32))
