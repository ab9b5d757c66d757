"""A night forecasts with both: what crosses a limit for five minutes, and what does for longer."""

from typing import Any

import numpy as np
import pytest

from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import Forecasts
from brownout.evaluate.replay import context_at, end_of
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.nightly.context import NightModels
from brownout.nightly.forecast import forecast
from brownout.nightly.score_shard import plan_night
from brownout.settings import Settings
from brownout.store.dataset import Dataset


def test_a_peak_of_five_minutes_is_known_of_the_metric_and_not_of_the_guest(
    write_dataset: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = np.datetime64("2026-03-02", "ms") + np.arange(3 * 288) * np.timedelta64(300_000, "ms")
    busy = np.where(np.arange(len(times)) % 288 == 150, 99.0, 30.0)
    folder = write_dataset(
        {"vm_cpu_pct": busy.tolist()},
        times=[str(time) for time in times],
        entities=["vm1"] * len(times),
        header='name = "made"\ninterval_s = 300\n[metrics.vm_cpu_pct]\n',
    )
    asked: list[ForecastRequest] = []
    forecaster = SelectedForecaster(LstmSettings.quick(context=48, horizon=48), learned_nothing_=True)
    alone = SelectedForecaster.predict

    def predict(self: SelectedForecaster, request: ForecastRequest) -> Forecasts:
        asked.append(request)
        return alone(self, request)

    monkeypatch.setattr(SelectedForecaster, "predict", predict)
    store = Dataset.open(folder)
    context = context_at(store, Settings(), end_of(store)).with_models(NightModels(forecaster=forecaster))
    for plan in plan_night(context):
        forecast(context, plan, context.usual_panel(plan))
    (request,) = asked
    assert request.measured is not None
    assert request.worst is not None
    assert np.nanmax(request.measured.values) == 30
    assert np.nanmax(request.worst.values) == 99
