"""Freshness of a night: how old telemetry is, what has fallen silent, and what is past and so no forecast."""

from brownout.nightly.freshness.fresh_forecasts import only_future, silent_entities
from brownout.nightly.freshness.silence_report import freshness_of
from brownout.nightly.freshness.silent_incidents import SilentIncidents, silent_incidents
from brownout.nightly.freshness.silent_series import FellSilent, fell_silent

__all__ = [
    "FellSilent",
    "SilentIncidents",
    "fell_silent",
    "freshness_of",
    "only_future",
    "silent_entities",
    "silent_incidents",
]
