"""Rolling calibration: what came of earlier forecasts, and nothing that came later, decides how wide the next are."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from brownout.domain.forecasts import QUANTILES, Forecasts, Series
from brownout.domain.panel import Float
from brownout.forecasting.selection.calibration import BANDS, calibrate, outer_of
from brownout.forecasting.selection.rolling_calibration import MOST_AT_ONCE, PRIOR, RollingCalibration, spread_evenly

START = np.datetime64("2026-03-02T00:00", "ms")
ROWS, STEPS, HOUR = 40, 24, np.timedelta64(3600, "s")


def made(at: int, spread: float = 1.0, rows: int = ROWS) -> Forecasts:
    """Normal forecasts from an hour on, an hour a step."""
    ladder = norm.ppf([*QUANTILES, 0.05, 0.95]) * spread
    values = np.broadcast_to(ladder, (rows, STEPS, 11)).astype(np.float32)
    series = tuple(Series(f"vm{row}", "cpu") for row in range(rows))
    origins = np.full(rows, START + at * HOUR)
    return Forecasts(series, origins, 3600, values[..., :9], ("lstm",) * rows, outer=values[..., 9:])


def came(seed: int, rows: int = ROWS) -> Float:
    return np.random.default_rng(seed).normal(size=(rows, STEPS)).astype(np.float32)


def learned(*hours: int, spread: float = 1.0) -> RollingCalibration:
    rolling = RollingCalibration()
    for hour in hours:
        rolling.learn([(made(hour, spread), came(hour))])
    return rolling


def test_intervals_that_were_too_narrow_of_late_are_widened_until_they_cover() -> None:
    rolling = learned(*range(0, 168, 3), spread=0.5)
    moved, fresh = rolling.factors(START + 168 * HOUR).calibrated(made(168, 0.5, 2000)), came(999, 2000)
    assert moved.outer is not None
    for low, high, nominal in (
        (moved.values[..., 0], moved.values[..., 8], 0.8),
        (moved.values[..., 2], moved.values[..., 6], 0.4),
        (moved.outer[..., 0], moved.outer[..., 1], 0.9),
    ):
        covered = ((fresh >= low) & (fresh <= high)).mean()
        before = norm.cdf(0.5 * norm.ppf(0.5 + nominal / 2)) * 2 - 1
        # Seven horizons of late against a prior of six pull it half way on the logarithm.
        assert before + 0.3 * (nominal - before) < covered < nominal


def test_factors_are_those_of_split_conformal_prediction_drawn_towards_one() -> None:
    hours = [0, 24, 48]
    rolling = learned(*hours, spread=0.5)
    actual = np.concatenate([came(hour) for hour in hours])
    one = np.concatenate([made(hour, 0.5).values for hour in hours])
    outer = np.concatenate([outer_of(made(hour, 0.5)) for hour in hours])
    whole = calibrate(np.full(len(one), "cpu"), one, actual, outer).factors["cpu"]
    found = rolling.factors(START + 72 * HOUR).factors["cpu"]
    for band in range(BANDS):
        for k in range(11):
            assert found[band][k] == pytest.approx(whole[band][k] ** (3 / (3 + PRIOR)), rel=1e-5)
    assert max(whole[0]) > 1.5


def test_what_was_not_measured_yet_teaches_nothing() -> None:
    now = START + 60 * HOUR
    plain, poisoned = learned(0, 24, 48), learned(0, 24, 48)
    for hour, past in zip((0, 24, 48), poisoned.past_, strict=True):
        past.actual[:, max(60 - hour, 0) :] = 1e6
    assert poisoned.factors(now) == plain.factors(now)
    # One hour later one poisoned step is measured.
    assert poisoned.factors(now + HOUR) != plain.factors(now + HOUR)


def test_a_step_that_ends_at_the_origin_is_known() -> None:
    """Twelve of 24 steps: the first two bands have been measured, the others have no factor yet."""
    first, _, third, _ = learned(0, spread=0.5).factors(START + 12 * HOUR).factors["cpu"]
    assert first[8] > 1
    assert third == (1.0,) * 11
    assert learned(0).factors(START).factors == {}


def test_forecasts_older_than_a_week_are_forgotten() -> None:
    rolling = RollingCalibration()
    rolling.learn([(made(0, 0.2), came(0))])
    for hour in (150, 174, 198):
        rolling.learn([(made(hour), came(hour))])
    fresh = learned(150, 174, 198)
    assert rolling.factors(START + 167 * HOUR) != fresh.factors(START + 167 * HOUR)
    assert rolling.factors(START + 222 * HOUR) == fresh.factors(START + 222 * HOUR)


def test_origins_whose_horizons_overlap_weigh_as_one() -> None:
    close, apart = learned(*range(12), spread=0.5), learned(*range(0, 12 * 13, 13), spread=0.5)
    late = [np.log(r.factors(START + 170 * HOUR).factors["cpu"][0][8]) for r in (close, apart)]
    assert 0.1 * late[1] < late[0] < 0.5 * late[1]


def test_forecasts_without_outer_quantiles_teach_those_of_a_normal_tail() -> None:
    bare = replace(made(0), outer=None)
    np.testing.assert_allclose(outer_of(bare), norm.ppf([0.05, 0.95]) * np.ones((ROWS, STEPS, 2)), rtol=0.01)
    np.testing.assert_array_equal(outer_of(made(0)), made(0).outer)


@given(st.lists(st.sampled_from("abc"), max_size=60), st.integers(1, 20))
def test_thinning_keeps_some_of_each_name_in_order(names: list[str], most: int) -> None:
    chosen = spread_evenly(np.array(names, np.str_), most)
    kept = [names[place] for place in chosen]
    assert {name: kept.count(name) for name in set(names)} == {n: min(names.count(n), most) for n in set(names)}
    assert (np.diff(chosen) > 0).all()


def test_a_large_fleet_is_thinned_over_all_its_panels() -> None:
    rolling = RollingCalibration()
    rolling.learn([(made(0, rows=900), came(0, 900)), (made(0, rows=100), came(1, 100))])
    kept = [len(past.actual) for past in rolling.past_]
    assert sum(kept) == MOST_AT_ONCE
    assert kept[0] == pytest.approx(9 * kept[1], abs=9)
