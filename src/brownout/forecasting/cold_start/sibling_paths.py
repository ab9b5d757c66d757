"""Forecasts of siblings, the entities most like a newcomer, moved to its level."""

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

__all__ = ["PairPredict", "SiblingForecasts", "sibling_paths", "siblings_with_past"]

FLOOR = 0.02
"""Share of the siblings' level that is added to levels before their ratio is taken: an idle sibling has none."""
STRETCH = (0.05, 20.0)
"""Least and largest factor on what a sibling is forecast to do."""

MAX_SIBLINGS = 64
"""Siblings that are forecast at most, whatever the number of newcomers."""

PairPredict = Callable[[Panel, Sequence[int]], tuple[Forecasts, Forecasts]]
"""Two forecasts of a panel from some of its slots: by the network alone, and by the forecasters that were chosen."""


@dataclass(frozen=True, slots=True, eq=False)
class SiblingForecasts:
    """Entities with a past: their panel, the slot of the origin in it, and their forecasts from there."""

    panel: Panel
    origin: int
    forecasts: Forecasts

    def paths(self, metrics: Sequence[str]) -> Float:
        """Quantile paths ``[entity, metric, step, quantile]``, NaN where there is no forecast."""
        rows = {name: row for row, name in enumerate(self.panel.entity_ids)}
        columns = {name: column for column, name in enumerate(metrics)}
        paths = np.full((len(rows), len(columns), *self.forecasts.values.shape[1:]), np.nan, np.float32)
        kept = [row for row, series in enumerate(self.forecasts.series) if series.metric in columns]
        series = [self.forecasts.series[row] for row in kept]
        paths[[rows[s.entity] for s in series], [columns[s.metric] for s in series]] = self.forecasts.values[kept]
        return paths

    def past(self, metrics: Sequence[str], slots: int) -> Float:
        """What was measured in so many slots up to the origin: ``[entity, slot, metric]``, NaN = unknown."""
        past = np.full((len(self.panel.entities), slots, len(metrics)), np.nan, np.float32)
        first = max(self.origin + 1 - slots, 0)
        measured = self.panel.values[:, first : self.origin + 1]
        for column, name in enumerate(metrics):
            if name in self.panel.metric_names:
                source = self.panel.metric_names.index(name)
                past[:, slots - measured.shape[1] :, column] = measured[..., source]
        return past


def siblings_with_past(
    newcomers: Sequence[Entity], at: np.datetime64, panels: Sequence[Panel], predict: PairPredict
) -> tuple[SiblingForecasts, ...]:
    """The entities most similar to newcomers of one kind, among those measured a day before, with their forecasts.

    ``at`` is the time of the origin.
    """
    day = days(1)
    names = {entity.id for entity in newcomers}
    source: dict[str, tuple[int, int]] = {}  # panel and row by entity
    for number, panel in enumerate(panels):
        slot = panel.slot(at - day)
        if panel.values.shape[1] > panel.slot(at) and slot >= 0:
            known = np.isfinite(panel.values[:, : slot + 1]).any(axis=(1, 2))
            recent = np.isfinite(panel.values[:, slot + 1 : panel.slot(at) + 1]).any(axis=(1, 2))
            for row in np.flatnonzero(known & recent).tolist():
                entity = panel.entities[row]
                if entity.kind == newcomers[0].kind and entity.id not in names:
                    source.setdefault(entity.id, (number, row))
    candidates = [panels[number].entities[row] for number, row in source.values()]
    similar = (sibling.id for newcomer in newcomers for sibling in most_similar(newcomer, candidates))
    wanted = list(dict.fromkeys(similar))[:MAX_SIBLINGS]
    siblings = []
    for number, panel in enumerate(panels):
        rows = [source[name][1] for name in wanted if source[name][0] == number]
        if rows:
            chosen = panel.select(entities=rows)
            siblings.append(SiblingForecasts(chosen, panel.slot(at), predict(chosen, [panel.slot(at)])[1]))
    return tuple(siblings)


def sibling_paths(rows: Rows, slots: int, siblings: Sequence[SiblingForecasts]) -> Float:
    """What the siblings of each row are forecast to do, at the row's level: ``[row, step, quantile]``.

    Rows are of one origin; their level and that of a sibling is the median of those of the last ``slots`` in which the
    row was measured. A sibling's path is stretched by the ratio of the levels; the row's is the median over siblings,
    NaN where there is none.
    """
    if not len(rows):
        return np.empty((0, *siblings[0].forecasts.values.shape[1:]), np.float32)
    panel, metrics = rows.panel, rows.panel.metric_names
    origin = int(rows.origins[0])
    past = np.full((len(rows), slots), np.nan, np.float32)
    recent = panel.values[:, max(origin + 1 - slots, 0) : origin + 1]
    past[:, slots - recent.shape[1] :] = recent[rows.entities, :, rows.metrics]
    chosen = _most_similar(panel.entities, [entity for part in siblings for entity in part.panel.entities])
    chosen = chosen[rows.entities]
    pasts = np.concatenate([part.past(metrics, slots) for part in siblings])[chosen, :, rows.metrics[:, None]]
    pasts = np.where((chosen >= 0)[..., None] & np.isfinite(past)[:, None], pasts, np.nan)
    level, levels = median(past), median(pasts)
    count = np.maximum(np.isfinite(levels).sum(axis=1), 1)
    floor = FLOOR * np.nan_to_num(np.abs(levels)).sum(axis=1) / count + 1e-6
    stretch = np.clip((level + floor)[:, None] / np.maximum(levels + floor[:, None], 1e-6), *STRETCH)
    ahead = np.concatenate([part.paths(metrics) for part in siblings])[chosen, rows.metrics[:, None]]
    moved = level[:, None, None, None] + (ahead - levels[..., None, None]) * stretch[..., None, None]
    paths: Float = median(moved.transpose(0, 2, 3, 1)).astype(np.float32)
    return paths


def _most_similar(newcomers: Sequence[Entity], siblings: Sequence[Entity]) -> Index:
    """Rows of the siblings most similar to each entity, ``[entity, PEERS]``; -1 where there are fewer."""
    row_of = {sibling.id: row for row, sibling in enumerate(siblings)}
    chosen = np.full((len(newcomers), PEERS), -1, np.int64)
    for row, newcomer in enumerate(newcomers):
        similar = most_similar(newcomer, siblings)
        chosen[row, : len(similar)] = [row_of[sibling.id] for sibling in similar]
    return chosen
