"""Which series of a panel were measured regularly and have fallen silent, each judged by its own rhythm."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from brownout.domain.panel import Index, Panel

__all__ = ["LATE_SLOTS", "FellSilent", "fell_silent", "longest_usual_silence"]

LATE_SLOTS = 5
"""Own intervals without a sample after which a series has fallen silent."""
LEAST_S = 900.0
"""Silence that is always usual, however often something is measured: collectors are restarted, and write in batches."""
REGULAR = 0.5
"""Share of a series' own intervals that must have a sample for it to be measured regularly."""
LEAST_SAMPLES = 12
"""Samples that say how often something is measured."""
USUAL = 2
"""Earlier silences as long as the present one that make it usual: a guest that is on by day only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FellSilent:
    """What fell silent in one shard.

    Attributes
    ----------
    last
        Time just after the last slot with any sample of each entity.
    regular
        Entities that are, or were, measured regularly.
    rhythm_s
        Seconds between two samples of the metric that each of them has most often.
    series
        By entity, metrics that fell silent, each with the time just after its last slot.
    """

    last: Mapping[str, np.datetime64] = field(default_factory=dict)
    regular: frozenset[str] = frozenset()
    rhythm_s: Mapping[str, float] = field(default_factory=dict)
    series: Mapping[str, Mapping[str, np.datetime64]] = field(default_factory=dict)


def longest_usual_silence(interval_s: float) -> float:
    """Seconds without a sample that are usual for something that is measured that often."""
    return max(LATE_SLOTS * interval_s, LEAST_S)


def fell_silent(panel: Panel, at: np.datetime64) -> FellSilent:
    """Series whose last sample lies further before ``at`` than their own rhythm lets expect."""
    now = int(np.ceil((at - panel.start) / panel.step))
    last: dict[str, np.datetime64] = {}
    rhythm_s: dict[str, float] = {}
    series: dict[str, dict[str, np.datetime64]] = {}
    for name, values in zip(panel.entity_ids, panel.values, strict=True):
        known = np.isfinite(values)
        own: dict[str, np.datetime64] = {}
        for metric, column in zip(panel.metric_names, np.ascontiguousarray(known.T), strict=True):
            slots = np.flatnonzero(column)
            if len(slots) < LEAST_SAMPLES:
                continue
            gaps = np.diff(slots)
            usual = _median_of_counts(gaps)
            if len(slots) * usual < REGULAR * (int(slots[-1] - slots[0]) + 1):
                continue
            rhythm_s[name] = min(usual * panel.interval_s, rhythm_s.get(name, np.inf))
            if _is_unusual(gaps, usual, now - 1 - int(slots[-1]), panel.interval_s):
                own[metric] = panel.start + (int(slots[-1]) + 1) * panel.step
        measured = np.flatnonzero(known.any(axis=1))
        if len(measured):
            last[name] = panel.start + (int(measured[-1]) + 1) * panel.step
        if own:
            series[name] = own
    return FellSilent(last=last, regular=frozenset(rhythm_s), rhythm_s=rhythm_s, series=series)


def _median_of_counts(counts: Index) -> float:
    """Median of counts of at least 1; where most are 1, as of what is measured in each slot, nothing is sorted."""
    return 1.0 if 2 * int((counts == 1).sum()) > len(counts) else float(np.median(counts))


def _is_unusual(gaps: Index, usual: float, silent: int, interval_s: int) -> bool:
    """Whether ``silent`` slots without a sample are too many for the series, and rarely occurred before."""
    if silent * interval_s <= longest_usual_silence(usual * interval_s):
        return False
    return int((gaps > silent).sum()) < USUAL
