"""What a detector learns from: features of a panel, without its first days and without known incidents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from brownout.detection.features.feature_table import Features, entity_features
from brownout.domain.panel import DAY_S, Panel

__all__ = ["Spans", "TrainingSet", "training_set_of"]

Spans = Mapping[str, Sequence[tuple[np.datetime64, np.datetime64]]]
"""Begin and end of what happened to entities, by their names."""

WARM_DAYS = 2.0
"""First days of a training panel that are not learned from: the history before them is too short for a baseline."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingSet:
    """Features that a detector learns from, NaN in the slots of known incidents.

    ``monitored`` is the number of slots of history before the first one.
    """

    features: Features
    interval_s: int
    monitored: int


def training_set_of(panel: Panel, incidents: Spans | None = None) -> TrainingSet:
    """Features of a panel without its first days, whose past is too short to expect anything, and without incidents."""
    warm = min(int(WARM_DAYS * DAY_S / panel.interval_s), panel.values.shape[1] // 3)
    features = entity_features(panel, warm, with_deviations=False)
    for row, name in enumerate(panel.entity_ids):
        for start, end in (incidents or {}).get(name, ()):
            features.rows[row, max(panel.slot(start) - warm, 0) : max(panel.slot(end) - warm, 0)] = np.nan
    return TrainingSet(features=features, interval_s=panel.interval_s, monitored=warm)
