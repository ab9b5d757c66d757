"""Train: learn the models of a night from the history and log them for review."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from brownout.detection.forest import IsolationForestDetector
from brownout.domain.forecasts import Skill
from brownout.domain.metrics import Metric
from brownout.domain.night import ModelRecord
from brownout.domain.panel import Panel
from brownout.domain.ports import Progress, SampleStore, Tracker, no_progress
from brownout.settings import Settings
from brownout.telemetry.grid import shards
from brownout.usecases.lock import lock_hash

__all__ = ["Trained", "end_of", "forecast_panels", "with_limits"]


def end_of(store: SampleStore) -> np.datetime64:
    """Time just after the last sample of a store."""
    return max(span.last for span in store.spans().values()) + np.timedelta64(1, "ms")


def days(number: float) -> np.timedelta64:
    """A span of days in milliseconds."""
    return np.timedelta64(round(number * 86_400_000), "ms")
