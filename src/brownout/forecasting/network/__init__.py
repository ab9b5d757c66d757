"""The LSTM: one network over all entities and metrics that predicts quantiles from windows of their past.

``series_block`` holds the series, ``windows`` makes inputs of them with ``scaling`` and ``profiles``,
``architecture`` is the network, ``training`` fits it, and ``lstm`` makes a forecaster of it.
"""

from brownout.forecasting.network.lstm import LstmForecaster

__all__ = ["LstmForecaster"]
