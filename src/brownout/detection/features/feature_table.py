"""Features of an entity at a slot: the deviations of its metrics in each view, reduced over the metrics."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from brownout.detection.features.low_rank import low_rank_residuals
from brownout.detection.features.views import VIEWS, views
from brownout.domain.panel import Float, Index, Panel

__all__ = [
    "CELLS",
    "FEATURES",
    "FOREST_FEATURES",
    "LOW_RANK",
    "MISSING",
    "Features",
    "entity_features",
    "features_without",
    "fill_rows",
    "without_evidence_only",
]

SHARES = (0.75, 0.5)
REDUCTIONS = ("largest", "third", "quarter", "half", "power")
"""Reductions over the metrics of an entity: the largest deviation, the third largest, the deviations that a quarter and
half of the metrics reach, and the mean square of deviations capped at ten spreads."""
FOREST_FEATURES = (*(f"{view}_{reduction}" for view in VIEWS for reduction in REDUCTIONS), "missing")
"""Columns of the forest, e.g. ``level_largest``; ``missing`` is the share of its metrics that are not measured."""
FEATURES = (*FOREST_FEATURES, "low_rank")
"""All columns; ``low_rank`` (see ``low_rank.py``) says how new a slot is, and nothing that a forest would not see."""
MISSING, LOW_RANK = FEATURES.index("missing"), FEATURES.index("low_rank")
CELLS = 2_000_000
"""Values of a panel that are worked on together: a view of them is 8 MB, and a dozen such arrays are alive.

