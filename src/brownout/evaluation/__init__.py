"""Metrics, backtests and benchmark protocols."""
