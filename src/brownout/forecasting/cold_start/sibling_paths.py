"""The forecasts of peers, moved to the level of a newcomer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from brownout.domain.entities import Entity
from brownout.domain.forecasts import Forecasts
from brownout.domain.panel import Float, Panel
from brownout.domain.similarity import PEERS, most_similar
from brownout.forecasting.series_rows import Rows
from brownout.numerics.arrays import Index
from brownout.numerics.order_statistics import median
from brownout.numerics.slots import days

__all__ = ["Predict", "SiblingForecasts", "peer_paths", "siblings_with_past"]

FLOOR = 0.02
"""Share of the peers' level that is added to levels before they are compared: an idle peer is no measure."""
STRETCH = (0.05, 20.0)
"""Least and largest factor on what a peer is forecast to do."""

POOL = 64
"""Peers that are forecast at most, whatever the number of newcomers."""

Predict = Callable[[Panel, Sequence[int]], tuple[Forecasts, Forecasts]]
"""Forecasts of a panel from some of its slots: the network's own, and those that are used of what has a past."""


@dataclass(frozen=True, slots=True, eq=False)
class SiblingForecasts:
    """Entities with a past: their panel, the slot of the origin in it, and their forecasts from there."""

    panel: Panel
    origin: int
    forecasts: Forecasts

    def paths(self, metrics: Sequence[str]) -> Float:
        """Quantile paths ``[entity, metric, step, quantile]``, NaN where there is no forecast."""
        entity = {name: place for place, name in enumerate(self.panel.entity_ids)}
        metric = {name: place for place, name in enumerate(metrics)}
        shape = (len(entity), len(metric), *self.forecasts.values.shape[1:])
        table = np.full(shape, np.nan, np.float32)
        kept = [row for row, series in enumerate(self.forecasts.series) if series.metric in metric]
        series = [self.forecasts.series[row] for row in kept]
        table[[entity[s.entity] for s in series], [metric[s.metric] for s in series]] = self.forecasts.values[kept]
        return table

    def past(self, metrics: Sequence[str], slots: int) -> Float:
        """What was measured in so many slots up to the origin: ``[entity, slot, metric]``, NaN = unknown."""
        found = np.full((len(self.panel.entities), slots, len(metrics)), np.nan, np.float32)
        first = max(self.origin + 1 - slots, 0)
        measured = self.panel.values[:, first : self.origin + 1]
        for column, name in enumerate(metrics):
            if name in self.panel.metric_names:
                own = self.panel.metric_names.index(name)
                found[:, slots - measured.shape[1] :, column] = measured[..., own]
        return found


def siblings_with_past(
    newcomers: Sequence[Entity], at: np.datetime64, panels: Sequence[Panel], predict: Predict
) -> tuple[SiblingForecasts, ...]:
    """The most similar peers of some newcomers of one kind that were measured a day before, with their forecasts."""
    step = days(1)
    old: dict[str, tuple[int, int]] = {}
    names = {entity.id for entity in newcomers}
    for place, panel in enumerate(panels):
        slot = panel.slot(at - step)
        if panel.values.shape[1] > panel.slot(at) and slot >= 0:
            known = np.isfinite(panel.values[:, : slot + 1]).any(axis=(1, 2))
            fresh = np.isfinite(panel.values[:, slot + 1 : panel.slot(at) + 1]).any(axis=(1, 2))
            for row in np.flatnonzero(known & fresh).tolist():
                entity = panel.entities[row]
                if entity.kind == newcomers[0].kind and entity.id not in names:
                    old.setdefault(entity.id, (place, row))
    candidates = [panels[place].entities[row] for place, row in old.values()]
    wanted = list(dict.fromkeys(peer.id for one in newcomers for peer in most_similar(one, candidates)))[:POOL]
    found = []
    for place, panel in enumerate(panels):
        rows = [old[name][1] for name in wanted if old[name][0] == place]
        if rows:
            chosen = panel.select(entities=rows)
            found.append(SiblingForecasts(chosen, panel.slot(at), predict(chosen, [panel.slot(at)])[1]))
    return tuple(found)


def peer_paths(rows: Rows, slots: int, elders: Sequence[SiblingForecasts]) -> Float:
    """What the most similar peers of each row are forecast to do, at the row's own level: ``[row, step, quantile]``.

    Rows are of one origin; their level and that of a peer is the median of those of the last ``slots`` in which the row
    was measured. A peer's path is stretched by the ratio of the levels; the row's is the median over peers, NaN where
    there is none.
    """
    if not len(rows):
        return np.empty((0, *elders[0].forecasts.values.shape[1:]), np.float32)
    panel, metrics = rows.panel, rows.panel.metric_names
    origin = int(rows.origins[0])
    own = np.full((len(rows), slots), np.nan, np.float32)
    recent = panel.values[:, max(origin + 1 - slots, 0) : origin + 1]
    own[:, slots - recent.shape[1] :] = recent[rows.entities, :, rows.metrics]
    peers = _peers(panel.entities, [entity for part in elders for entity in part.panel.entities])[rows.entities]
    theirs = np.concatenate([part.past(metrics, slots) for part in elders])[peers, :, rows.metrics[:, None]]
    theirs = np.where((peers >= 0)[..., None] & np.isfinite(own)[:, None], theirs, np.nan)
    level, levels = median(own), median(theirs)
    count = np.maximum(np.isfinite(levels).sum(axis=1), 1)
    floor = FLOOR * np.nan_to_num(np.abs(levels)).sum(axis=1) / count + 1e-6
    stretch = np.clip((level + floor)[:, None] / np.maximum(levels + floor[:, None], 1e-6), *STRETCH)
    ahead = np.concatenate([part.paths(metrics) for part in elders])[peers, rows.metrics[:, None]]
    moved = level[:, None, None, None] + (ahead - levels[..., None, None]) * stretch[..., None, None]
    found: Float = median(moved.transpose(0, 2, 3, 1)).astype(np.float32)
    return found


def _peers(newcomers: Sequence[Entity], elders: Sequence[Entity]) -> Index:
    """Places of the most similar peers of each entity, ``[entity, PEERS]``, -1 where there are fewer."""
    place = {entity.id: row for row, entity in enumerate(elders)}
    found = np.full((len(newcomers), PEERS), -1, np.int64)
    for row, entity in enumerate(newcomers):
        chosen = most_similar(entity, elders)
        found[row, : len(chosen)] = [place[other.id] for other in chosen]
    return found
