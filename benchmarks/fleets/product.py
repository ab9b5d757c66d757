"""The one place that takes something from brownout: limits of metrics, and opening a dataset folder to check it."""

import importlib
from pathlib import Path
from typing import Any

from fleets.crossings import Limit

__all__ = ["limits", "open_dataset"]


def limits() -> list[Limit]:
    """The metrics whose catalogue entry has a limit and a direction of worse."""
    catalogue = importlib.import_module("brownout.domain.metrics").Catalogue.load()
    return [
        Limit(metric=name, value=float(metric.limit), up=str(metric.worse) == "up")
        for name, metric in catalogue.metrics.items()
        if metric.limit is not None and str(metric.worse) in ("up", "down")
    ]


def open_dataset(folder: Path) -> Any:
    """A dataset folder as the product opens it."""
    return importlib.import_module("brownout.store.dataset").Dataset.open(folder)
