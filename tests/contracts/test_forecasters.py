"""What every forecaster keeps to."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import TypeGuard

import numpy as np
import pytest
from panels import waves

from brownout.domain.errors import BrownoutError, DataError, ModelError, NotFittedError
from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import QUANTILES, Forecasts, Series
from brownout.domain.panel import Panel
from brownout.domain.ports import Forecaster
from brownout.forecasting.baselines.daily_deciles import DailyDeciles
from brownout.forecasting.baselines.medians import MedianLevel
from brownout.forecasting.baselines.naive import Naive, SeasonalNaive, WeeklyNaive
from brownout.forecasting.baselines.smoothing import Smoothing
from brownout.forecasting.baselines.trend import Trend
from brownout.forecasting.fleet_forecaster import FleetForecaster
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.network.lstm import LstmForecaster
from brownout.forecasting.outlook import Outlook
from brownout.forecasting.selected_forecaster import SelectedForecaster

TINY = LstmSettings(context=96, horizon=24, hidden=16, steps=40, batch=32)
MAKE: dict[str, Callable[[], Forecaster]] = {
    "naive": Naive,
    "seasonal-naive": SeasonalNaive,
    "weekly-naive": WeeklyNaive,
    "smoothing": Smoothing,
    "median": MedianLevel,
    "trend": Trend,
    "usual": DailyDeciles,
    "outlook": lambda: Outlook(HORIZON),
    "lstm": lambda: LstmForecaster(TINY),
    "selected": lambda: SelectedForecaster(TINY),
    "fleet": lambda: FleetForecaster(SelectedForecaster(TINY), [waves()]),
}
HORIZON = 24


@cache
def fitted(name: str) -> Forecaster:
    return MAKE[name]().fit([waves()])


@pytest.fixture(params=sorted(MAKE))
def forecaster(request: pytest.FixtureRequest) -> Forecaster:
    return fitted(request.param)


def at(forecaster: Forecaster, panel: Panel, origins: list[int]) -> Forecasts:
    return forecaster.predict(ForecastRequest(panel, origins, HORIZON))


def _forecasts(kind: type) -> TypeGuard[type[Forecaster]]:
    return isinstance(getattr(kind, "name", None), str) and hasattr(kind, "fit") and hasattr(kind, "predict")


def test_every_implementation_is_under_contract() -> None:
    import brownout.forecasting as package

    found = set()
    for module in walk_packages(package.__path__, f"{package.__name__}."):
        members = vars(import_module(module.name)).values()
        found |= {kind.name for kind in members if isinstance(kind, type) and _forecasts(kind)}
    assert found == set(MAKE)


def test_rows_are_every_series_measured_by_each_origin(forecaster: Forecaster) -> None:
    panel = waves()
    panel.values[1, :300, 0] = np.nan
    found = at(forecaster, panel, [250, 400])
    assert found.values.shape == (7 + 8, HORIZON, len(QUANTILES))
    assert Series("vm1", "cpu_pct") not in found.series[:7]
    assert found.origins[0] == panel.start + 250 * panel.step
    assert found.times(0)[0] == panel.start + 251 * panel.step


def test_quantiles_never_cross_and_keep_to_the_valid_range(forecaster: Forecaster) -> None:
    values = at(forecaster, waves(seed=3), [300, 500]).values
    assert np.isfinite(values).all()
    assert (np.diff(values, axis=2) >= -1e-4).all()
    assert values.min() >= 0
    assert values.max() <= 100


def test_what_comes_after_the_origin_changes_nothing(forecaster: Forecaster) -> None:
    panel, changed = waves(), waves()
    changed.values[:, 401:] = 99
    np.testing.assert_array_equal(at(forecaster, panel, [400]).values, at(forecaster, changed, [400]).values)


def test_one_series_does_not_change_another(forecaster: Forecaster) -> None:
    panel, changed = waves(), waves()
    changed.values[2] = 1
    before, after = at(forecaster, panel, [400]), at(forecaster, changed, [400])
    kept = [i for i, series in enumerate(before.series) if series.entity != "vm2"]
    np.testing.assert_allclose(before.values[kept], after.values[kept], atol=1e-4)


def test_a_window_of_gaps_is_forecast_without_nan(forecaster: Forecaster) -> None:
    panel = waves()
    panel.values[1, 200:401] = np.nan
    assert np.isfinite(at(forecaster, panel, [400]).values).all()


def test_a_shorter_horizon_is_the_beginning_of_a_longer_one(forecaster: Forecaster) -> None:
    panel = waves()
    long, short = (forecaster.predict(ForecastRequest(panel, [400], steps)) for steps in (HORIZON, 6))
    np.testing.assert_allclose(long.values[:, :6], short.values, atol=1e-4)


def test_an_origin_outside_of_the_panel_is_an_error(forecaster: Forecaster) -> None:
    with pytest.raises(DataError, match="Origins"):
        at(forecaster, waves(), [10_000])


@pytest.mark.parametrize("name", ["lstm", "outlook", "selected"])
def test_before_fit_there_is_no_prediction(name: str, tmp_path: Path) -> None:
    forecaster = MAKE[name]()
    with pytest.raises(NotFittedError, match="fit"):
        at(forecaster, waves(), [400])
    with pytest.raises(NotFittedError, match="fit"):
        forecaster.save(tmp_path)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "kind"), [("lstm", LstmForecaster), ("outlook", Outlook), ("selected", SelectedForecaster)]
)
def test_a_stored_forecaster_predicts_the_same(name: str, kind: type[LstmForecaster], tmp_path: Path) -> None:
    forecaster = fitted(name)
    forecaster.save(tmp_path)  # type: ignore[attr-defined]
    panel = waves(seed=5)
    np.testing.assert_array_equal(at(kind.load(tmp_path), panel, [400]).values, at(forecaster, panel, [400]).values)
    assert not [path for path in tmp_path.rglob("*") if path.suffix in {".pkl", ".pt", ".pickle"}]


def test_equal_seeds_train_equal_networks() -> None:
    again = LstmForecaster(TINY).fit([waves()])
    np.testing.assert_array_equal(at(again, waves(), [400]).values, at(fitted("lstm"), waves(), [400]).values)
    other = LstmForecaster(replace(TINY, seed=1)).fit([waves()])
    assert (at(other, waves(), [400]).values != at(again, waves(), [400]).values).any()


@pytest.mark.parametrize("damage", ["weights", "card", "kind", "missing"])
def test_a_damaged_model_is_refused(damage: str, tmp_path: Path) -> None:
    fitted("lstm").save(tmp_path)  # type: ignore[attr-defined]
    weights, card = tmp_path / "weights.safetensors", tmp_path / "forecaster.json"
    if damage == "weights":
        weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    elif damage == "card":
        card.write_text(card.read_text()[:20])
    elif damage == "kind":
        card.write_text(json.dumps(json.loads(card.read_text()) | {"kind": "other"}))
    else:
        weights.unlink()
    with pytest.raises(ModelError) as caught:
        LstmForecaster.load(tmp_path)
    assert isinstance(caught.value, BrownoutError)
    assert caught.value.remedy


def test_a_horizon_that_was_not_learned_is_refused() -> None:
    with pytest.raises(ModelError, match="horizon of 25"):
        fitted("lstm").predict(ForecastRequest(waves(), [400], 25))


def test_seasonal_naive_is_yesterday_plus_the_median_of_past_misses_in_a_plain_loop() -> None:
    panel = waves()
    found = SeasonalNaive().predict(ForecastRequest(panel, [400], 60))
    for row, series in enumerate(found.series):
        entity, metric = panel.entity_ids.index(series.entity), panel.metric_names.index(series.metric)
        past = [float(value) for value in panel.values[entity, :401, metric]]
        misses = [past[i] - past[i - 48] for i in range(48, 401)]
        middle = np.nanmedian(misses)
        for step in range(1, 61):
            season = 48 * -(-step // 48)
            yesterday = panel.values[entity, 400 + step - season, metric]
            assert found.values[row, step - 1, 4] == pytest.approx(yesterday + middle, abs=1e-3)


def test_the_lstm_beats_seasonal_naive_on_noisy_waves() -> None:
    # Yesterday's noise doubles the error of the naive forecast: whoever learns the wave is better.
    settings = replace(TINY, steps=200)
    panel = waves(entities=8, days=20)
    skill = SelectedForecaster(settings).fit([panel]).skills_[0]
    assert skill.metric == ""
    assert skill.crps < 0.9


def test_where_the_lstm_loses_it_is_not_used_and_the_note_says_so() -> None:
    panel = waves(entities=3, days=14)
    slots = panel.values.shape[1]
    exact = 50 + 20 * np.sin(2 * np.pi * np.arange(slots) / 48)
    panel.values[:] = exact[None, :, None]  # yesterday repeats to the digit
    forecaster = SelectedForecaster(replace(TINY, steps=3)).fit([panel])
    assert set(forecaster.makers_.values()) == {"seasonal-naive"}
    assert "not used" in forecaster.skills_[1].note
    found = at(forecaster, panel, [400])
    assert set(found.makers) == {"seasonal-naive"}


def test_a_month_ahead_is_forecast_in_steps_of_six_hours() -> None:
    """The resolution of a horizon of 30 days: 120 steps of a quarter of a day, weeks included."""
    panel = waves(entities=4, days=140, interval_s=21_600)
    settings = LstmSettings(context=112, horizon=120, hidden=16, steps=80, batch=32)
    forecaster = SelectedForecaster(settings).fit([panel])
    made = forecaster.predict(ForecastRequest(waves(entities=4, days=140, interval_s=21_600, seed=4), [400], 120))
    assert made.times(0)[-1] - made.origins[0] == np.timedelta64(30, "D")
    assert np.isfinite(made.values).all()
    assert forecaster.skills_[0].crps < 1


def test_a_guest_of_half_a_day_is_forecast_from_what_others_taught() -> None:
    panel = waves(seed=6)
    panel.values[2, :377] = np.nan
    made = at(fitted("lstm"), panel, [400])
    rows = [row for row, series in enumerate(made.series) if series.entity == "vm2"]
    actual = panel.values[2, 401:425].T
    assert len(rows) == 2
    assert np.abs(made.values[rows][..., 4] - actual).mean() < 15


def test_a_selected_forecaster_starts_from_the_stored_one_of_the_night_before(tmp_path: Path) -> None:
    yesterday = fitted("selected")
    yesterday.save(tmp_path)  # type: ignore[attr-defined]
    champion = SelectedForecaster.load(tmp_path)
    fresh, warm = (
        SelectedForecaster(replace(TINY, steps=1)).fit([waves(seed=1)], champion=given) for given in (None, champion)
    )
    assert fresh.lstm_ is not None
    assert warm.lstm_ is not None
    errors = []
    for forecaster in (fresh, warm):
        made = forecaster.lstm_.predict(ForecastRequest(waves(seed=1), [400], HORIZON))  # type: ignore[union-attr]
        actual = waves(seed=1).values[:, 401 : 401 + HORIZON].transpose(0, 2, 1).reshape(-1, HORIZON)
        errors.append(float(np.abs(made.values[..., 4] - actual).mean()))
    assert errors[1] < 0.8 * errors[0]
