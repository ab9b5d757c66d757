"""Surges: how far a series known by its role only rose beyond anything in its own baseline, on a scale without units.

A surge is a difference of logarithms: 0 is no more than the baseline has seen, 1 is e times that. Two things make
surges of different metrics and entities comparable. The logarithm starts at a tenth of what is usual among the peers,
so that a service that idles does not surge by waking up. And the peak of the baseline is taken away, so that what
fluctuates anyway counts for what it adds. Detection comes late: the slots just before an incident belong to it, not to
its baseline.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from brownout.domain.panel import Float, Panel
from brownout.numerics.order_statistics import median, quantile

__all__ = ["Surge", "surges"]

LOOKBACK = 24
"""Slots before the start of an incident that may already belong to it, at most a third of the baseline."""
EARLY = 12
"""Slots from the start on in which a movement is early: what comes later may be a reaction to the incident."""
LEAST_BASELINE = 8
"""Slots that make a baseline."""
PEER_SHARE = 0.1
"""Share of the usual level of the peers at which the logarithm starts."""
TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Surge:
    """``whole`` and ``early`` surge, and the value at the ``peak``."""

    whole: float
    early: float
    peak: float


def surges(panels: Sequence[Panel], start: np.datetime64, end: np.datetime64) -> Mapping[tuple[str, str], Surge]:
    """Surges by entity and metric of the metrics that no kind of entity carries by name."""
    table: dict[tuple[str, str], Surge] = {}
    parts = [_generic(panel) for panel in panels]
    level = _peer_levels([panel for panel in parts if panel is not None], start)
    for panel in parts:
        if panel is not None:
            table |= _of_panel(panel, start, end, level)
    return table


def _generic(panel: Panel) -> Panel | None:
    columns = [column for column, metric in enumerate(panel.metrics) if not metric.entity_kinds]
    return panel.select(metrics=columns) if columns and panel.entities else None


def _peer_levels(panels: Sequence[Panel], start: np.datetime64) -> Mapping[str, float]:
    """Median over entities of the usual level of each metric."""
    levels: dict[str, list[float]] = {}
    for panel in panels:
        usual = np.abs(quantile(panel.between(panel.start, start).values, 0.5, method="lower"))
        for column, name in enumerate(panel.metric_names):
            levels.setdefault(name, []).extend(usual[np.isfinite(usual[:, column]), column].tolist())
    return {name: float(np.median(values)) if values else 0.0 for name, values in levels.items()}


def _of_panel(
    panel: Panel, start: np.datetime64, end: np.datetime64, level: Mapping[str, float]
) -> Mapping[tuple[str, str], Surge]:
    first = panel.slot(start)
    lead = min(LOOKBACK, max(first, 0) // 3)
    baseline, within = panel.values[:, : first - lead], smooth(panel.values)[:, first - lead : panel.slot(end)]
    if baseline.shape[1] < LEAST_BASELINE or not within.shape[1]:
        return {}
    seen = (np.isfinite(baseline).sum(axis=1) >= LEAST_BASELINE) & np.isfinite(within).any(axis=1)
    floor = np.array([PEER_SHARE * level[name] + TINY for name in panel.metric_names], np.float32)
    base = np.maximum(quantile(baseline, 0.5, method="lower"), 0) + floor
    reached = _log((quantile(baseline, 1.0, method="lower") + floor) / base)
    rise = _log((np.maximum(within, 0) + floor) / base[:, None])
    whole = np.maximum(quantile(rise, 1.0, method="lower") - reached, 0)
    early = np.maximum(quantile(rise[:, : lead + EARLY], 1.0, method="lower") - reached, 0)
    peak = quantile(within, 1.0, method="lower")
    return {
        (panel.entity_ids[row], panel.metric_names[column]): Surge(
            float(whole[row, column]), float(np.nan_to_num(early[row, column])), float(peak[row, column])
        )
        for row, column in zip(*np.nonzero(seen), strict=True)
    }


def smooth(values: Float) -> Float:
    """Median over time of each slot and its neighbours, of those that are measured; ``[entity, time, metric]``."""
    padded = np.pad(values, ((0, 0), (1, 1), (0, 0)), constant_values=np.nan)
    return median(np.stack([padded[:, :-2], padded[:, 1:-1], padded[:, 2:]]), axis=0)


def _log(ratio: Float) -> Float:
    return np.log(np.maximum(ratio, TINY)).astype(np.float32)
