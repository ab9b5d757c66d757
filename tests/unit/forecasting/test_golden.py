"""Models of former versions are still read, and say what they said."""

import json
from pathlib import Path

import numpy as np
import pytest
from panels import waves

from brownout.domain.forecast_request import ForecastRequest
from brownout.forecasting.network.lstm import LstmForecaster
from brownout.forecasting.outlook import Outlook
from brownout.forecasting.selected_forecaster import SelectedForecaster

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.mark.parametrize("folder", ["forecaster-3"])
def test_a_stored_forecaster_predicts_what_it_did_when_it_was_stored(folder: str) -> None:
    expected = json.loads((GOLDEN / folder / "expected.json").read_text())
    selected = SelectedForecaster.load(GOLDEN / folder)
    assert selected.skills_
    outlook = Outlook.load(GOLDEN / folder / "outlook")
    for model in (selected, LstmForecaster.load(GOLDEN / folder / "lstm"), outlook):
        made = model.predict(ForecastRequest(waves(seed=7), [400], 12))
        np.testing.assert_allclose(made.values, np.array(expected[model.name]), rtol=1e-3, atol=2e-3)
