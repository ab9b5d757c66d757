"""Forecasts begin where the series is, and makers are joined without a jump."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from panels import METRICS

from brownout.domain.entities import Entity
from brownout.domain.forecasts import QUANTILES
from brownout.domain.panel import Float, Panel
from brownout.forecasting.present import joined_weights, with_first_step
from brownout.forecasting.series_rows import Rows, rows_of

DAY = 48


def rows_with(values: Float) -> Rows:
    entities = tuple(Entity(id=f"vm{row}", kind="vm") for row in range(len(values)))
    panel = Panel(values.astype(np.float32)[..., None], np.datetime64("2026-03-02", "ms"), 1800, entities, METRICS[:1])
    return rows_of(panel, (values.shape[1] - 1,))


def bands(rows: Rows, level: float) -> tuple[Float, Float]:
    path = level + np.linspace(-2, 2, len(QUANTILES), dtype=np.float32)
    values = np.tile(path, (len(rows), 48, 1)).astype(np.float32)
    return values, np.stack([values[..., 0] - 1, values[..., -1] + 1], axis=-1)


@given(seed=st.integers(0, 500), level=st.floats(-100, 100))
def test_the_first_band_holds_the_last_value(seed: int, level: float) -> None:
    past = np.cumsum(np.random.default_rng(seed).normal(0, 1, (3, 10 * DAY)), axis=1) % 40
    rows = rows_with(past)
    values, outer = with_first_step(*bands(rows, level), rows)
    known = np.median(past[:, -DAY * np.arange(1, 8)] - past[:, -DAY * np.arange(1, 8) - 1], axis=1)
    last = past[:, -1]
    low, high = np.fmin(last, last + known), np.fmax(last, last + known)
    assert (values[:, 0, 0] <= high + 1e-3).all()
    assert (values[:, 0, -1] >= low - 1e-3).all()
    assert (np.diff(values, axis=2) >= -1e-4).all()
    assert (outer[..., 0] <= values[..., 0] + 1e-4).all()
    assert (outer[..., 1] >= values[..., -1] - 1e-4).all()


def test_a_known_step_at_that_time_is_kept() -> None:
    past = np.zeros((1, 10 * DAY))
    past[:, np.arange(10 * DAY) % DAY < 5] = 50
    rows = rows_with(past)
    values, outer = bands(rows, 50)
    kept, _ = with_first_step(values, outer, rows)
    np.testing.assert_array_equal(kept, values)


def test_makers_change_over_several_steps_and_their_weights_add_up() -> None:
    first = np.arange(48)[None] < 12
    one, other = joined_weights(first), joined_weights(~first)
    np.testing.assert_allclose(one + other, 1, atol=1e-6)
    assert np.abs(np.diff(one)).max() <= 1 / 7 + 1e-6
    assert (one[0, 0], one[0, -1]) == (1, 0)
