"""Crossings of limits as the samples have them: what warnings are judged by where nobody states the truth."""

from collections.abc import Sequence

import numpy as np

from brownout.domain.metrics import Metric, Worse
from brownout.domain.panel import Marks, Panel
from brownout.evaluation.nights.warning_scores import Crossing
from brownout.numerics.rolling import rolling_mean

__all__ = ["MEAN_S", "measured_crossings"]

MEAN_S = 300
"""Means over so long are compared with a limit: what a single sample does is no breach."""
QUIET_S = 7200
"""Time within the limit after which crossing it is a new breach: flapping is one."""
BRIEF_S = 600
"""What is beyond its limit for less is too short to be warned of."""


def measured_crossings(panel: Panel, metrics: Sequence[Metric]) -> tuple[Crossing, ...]:
    """Crossings of all series of a panel whose metric has a limit, by entity, metric and time.

    ``metrics`` are those of the panel, in its order, with the limits that count. A gap ends no crossing by itself.
    """
    crossings = []
    for column, metric in enumerate(metrics):
        if not metric.is_limited or metric.limit is None:
            continue
        values = panel.values[..., column]
        means = rolling_mean(values, max(MEAN_S // panel.interval_s, 1))
        beyond = (means > metric.limit) if metric.worse is Worse.UP else (means < metric.limit)
        crossings += _of_metric(panel, metric.name, beyond & np.isfinite(values))
    return tuple(crossings)


def _of_metric(panel: Panel, metric: str, beyond: Marks) -> list[Crossing]:
    quiet_slots, crossings = max(QUIET_S // panel.interval_s, 1), []
    for row in np.flatnonzero(beyond.any(axis=1)).tolist():
        slots = np.flatnonzero(beyond[row])
        begins = np.flatnonzero(np.diff(slots, prepend=-quiet_slots - 1) > quiet_slots)
        crossings += [
            Crossing(
                entity=panel.entity_ids[row],
                metric=metric,
                time=panel.start + int(own[0]) * panel.step,
                until=panel.start + (int(own[-1]) + 1) * panel.step,
                brief=len(own) * panel.interval_s < BRIEF_S,
            )
            for own in np.split(slots, begins[1:])
        ]
    return crossings
