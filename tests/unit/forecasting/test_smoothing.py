"""Exponential smoothing on the mean day against a plain loop."""

import numpy as np
import pytest
from panels import METRICS

from brownout.domain.entities import Entity
from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.panel import Panel
from brownout.forecasting.baselines.smoothing import WEIGHTS, Smoothing, _levels


def panel(values: list[float]) -> Panel:
    block = np.array(values, np.float32)[None, :, None]
    return Panel(block, np.datetime64("2026-03-02", "ms"), 3600, (Entity(id="a"),), METRICS[:1])


def test_levels_are_those_of_the_recurrence_with_the_best_weight() -> None:
    rng = np.random.default_rng(0)
    values = np.stack([50 + rng.normal(size=80), 50 + rng.normal(size=80).cumsum()]).astype(np.float32)
    found = _levels(values)
    for row, series in enumerate(values.tolist()):
        paths = []
        for weight in WEIGHTS:
            level, path, miss = series[0], [series[0]], 0.0
            for value in series[1:]:
                miss += abs(value - level)
                level = weight * value + (1 - weight) * level
                path.append(level)
            paths.append((miss, path))
        np.testing.assert_allclose(found[row], min(paths)[1], rtol=1e-5)
    assert found[0, -1] == pytest.approx(50, abs=0.6)
    assert found[1, -1] == pytest.approx(values[1, -1], abs=1.5)


def test_a_day_that_repeats_exactly_is_forecast_exactly() -> None:
    day = [30 + hour % 24 for hour in range(24)]
    made = Smoothing().predict(ForecastRequest(panel(day * 7), [24 * 6 + 5], 30))
    expected = [day[(6 + step) % 24] for step in range(30)]
    np.testing.assert_allclose(made.values[0], np.repeat(expected, 9).reshape(30, 9), atol=1e-3)


def test_errors_of_a_random_walk_grow_with_the_distance() -> None:
    walk = 50 + np.random.default_rng(1).normal(0, 0.2, 2000).cumsum()
    values = Smoothing().predict(ForecastRequest(panel(walk.tolist()), [1999], 64)).values[0]
    width = values[:, 8] - values[:, 0]
    assert width[15] / width[0] == pytest.approx(4, rel=0.5)
