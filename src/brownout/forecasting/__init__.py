"""Quantile forecasts: the LSTM, its training and calibration, and the naive ones it must beat."""
