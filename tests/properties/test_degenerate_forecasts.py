"""Every forecaster on panels with hardly anything in them: a clear result or a clear error, never a traceback."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from panels import waves
from strict_warnings import warnings_are_errors

from brownout.domain.errors import DataError
from brownout.domain.forecast_request import ForecastRequest
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

HORIZON = 12
TINY = LstmSettings(context=24, horizon=HORIZON, patch=6, hidden=4, steps=2, batch=8)
TRAINED = waves(entities=3, days=5)
MAKE: dict[str, Callable[[], Forecaster]] = {
    "daily-deciles": DailyDeciles,
    "fleet": lambda: FleetForecaster(SelectedForecaster(TINY), [TRAINED]),
    "lstm": lambda: LstmForecaster(TINY),
    "median": MedianLevel,
    "naive": Naive,
    "outlook": lambda: Outlook(HORIZON),
    "seasonal-naive": SeasonalNaive,
    "selected": lambda: SelectedForecaster(TINY),
    "smoothing": Smoothing,
    "trend": Trend,
    "weekly-naive": WeeklyNaive,
}


def kept(panel: Panel, slots: slice) -> Panel:
    """Only some slots are measured."""
    values = np.full_like(panel.values, np.nan)
    values[:, slots] = panel.values[:, slots]
    return replace(panel, values=values)


def sparse() -> Panel:
    panel = waves(entities=3, days=5)
    panel.values[np.random.default_rng(0).random(panel.values.shape) < 0.97] = np.nan
    return panel


def huge_gap() -> Panel:
    panel = waves(entities=3, days=60)
    panel.values[:, 24:-24] = np.nan
    return panel


PANELS: dict[str, Callable[[], Panel]] = {
    "no entity": lambda: waves(entities=3, days=5).select(entities=[]),
    "no metric": lambda: waves(entities=3, days=5).select(metrics=[]),
    "one slot": lambda: kept(TRAINED.between(TRAINED.start, TRAINED.start + TRAINED.step), slice(None)),
    "two slots": lambda: kept(TRAINED.between(TRAINED.start, TRAINED.start + 2 * TRAINED.step), slice(None)),
    "nothing measured": lambda: kept(TRAINED, slice(0)),
    "first sample only": lambda: kept(TRAINED, slice(1)),
    "last sample only": lambda: kept(TRAINED, slice(-1, None)),
    "sparse": sparse,
    "one entity": lambda: TRAINED.select(entities=[1]),
    "constant": lambda: replace(TRAINED, values=np.full_like(TRAINED.values, 7)),
    "huge gap": huge_gap,
    "huge values": lambda: replace(
        TRAINED,
        values=TRAINED.values * np.float32(1e30),
        metrics=tuple(replace(metric, upper=float("inf")) for metric in TRAINED.metrics),
    ),
    "consoles": lambda: waves(entities=2, days=5, kind="console"),
}


def asked(panel: Panel) -> ForecastRequest:
    return ForecastRequest(panel, (panel.values.shape[1] - 1,), HORIZON)


def check(forecaster: Forecaster, panel: Panel) -> None:
    """Forecasts are finite, ordered, and of series that were measured."""
    forecasts = forecaster.predict(asked(panel))
    assert np.isfinite(forecasts.values).all()
    assert (np.diff(forecasts.values, axis=2) >= -1e-4 * np.abs(forecasts.values[..., :-1])).all()
    measured = np.isfinite(panel.values).any(axis=1)
    assert len(forecasts.series) <= measured.sum()


@pytest.mark.parametrize("name", sorted(MAKE))
@pytest.mark.parametrize("panel", sorted(PANELS))
def test_a_trained_forecaster_meets_a_degenerate_panel(name: str, panel: str) -> None:
    with warnings_are_errors():
        check(trained(name), PANELS[panel]())


@pytest.mark.parametrize("name", sorted(MAKE))
@pytest.mark.parametrize("panel", ["no panel", *sorted(PANELS)])
def test_what_was_fitted_to_a_degenerate_panel_forecasts_or_says_why_not(name: str, panel: str) -> None:
    panels = [PANELS[panel]()] if panel in PANELS else []
    with warnings_are_errors():
        forecaster = MAKE[name]()
        if name == "lstm" and not any(np.isfinite(given.values).any() for given in panels):
            with pytest.raises(DataError, match="no measured series"):
                forecaster.fit(panels)
            return
        forecaster.fit(panels)
        for given in (*panels, TRAINED):
            check(forecaster, given)


@pytest.mark.parametrize("panel", ["no panel", "nothing measured", "no entity"])
def test_a_forecaster_that_learned_nothing_predicts_nothing_and_says_so(panel: str, tmp_path: Path) -> None:
    forecaster = SelectedForecaster(TINY).fit([PANELS[panel]()] if panel in PANELS else [])
    forecaster.save(tmp_path)
    for model in (forecaster, SelectedForecaster.load(tmp_path)):
        assert model.predict(asked(TRAINED)).series == ()
        assert model.skills_[0].windows == 0
        assert "nothing" in model.skills_[0].note


def trained(name: str) -> Forecaster:
    if name not in _TRAINED:
        _TRAINED[name] = MAKE[name]().fit([TRAINED])
    return _TRAINED[name]


_TRAINED: dict[str, Forecaster] = {}