Running sums are twice as large. From 32 MB on the C library asks the system for each array anew, which takes longer
than the sums.
"""
MEAN_CAP = 10.0
SHOWN = "level"
"""The view that explanations are made from."""


@dataclass(frozen=True, eq=False)
class Features:
    """Features of the slots of a panel.

    ``rows`` is float32 ``[entity, time, feature]``, logarithms of deviations, NaN where nothing was measured;
    ``deviations [entity, time, metric]`` those of the view ``level``, signed, in usual spreads; of no metric where
    nothing is to be explained.
    """

    rows: Float
    deviations: Float

    def between(self, first: int, last: int) -> Self:
        """The slots from first until before last."""
        return type(self)(self.rows[:, first:last], self.deviations[:, first:last])


def without_evidence_only(panel: Panel) -> Panel:
    """A panel without values of metrics that are evidence only: a restart is not odd for a day."""
    left_out = [metric.evidence_only for metric in panel.metrics]
    if not any(left_out):
        return panel
    return replace(panel, values=np.where(left_out, np.float32(np.nan), panel.values))


def entity_features(panel: Panel, start: int = 0, *, with_deviations: bool = True) -> Features:
    """Features of the slots from ``start`` on; earlier slots serve as history.

    Entities do not depend on each other: a few at a time are worked on, so that memory does not grow with the panel.
    """
    entities, slots, metrics = panel.values.shape
    at_once = max(CELLS // max(slots * metrics, 1), 1)
    if entities <= at_once:
        return _features(panel, start, with_deviations=with_deviations)
    rows = np.empty((entities, slots - start, len(FEATURES)), np.float32)
    deviations = np.empty((entities, slots - start, metrics if with_deviations else 0), np.float32)
    for first in range(0, entities, at_once):
        some = panel.select(entities=range(first, min(first + at_once, entities)))
        part = _features(some, start, with_deviations=with_deviations)
        rows[first : first + at_once], deviations[first : first + at_once] = part.rows, part.deviations
    return Features(rows, deviations)


def _features(panel: Panel, start: int, *, with_deviations: bool) -> Features:
    """Features of a few entities together."""
    panel = without_evidence_only(panel)
    measured = np.flatnonzero(np.isfinite(panel.values).any(axis=(0, 1))).tolist()
    part = panel.select(metrics=measured)
    known = np.isfinite(part.values)
    carried = np.maximum(np.maximum.accumulate(known, axis=1).sum(axis=-1), 1)[:, start:]
    rows = np.zeros((len(panel.entities), panel.values.shape[1] - start, len(FEATURES)), np.float32)
    deviations = np.full((*rows.shape[:2], len(panel.metrics) if with_deviations else 0), np.nan, np.float32)
    if not part.values.size:
        return Features(np.full_like(rows, np.nan), deviations)
    shown = fill_rows(rows, views(part, start), carried)
    if with_deviations:
        deviations[..., measured] = shown
    present = known[:, start:].sum(axis=-1)
    rows[..., LOW_RANK] = low_rank_residuals(part, start)
    rows[..., MISSING] = 1 - present / np.maximum(np.maximum.accumulate(known.sum(axis=-1), axis=1)[:, start:], 1)
    rows[present == 0] = np.nan
    return Features(rows, deviations)


def fill_rows(rows: Float, found: Iterable[tuple[str, Float]], carried: Index) -> Float:
    """Fill in the columns of views, reduced over the metrics; returns what explanations are made from.

    ``found`` are names and deviations ``[entity, time, metric]`` of all views, ``carried [entity, time]`` counts the
    metrics measured until then.
    """
    width, shown = len(REDUCTIONS), np.empty((*rows.shape[:2], 0), np.float32)
    for number, (view, signed) in enumerate(found):
        rows[..., number * width : (number + 1) * width] = _reduce(np.abs(signed), carried)
        if view == SHOWN:
            shown = signed
    return shown


def features_without(panel: Panel, rows: Sequence[int], slots: Sequence[int]) -> Features:
    """Features at some slots of some rows of a panel, as they are and with each metric in turn set to its usual value.

    ``rows`` of the result is ``[point, 1 + metric, feature]``, the points being the pairs of ``rows`` and ``slots``;
    its ``deviations`` repeat those of each point. ``low_rank`` is left at 0: no level is made of it.
    """
    panel = without_evidence_only(panel)
    known = np.isfinite(panel.values)
    count = len(panel.metrics)
    kept = np.concatenate([np.ones((1, count), np.float32), 1 - np.eye(count, dtype=np.float32)])
    carried = np.maximum(np.maximum.accumulate(known, axis=1).sum(axis=-1), 1)[rows, slots]
    table = np.zeros((len(rows), count + 1, len(FEATURES)), np.float32)
    deviations = np.zeros((len(rows), count + 1, count), np.float32)
    if not len(rows) or not count:
        return Features(table, deviations)
    start = min(slots)
    width = len(REDUCTIONS)
    for number, (view, signed) in enumerate(views(panel, start)):
        here = np.nan_to_num(signed[rows, np.asarray(slots) - start])
        layer = np.abs(here[:, None] * kept)
        table[..., number * width : (number + 1) * width] = _reduce(
            layer, np.repeat(carried[:, None], count + 1, axis=1)
        )
        if view == SHOWN:
            deviations[:] = here[:, None]
    most = np.maximum.accumulate(known.sum(axis=-1), axis=1)[rows, slots]
    table[..., MISSING] = (1 - known[rows, slots].sum(axis=-1) / np.maximum(most, 1))[:, None]
    return Features(table, deviations)


def _reduce(layer: Float, carried: npt.NDArray[np.int64]) -> Float:
    """Reductions ``[entity, time, reduction]``; ``carried [entity, time]`` counts the metrics measured until then."""
    ordered = np.sort(np.nan_to_num(layer), axis=-1)[..., ::-1]
    places = [carried - 1 - (share * (carried - 1)).astype(np.int64) for share in SHARES]
    quarter, half = (np.take_along_axis(ordered, place[..., None], axis=-1)[..., 0] for place in places)
    third = ordered[..., 2] if layer.shape[-1] >= 3 else np.zeros(layer.shape[:2], np.float32)
    power = (np.minimum(ordered, MEAN_CAP) ** 2).sum(axis=-1) / carried
    reduced: Float = np.stack([ordered[..., 0], third, quarter, half, power], axis=-1)
    return np.log1p(reduced, dtype=np.float32)
