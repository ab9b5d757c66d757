"""Loads of guest and host as inputs of console latency."""
