"""Lone bursts: stretches far beyond what a series does at that time of day, which are over and do not return.

They are the one-offs that nobody called an incident: those before the days that a night searches, those of entities
beside the one that was blamed. What returns at the same hour, on the same weekday or on many days is a habit, and what
is still going on is the present: both stay.
"""

from dataclasses import replace

import numpy as np

from brownout.domain.panel import Marks, Panel
from brownout.forecasting.present.usual_day import FAR, JITTER_H, LEAST_DAYS, NEAR, Away, side_of, stretches

__all__ = ["without_lone_bursts"]

PART = 0.25
"""Largest share of the past that a burst lasts; a longer one is how the series was for a time."""
OVER_H = 1.0
"""Hours at the end of the past without it, after which a burst is over."""


def without_lone_bursts(panel: Panel) -> Panel:
    """The panel without lone bursts; only what lies on the worse side of the usual is one.

    For grids on which bursts take few slots, such as half hours: of each series with one, all stretches are looked at.
    """
    season, step_h = panel.slots_per_day, panel.interval_s / 3600
    if panel.values.shape[1] < LEAST_DAYS * season:
        return panel
    over, jitter = max(round(OVER_H / step_h), 1), max(round(JITTER_H / step_h), 1)
    values = panel.values
    for column, metric in enumerate(panel.metrics):
        side = side_of(metric)
        if not side:
            continue
        away = Away.of(side * panel.values[..., column], season)
        for row in np.flatnonzero((np.nan_to_num(away.deviations) > FAR).any(axis=1)).tolist():
            lone = _lone(away, row, over, jitter)
            if lone.any():
                values = values.copy() if values is panel.values else values
                values[row, lone, column] = np.nan
    return panel if values is panel.values else replace(panel, values=values)


def _lone(series: Away, row: int, over: int, jitter: int) -> Marks:
    """Slots of a row that lone bursts take up."""
    away = np.nan_to_num(series.deviations[row])
    seen = int(np.isfinite(series.deviations[row]).sum())
    marked = np.zeros(len(away), bool)
    for first, last in stretches(away > NEAR):
        size = float(away[first:last].max())
        ended = np.isfinite(series.deviations[row, last:]).sum() >= over
        if size > FAR and last - first <= PART * seen and ended and not series.returns(away, first, last, jitter):
            marked[first:last] = True
    return marked
