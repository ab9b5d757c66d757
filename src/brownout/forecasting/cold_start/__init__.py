"""Forecasts of entities that have only hours of past."""
