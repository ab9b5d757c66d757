"""Scores of one shard kept from one pass of watch to the next: only slots that are new, or changed, are scored.

A score depends on earlier slots only, and not on where scoring begins. What is kept is therefore what scoring the
whole window again would give, up to the rounding of single precision.
"""

from dataclasses import dataclass, field

import numpy as np

from brownout.detection.features.feature_table import entity_features
from brownout.detection.features.kept_features import KeptFeatures
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.detection.forest.forest_scores import RawScores
from brownout.domain.findings import AnomalyScores
from brownout.domain.panel import Doubles, Float, Marks, Panel

__all__ = ["KeptScores"]


@dataclass(slots=True, eq=False)
class KeptScores:
    """The scores of the last pass over a shard, with the panel and the detector that they were made from.

    ``shares`` of metrics in the level, by row and slot of the panel, are those that were asked for so far.
    """

    detector: IsolationForestDetector | None = None
    panel: Panel | None = None
    first: int = 0
    raw: RawScores | None = None
    deviations: Float | None = None
    features: KeptFeatures = field(default_factory=KeptFeatures)
    shares: dict[tuple[int, int], Doubles] = field(default_factory=dict)

    def score(self, detector: IsolationForestDetector, panel: Panel, first: int) -> AnomalyScores:
        """Scores of the slots of a panel from ``first`` on, as ``detector.score`` gives them."""
        kept = self._unchanged(detector, panel, first)
        if not kept:
            self.features = KeptFeatures()
        self.shares = {point: share for point, share in self.shares.items() if point[1] < first + kept}
        features = self.features.features(panel, first + kept) if kept else entity_features(panel, first)
        raw, deviations = detector.raw_scores(features, panel), features.deviations
        if kept and self.raw is not None and self.deviations is not None:
            raw = self.raw.before(kept).joined(raw)
            deviations = np.concatenate([self.deviations[:, :kept], deviations], axis=1)
        self.detector, self.panel, self.first, self.raw, self.deviations = detector, panel, first, raw, deviations
        return detector.judged(panel, first, raw, deviations)

    def _unchanged(self, detector: IsolationForestDetector, panel: Panel, first: int) -> int:
        """Slots from ``first`` on whose scores still hold; 0 where anything before them changed too."""
        last = self.panel
        if last is None or self.detector is not detector or self.first != first:
            return 0
        if (last.entity_ids, last.metrics, last.start, last.interval_s) != (
            panel.entity_ids,
            panel.metrics,
            panel.start,
            panel.interval_s,
        ):
            return 0
        common = min(last.values.shape[1], panel.values.shape[1])
        same = _same_slots(last.values[:, :common], panel.values[:, :common])
        return max((common if same.all() else int(same.argmin())) - first, 0)


def _same_slots(one: Float, other: Float) -> Marks:
    """Whether all values of each slot are the same, ``[time]``; what is missing in both is the same."""
    equal = one == other
    if not equal.all():
        equal |= np.isnan(one) & np.isnan(other)
    same: Marks = equal.all(axis=(0, 2))
    return same
