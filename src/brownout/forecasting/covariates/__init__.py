"""Covariates of consoles: how their latency follows the loads of guest and host, and which loads drive a breach.

``console_covariates`` gathers loads, ``response`` learns curves of latency over them, ``load_paths`` and ``load_model``
make forecasts of the curves, ``load_choice`` weighs these against the LSTM's, ``load_attribution`` names drivers.
"""

from brownout.forecasting.covariates.console_covariates import ConsoleCovariates, covariate_entities, covariates_ahead
from brownout.forecasting.covariates.load_attribution import drivers_of
from brownout.forecasting.covariates.load_choice import with_loads
from brownout.forecasting.covariates.load_model import LoadModel

__all__ = [
    "ConsoleCovariates",
    "LoadModel",
    "covariate_entities",
    "covariates_ahead",
    "drivers_of",
    "with_loads",
]
