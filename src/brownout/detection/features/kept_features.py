"""Features of the slots that follow a history, with what they are compared with kept from one call to the next."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from brownout.detection.baseline.time_blocks import TimeAxis
from brownout.detection.features.feature_table import (
    CELLS,
    FEATURES,
    LOW_RANK,
    MISSING,
    Features,
    entity_features,
    fill_rows,
    without_evidence_only,
)
from brownout.detection.features.kept_views import KeptViews
from brownout.detection.features.low_rank import KeptResiduals
from brownout.detection.features.views import series_of
from brownout.domain.panel import Index, Marks, Panel

__all__ = ["KeptFeatures"]


@dataclass(slots=True, eq=False)
class KeptFeatures:
    """Histories of the entities of a panel, some of them together, up to a slot after their last renewal."""

    parts: tuple["_Part", ...] = ()
    renewal: int = -1
    slot: int = 0

    def features(self, panel: Panel, start: int) -> Features:
        """Features of the slots from ``start`` on, as ``entity_features`` gives them.

        ``panel`` must be the one of the last call with more slots at its end, or with others from ``start`` on.
        """
        panel = without_evidence_only(panel)
        entities, slots, metrics = panel.values.shape
        if start == slots:
            return Features(
                np.zeros((entities, 0, len(FEATURES)), np.float32), np.zeros((entities, 0, metrics), np.float32)
            )
        renewal = _last_renewal(panel)
        if start < renewal or renewal == 0:
            self.renewal = -1
            return entity_features(panel, start)
        if renewal != self.renewal or start < self.slot:
            self.parts = tuple(_Part.of(panel, rows, renewal) for rows in _batches(panel))
            self.renewal = self.slot = renewal
        later = panel.between(panel.start + self.slot * panel.step, panel.end)
        if not all(part.holds(later) for part in self.parts):
            self.renewal = -1
            return entity_features(panel, start)
        found = [part.features(later) for part in self.parts]
        skipped = start - self.slot
        self.slot = slots
        return Features(
            np.concatenate([one.rows for one in found])[:, skipped:],
            np.concatenate([one.deviations for one in found])[:, skipped:],
        )


@dataclass(slots=True, eq=False)
class _Part:
    """The history of some entities, ``rows`` of the panel, in the ``metrics`` that any of them has.

    ``seen [entity, metric]`` says what was measured of each, ``most [entity]`` how many metrics at once, at most.
    """

    rows: range
    metrics: Sequence[int]
    views: KeptViews
    residuals: KeptResiduals
    seen: Marks
    most: Index = field(default_factory=lambda: np.zeros(0, np.int64))

    @classmethod
    def of(cls, panel: Panel, rows: range, renewal: int) -> Self:
        """At a renewal of the panel."""
        whole = panel.select(entities=rows)
        before = whole.values[:, :renewal]
        seen: Marks = np.asarray(np.logical_or.reduce(np.isfinite(before), axis=1), bool)
        metrics = np.flatnonzero(np.logical_or.reduce(seen, axis=0)).tolist()
        part = whole.select(metrics=metrics)
        return cls(
            rows=rows,
            metrics=metrics,
            views=KeptViews.of(part, renewal),
            residuals=KeptResiduals.of(part, renewal),
            seen=seen[:, metrics],
            most=np.isfinite(before).sum(axis=-1).max(axis=1, initial=0),
        )

    def holds(self, later: Panel) -> bool:
        """Whether what is kept serves the slots that follow: nothing is measured for the first time in them."""
        own = later.values[self.rows.start : self.rows.stop]
        measured: Marks = np.asarray(np.logical_or.reduce(np.isfinite(own), axis=1), bool)
        return (
            bool(self.metrics)
            and int(measured.sum()) == int((measured[:, self.metrics] & self.seen).sum())
            and self.views.slot + later.values.shape[1] <= self.residuals.until
        )

    def features(self, later: Panel) -> Features:
        """Features of the slots that follow, which are kept then."""
        part = later.select(entities=self.rows, metrics=self.metrics)
        known = np.isfinite(part.values)
        rows = np.zeros((*known.shape[:2], len(FEATURES)), np.float32)
        deviations = np.full((*known.shape[:2], len(later.metrics)), np.nan, np.float32)
        carried = np.repeat(np.maximum(self.seen.sum(axis=1), 1)[:, None], known.shape[1], axis=1)
        deviations[..., self.metrics] = fill_rows(rows, self.views.views(series_of(part)), carried)
        present = known.sum(axis=-1)
        most = np.maximum(np.maximum.accumulate(present, axis=1), self.most[:, None])
        rows[..., LOW_RANK] = self.residuals.residuals(part.values)
        rows[..., MISSING] = 1 - present / np.maximum(most, 1)
        rows[present == 0] = np.nan
        self.most = most[:, -1]
        return Features(rows, deviations)


def _last_renewal(panel: Panel) -> int:
    """The last slot of a panel at which spreads are renewed; 0 where it is too short for anything to be kept."""
    axis = TimeAxis(panel.values.shape[1], panel.interval_s)
    last = int(axis.renewals[-1]) if axis.slots else 0
    same = TimeAxis(last + 1, panel.interval_s).block_slots == axis.block_slots
    return last if last >= axis.slots_per_day and same else 0


def _batches(panel: Panel) -> list[range]:
    """Entities that are worked on together, as ``entity_features`` does."""
    entities, slots, metrics = panel.values.shape
    at_once = max(CELLS // max(slots * metrics, 1), 1)
    return [range(first, min(first + at_once, entities)) for first in range(0, entities, at_once)]
