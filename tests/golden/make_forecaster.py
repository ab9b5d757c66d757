"""Makes the golden forecaster anew, by hand and only for a new format: ``python tests/golden/make_forecaster.py``.

Old goldens stay: a version that cannot read one says so in its release notes.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from panels import waves

from brownout.domain.forecast_request import ForecastRequest
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.network.lstm import LstmForecaster
from brownout.forecasting.outlook import Outlook
from brownout.forecasting.selected_forecaster import SelectedForecaster

FOLDER = Path(__file__).parent / "forecaster-3"

if __name__ == "__main__":
    settings = LstmSettings(context=48, horizon=12, patch=6, hidden=8, steps=60, batch=32)
    forecaster = SelectedForecaster(settings).fit([waves()])
    forecaster.save(FOLDER)
    outlook = Outlook(48).fit([waves()])
    outlook.save(FOLDER / "outlook")
    table = {
        model.name: model.predict(ForecastRequest(waves(seed=7), [400], 12)).values.round(3).tolist()
        for model in (forecaster, LstmForecaster.load(FOLDER / "lstm"), outlook)
    }
    (FOLDER / "expected.json").write_text(json.dumps(table) + "\n")
