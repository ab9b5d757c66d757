"""Attribution: how much of a level each metric has made, by leaving each one out."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from brownout.detection.features.feature_table import features_without
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.domain.findings import AnomalyScores, Episode, Mover
from brownout.domain.panel import Float, Panel

__all__ = ["metric_shares", "with_metric_shares"]


def metric_shares(
    detector: IsolationForestDetector, panel: Panel, rows: Sequence[int], slots: Sequence[int]
) -> npt.NDArray[np.float64]:
    """Shares ``[place, metric]`` of the level at places (row and slot of a panel) that each metric has made.

    A metric's share is what the level loses when the metric is as usual in every view; shares sum to 1, or are all 0
    where no single metric matters.
    """
    variants = features_without(panel, rows, slots)
    levels = detector.levels(variants, panel.entities[0].kind).astype(np.float64)
    lost = np.nan_to_num(np.maximum(levels[:, :1] - levels[:, 1:], 0))
    total = lost.sum(axis=1, keepdims=True)
    shares: npt.NDArray[np.float64] = np.divide(lost, total, out=np.zeros_like(lost), where=total > 0)
    return shares


def with_metric_shares(
    found: Sequence[Episode], scores: AnomalyScores, panel: Panel, detector: IsolationForestDetector
) -> tuple[Episode, ...]:
    """Episodes whose movers carry their share of the highest level, largest first."""
    if not found:
        return ()
    rows = [scores.entities.index(episode.entity) for episode in found]
    levels = scores.scores if scores.levels is None else scores.levels
    slots = [_peak(levels[row], scores, episode) for row, episode in zip(rows, found, strict=True)]
    begin = panel.slot(scores.times[0])
    own = sorted(set(rows))
    part = panel.select(entities=own)
    shares = metric_shares(detector, part, [own.index(row) for row in rows], [begin + slot for slot in slots])
    return tuple(
        replace(episode, movers=_ordered(episode.movers, share, panel.metric_names))
        for episode, share in zip(found, shares, strict=True)
    )


def _peak(levels: Float, scores: AnomalyScores, episode: Episode) -> int:
    inside = np.flatnonzero((scores.times >= episode.start) & (scores.times < episode.end))
    return int(inside[np.nanargmax(np.nan_to_num(levels[inside]))])


def _ordered(movers: Sequence[Mover], shares: npt.NDArray[np.float64], metrics: Sequence[str]) -> tuple[Mover, ...]:
    named = [replace(mover, share=float(shares[metrics.index(mover.series.metric)])) for mover in movers]
    return tuple(sorted(named, key=lambda mover: (-mover.share, -abs(mover.deviation))))
