"""Attribution: how much each metric contributed to a score, found by leaving each one out in turn."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from brownout.detection.features.feature_table import features_without
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.domain.findings import AnomalyScores, Episode, Mover
from brownout.domain.panel import Doubles, Float, Panel

__all__ = ["metric_shares", "with_metric_shares"]


def metric_shares(
    detector: IsolationForestDetector, panel: Panel, rows: Sequence[int], slots: Sequence[int]
) -> npt.NDArray[np.float64]:
    """Shares ``[point, metric]`` of each metric in the level at some points, pairs of a row and a slot of a panel.

    A metric's share is by how much the level falls when the metric is set to its usual value in every view. Shares sum
    to 1, or are all 0 where no single metric matters.
    """
    if not len(rows):
        return np.zeros((0, len(panel.metrics)))
    variants = features_without(panel, rows, slots)
    levels = detector.levels(variants, panel.entities[0].kind).astype(np.float64)
    lost = np.nan_to_num(np.maximum(levels[:, :1] - levels[:, 1:], 0))
    total = lost.sum(axis=1, keepdims=True)
    shares: npt.NDArray[np.float64] = np.divide(lost, total, out=np.zeros_like(lost), where=total > 0)
    return shares


def with_metric_shares(
    episodes: Sequence[Episode],
    scores: AnomalyScores,
    panel: Panel,
    detector: IsolationForestDetector,
    known: dict[tuple[int, int], Doubles] | None = None,
) -> tuple[Episode, ...]:
    """Episodes in which each metric that moved has its share in the highest level, the largest share first.

    ``known`` are shares at rows and slots of the panel that were found before; what is found now is put beside them.
    """
    if not episodes:
        return ()
    known = {} if known is None else known
    rows = [scores.entities.index(episode.entity) for episode in episodes]
    levels = scores.scores if scores.levels is None else scores.levels
    slots = [_peak(levels[row], scores, episode) for row, episode in zip(rows, episodes, strict=True)]
    begin = panel.slot(scores.times[0])
    points = [(row, begin + slot) for row, slot in zip(rows, slots, strict=True)]
    asked = [point for point in dict.fromkeys(points) if point not in known]
    concerned = sorted({row for row, _ in asked})
    part = panel.select(entities=concerned)
    shares = metric_shares(detector, part, [concerned.index(row) for row, _ in asked], [slot for _, slot in asked])
    known |= dict(zip(asked, shares, strict=True))
    return tuple(
        replace(episode, movers=_ordered(episode.movers, known[point], panel.metric_names))
        for episode, point in zip(episodes, points, strict=True)
    )


def _peak(levels: Float, scores: AnomalyScores, episode: Episode) -> int:
    inside = np.flatnonzero((scores.times >= episode.start) & (scores.times < episode.end))
    return int(inside[np.nanargmax(np.nan_to_num(levels[inside]))])


def _ordered(movers: Sequence[Mover], shares: npt.NDArray[np.float64], metrics: Sequence[str]) -> tuple[Mover, ...]:
    named = [replace(mover, share=float(shares[metrics.index(mover.series.metric)])) for mover in movers]
    return tuple(sorted(named, key=lambda mover: (-mover.share, -abs(mover.deviation))))
