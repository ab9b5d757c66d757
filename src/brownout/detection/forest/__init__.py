"""Isolation forests, the alarm boundaries of their scores, and the deduplication of alarms."""
