"""Losses against a plain loop and closed forms."""

import math

import naive
import numpy as np
import pytest

from brownout.domain.forecasts import QUANTILES
from brownout.numerics.losses import path_losses, skill_ratio


def test_losses_equal_a_plain_loop_over_measured_steps() -> None:
    rng = np.random.default_rng(1)
    values = np.sort(rng.normal(size=(5, 7, 9)), axis=2).astype(np.float32)
    actual = rng.normal(size=(5, 7)).astype(np.float32)
    actual[rng.random(actual.shape) < 0.3] = np.nan
    found = path_losses(values, actual)
    for row in range(5):
        steps = [step for step in range(7) if math.isfinite(actual[row, step])]
        loss = sum(naive.quantile_loss(values[row, s].tolist(), list(QUANTILES), float(actual[row, s])) for s in steps)
        assert found.quantile[row] == pytest.approx(loss, rel=1e-5)
        assert found.absolute[row] == pytest.approx(
            sum(abs(actual[row, s] - values[row, s, 4]) for s in steps), rel=1e-5
        )
        assert found.count[row] == len(steps)
        assert found.inside[row] == sum(values[row, s, 0] <= actual[row, s] <= values[row, s, 8] for s in steps)


def test_crps_of_a_normal_forecast_comes_near_its_closed_form() -> None:
    # CRPS of N(0, 1) at its own mean is 2φ(0) − 1/√π; nine levels leave the tails out, so some of it is missing.
    from scipy.stats import norm

    values = norm.ppf(QUANTILES)[None, None].astype(np.float32)
    loss = path_losses(values, np.zeros((1, 1), np.float32)).quantile[0]
    assert loss == pytest.approx(2 * norm.pdf(0) - 1 / math.sqrt(math.pi), rel=0.15)


def test_skill_is_one_against_itself_and_halves_with_half_the_loss() -> None:
    loss, count, scale = np.array([2.0, 6.0]), np.array([1.0, 1.0]), np.array([1.0, 3.0])
    assert skill_ratio(loss, loss, count, scale) == 1.0
    assert skill_ratio(loss / 2, loss, count, scale) == 0.5


def test_series_without_scale_or_values_do_not_count() -> None:
    loss = np.array([1.0, 100.0, 100.0])
    count, scale = np.array([1.0, 0.0, 1.0]), np.array([1.0, 1.0, 0.0])
    assert skill_ratio(loss, np.array([2.0, 1.0, 1.0]), count, scale) == 0.5
    assert math.isnan(skill_ratio(loss, loss, np.zeros(3), scale))
    assert skill_ratio(np.zeros(1), np.zeros(1), np.ones(1), np.ones(1)) == 1.0
