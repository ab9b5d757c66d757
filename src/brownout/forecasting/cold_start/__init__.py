"""Forecasts of entities that have only hours of past, by those of similar entities, their siblings."""

from brownout.forecasting.cold_start.newcomer_forecasts import (
    ColdStart,
    forecast_by_peers,
    forecast_newcomers,
    learn_cold_start,
)
from brownout.forecasting.cold_start.sibling_paths import SiblingForecasts

__all__ = ["ColdStart", "SiblingForecasts", "forecast_by_peers", "forecast_newcomers", "learn_cold_start"]
