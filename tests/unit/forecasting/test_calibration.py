"""Calibration on errors whose distribution is known."""

import numpy as np
import pytest
from scipy.stats import norm

from brownout.domain.forecasts import QUANTILES, Forecasts, Series
from brownout.domain.panel import Float
from brownout.forecasting.selection.calibration import BANDS, bands_of, calibrate

ROWS, STEPS = 1200, 24
RNG = np.random.default_rng(0)


def forecasts(values: Float, metric: str = "cpu_pct") -> Forecasts:
    origins = np.full(len(values), np.datetime64("2026-03-02", "ms"))
    return Forecasts((Series("vm0", metric),) * len(values), origins, 60, values, ("lstm",) * len(values))


def normal(spread: Float) -> Float:
    return np.broadcast_to(norm.ppf(QUANTILES) * spread[:, None], (ROWS, STEPS, 9)).astype(np.float32)


def covered(low: Float, high: Float, actual: Float) -> Float:
    return ((actual >= low) & (actual <= high)).mean(axis=0)


def test_each_quarter_of_the_horizon_gets_the_width_it_needs() -> None:
    """Half as wide as it should be at first, twice as wide at the end."""
    spread = np.repeat([0.5, 0.8, 1.0, 2.0], STEPS // BANDS).astype(np.float32)
    made, metrics = normal(spread), np.full(ROWS, "cpu_pct")
    calibration = calibrate(metrics, made, RNG.normal(size=(ROWS, STEPS)).astype(np.float32))
    moved, fresh = calibration.apply(forecasts(made)), RNG.normal(size=(ROWS, STEPS))
    for band in range(BANDS):
        steps = bands_of(STEPS, STEPS) == band
        for low, high, nominal in ((0, 8, 0.8), (2, 6, 0.4)):
            share = covered(moved[..., low], moved[..., high], fresh)[steps].mean()
            assert share == pytest.approx(nominal, abs=0.03)
    assert (np.diff(moved, axis=2) >= 0).all()


def test_the_outer_quantiles_bound_the_90_percent_interval_even_of_heavy_tails() -> None:
    made, metrics = normal(np.ones(STEPS, np.float32)), np.full(ROWS, "cpu_pct")
    calibration = calibrate(metrics, made, RNG.standard_t(3, size=(ROWS, STEPS)).astype(np.float32))
    outer, fresh = calibration.outer(forecasts(made)), RNG.standard_t(3, size=(ROWS, STEPS))
    assert covered(outer[..., 0], outer[..., 1], fresh).mean() == pytest.approx(0.9, abs=0.02)


def test_an_interval_that_ends_at_an_idle_disks_zero_still_covers_80_percent() -> None:
    """Two fifths are zero: nothing is below the lower end, so the upper end has to give."""

    def draw() -> Float:
        return np.where(RNG.random((ROWS, STEPS)) < 0.4, 0, RNG.exponential(10, (ROWS, STEPS))).astype(np.float32)

    levels = np.quantile(draw(), QUANTILES).astype(np.float32)
    made = np.broadcast_to(levels, (ROWS, STEPS, 9)).astype(np.float32)
    before = covered(made[..., 0], made[..., 8], draw()).mean()
    moved = calibrate(np.full(ROWS, "disk"), made, draw()).apply(forecasts(made, "disk"))
    after = covered(moved[..., 0], moved[..., 8], draw()).mean()
    assert before > 0.88
    assert after == pytest.approx(0.8, abs=0.02)
    assert (np.diff(moved, axis=2) >= 0).all()


def test_too_few_windows_change_nothing() -> None:
    made = normal(np.ones(STEPS, np.float32))[:5]
    actual = np.full((5, STEPS), 100, np.float32)
    moved = calibrate(np.full(5, "cpu_pct"), made, actual).apply(forecasts(made))
    np.testing.assert_array_equal(moved, made)


def test_a_metric_that_was_never_calibrated_keeps_its_quantiles() -> None:
    made = normal(np.full(STEPS, 0.1, np.float32))
    actual = RNG.normal(size=(ROWS, STEPS)).astype(np.float32)
    moved = calibrate(np.full(ROWS, "cpu_pct"), made, actual).apply(forecasts(made, "other"))
    np.testing.assert_array_equal(moved, made)
