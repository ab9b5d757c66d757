"""Held-out windows, and what they decide: which forecaster predicts what, and how wide its intervals are."""

from brownout.forecasting.selection.calibration import Calibration, calibrate, outer_of
from brownout.forecasting.selection.held_out import Candidates, HeldOut, forecast_held_out
from brownout.forecasting.selection.model_choice import Choice, choose
from brownout.forecasting.selection.rolling_calibration import RollingCalibration

__all__ = [
    "Calibration",
    "Candidates",
    "Choice",
    "HeldOut",
    "RollingCalibration",
    "calibrate",
    "choose",
    "forecast_held_out",
    "outer_of",
]
