"""Residuals by resource and quarter of the horizon."""

import numpy as np
import pytest

from brownout.domain.forecasts import Forecasts, Series
from brownout.nightly.model_review.residual_spread import Residuals


def forecasts(values: np.ndarray) -> Forecasts:
    series = tuple(Series(f"h{row}", "host_cpu_busy_pct") for row in range(len(values)))
    return Forecasts(
        series=series, origins=np.full(len(values), np.datetime64("2026-03-01", "ms")), interval_s=60,
        values=values, makers=("lstm",) * len(values),
    )  # fmt: skip


def test_spreads_are_those_of_plain_arithmetic() -> None:
    rng = np.random.default_rng(0)
    middle = np.zeros((30, 8, 9), np.float32) + np.arange(-4, 5, dtype=np.float32)
    actual = rng.normal(0, 2, (30, 8))
    actual[0, 0] = np.nan
    scale = np.full(30, 2.0)
    scale[1] = 0.0  # a flat series
    found = Residuals()
    found.add(forecasts(middle), actual, scale, {"host_cpu_busy_pct": "cpu"})
    spreads = found.spreads()
    assert [(one.family, one.quarter) for one in spreads] == [("cpu", quarter) for quarter in (1, 2, 3, 4)]
    expected = np.delete(actual, 1, axis=0)[:, :2].ravel() / 2
    expected = expected[np.isfinite(expected)]
    first = spreads[0]
    assert first.values == len(expected) == 57
    assert (first.q10, first.middle, first.q90) == pytest.approx(np.quantile(expected, [0.1, 0.5, 0.9]))
    assert (first.told_q10, first.told_q90) == (-2.0, 2.0)


def test_a_few_residuals_say_nothing() -> None:
    found = Residuals()
    found.add(forecasts(np.zeros((2, 4, 9), np.float32)), np.ones((2, 4)), np.ones(2), {"host_cpu_busy_pct": "cpu"})
    assert found.spreads() == ()
