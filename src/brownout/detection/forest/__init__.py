"""Isolation forests, their alarm boundary, and alarms raised once."""
