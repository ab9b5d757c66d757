"""Walking through time: who learns from whom, in which order, and what stays as it was."""

from dataclasses import replace

import numpy as np
from panels import waves

from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import Forecasts
from brownout.domain.panel import Float, Panel
from brownout.evaluate.rolling_backtest import AT_ONCE, rolling_backtest
from brownout.forecasting.baselines.naive import SeasonalNaive
from brownout.forecasting.selection.calibration import outer_of
from brownout.forecasting.selection.rolling_calibration import RollingCalibration

HORIZON = 24
ORIGINS = list(range(200, 200 + 12 * HORIZON, HORIZON))


def walked(*panels: Panel, origins: list[int] = ORIGINS) -> list[tuple[Forecasts, Float]]:
    """All forecasts of each panel and what came, in the order of time."""
    parts: list[list[tuple[Forecasts, Float]]] = [[] for _ in panels]
    for place, forecasts, actual in rolling_backtest(SeasonalNaive(), panels, [origins] * len(panels), HORIZON):
        parts[place].append((forecasts, actual))
    found = []
    for made in parts:
        values = np.concatenate([forecasts.values for forecasts, _ in made])
        rows = [row for forecasts, _ in made for row in zip(forecasts.series, forecasts.origins, strict=True)]
        outer = np.concatenate([forecasts.outer for forecasts, _ in made if forecasts.outer is not None])
        series, times = tuple(series for series, _ in rows), np.array([time for _, time in rows])
        whole = Forecasts(series, times, made[0][0].interval_s, values, ("",) * len(rows), outer=outer)
        found.append((whole, np.concatenate([actual for _, actual in made])))
    return found


def test_nothing_but_the_width_is_changed_and_the_first_origin_not_at_all() -> None:
    panel = waves(entities=12)
    ((made, actual),) = walked(panel)
    plain = SeasonalNaive().predict(ForecastRequest(panel, ORIGINS, HORIZON))
    assert made.series == plain.series
    assert (made.origins == plain.origins).all()
    np.testing.assert_allclose(made.values[..., 4], plain.values[..., 4], atol=1e-4)
    first = made.origins == made.origins[0]
    np.testing.assert_array_equal(made.values[first], plain.values[first])
    assert (made.values[~first] != plain.values[~first]).mean() > 0.5
    last = panel.values[plain.series[-1].entity == np.array(panel.entity_ids)][0, ORIGINS[-1] + 1 :][:HORIZON, 1]
    np.testing.assert_array_equal(actual[-1], last)
    assert len(ORIGINS) > AT_ONCE


def test_what_is_learned_are_the_forecasts_as_they_were_made() -> None:
    panel, rolling = waves(entities=12), RollingCalibration()
    ((made, actual),) = walked(panel)
    for origin in ORIGINS:
        plain = SeasonalNaive().predict(ForecastRequest(panel, [origin], HORIZON))
        plain = replace(plain, outer=outer_of(plain))
        rows = made.origins == plain.origins[0]
        expected = rolling.factors(plain.origins[0]).calibrated(plain)
        np.testing.assert_allclose(made.values[rows], np.clip(expected.values, 0, 100), atol=1e-4)
        rolling.learn([(plain, actual[rows])])


def test_panels_of_one_interval_teach_each_other_and_those_of_another_do_not() -> None:
    panel, beside = waves(entities=12), waves(entities=12, seed=4)
    beside = replace(beside, entities=tuple(replace(e, id=f"b{e.id}") for e in beside.entities))
    slow = waves(entities=12, days=24, interval_s=3600, seed=5)
    alone, together, apart = (walked(*panels)[0][0] for panels in ((panel,), (panel, beside), (panel, slow)))
    np.testing.assert_array_equal(alone.values, apart.values)
    first = alone.origins == alone.origins[0]
    np.testing.assert_array_equal(alone.values[first], together.values[first])
    assert (alone.values != together.values).any()


def test_widened_intervals_keep_to_the_valid_range() -> None:
    panel = waves(entities=12)
    noisy = replace(panel, values=np.clip(panel.values * np.float32(0.2), 0, 4))
    noisy.values[:, 250:] = np.random.default_rng(0).choice([0, 60], noisy.values[:, 250:].shape).astype(np.float32)
    ((made, _),) = walked(noisy)
    assert made.outer is not None
    for values in (made.values, made.outer):
        assert values.min() >= 0
        assert values.max() <= 100
    assert (made.outer[..., 1] >= made.values[..., 8]).all()


def test_a_panel_without_origins_is_left_out() -> None:
    panel = waves(entities=4)
    assert list(rolling_backtest(SeasonalNaive(), [panel], [[]], HORIZON)) == []
