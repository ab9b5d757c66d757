"""Anomaly scores from isolation forests, merged into episodes."""
