"""The one place that takes something from brownout: limits, opening a dataset folder, scoring of nights."""

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fleets.outcome.crossings import Limit

__all__ = ["limits", "nights", "open_dataset"]


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


def nights() -> SimpleNamespace:
    """The scoring of nightly reports, with the types that its truth is made of."""
    names = vars(importlib.import_module("brownout.evaluation.nights"))
    return SimpleNamespace(**names, Incident=importlib.import_module("brownout.domain.truth").Incident)
