"""Quantile forecasts of every metric of every entity, their widths, and the chances to cross a limit.

Rooms, each of which imports only from those after it:

- ``fleet_forecaster``, ``selected_forecaster``, ``outlook``: the forecasters of a night; ``FleetForecaster`` supplies
  ``SelectedForecaster`` with covariates and siblings, ``Outlook`` predicts weeks ahead.
- ``covariates``: console latency by the forecast loads of guest and host, and which of them drive a breach.
- ``cold_start``: what has less than a day of past, by the forecasts of similar entities.
- ``present``: what a series does now: trends that have run for hours or days, the last value, incidents that are over.
- ``exceedance``: how likely a limit is crossed, and how good such chances were.
- ``selection``: held-out windows, the choice of a forecaster by metric and quarter of the horizon, calibration.
- ``network``: the LSTM, its windows, training and prediction.
- ``baselines``: classical forecasters, which need no training.
- ``parts``, ``lstm_settings``, ``series_rows``, ``model_files``: what can be switched off, the size of the network, the
  rows of a forecast, models on disk.
"""

from brownout.forecasting.fleet_forecaster import FleetForecaster
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.network import LstmForecaster
from brownout.forecasting.outlook import Outlook
from brownout.forecasting.parts import ALL_PARTS, ForecastParts, Part
from brownout.forecasting.selected_forecaster import SelectedForecaster

__all__ = [
    "ALL_PARTS",
    "FleetForecaster",
    "ForecastParts",
    "LstmForecaster",
    "LstmSettings",
    "Outlook",
    "Part",
    "SelectedForecaster",
]
