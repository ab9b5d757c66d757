"""Volume under the precision-recall surface: average precision that forgives alarms a little beside their event."""

import numpy as np
import numpy.typing as npt

from brownout.evaluation.detection_scores import runs
from brownout.numerics.arrays import Doubles, Marks

__all__ = ["WIDEST", "volume_under_pr"]

WIDEST = 100
"""Longest buffer in samples; the one that TSB-AD takes where a series has no period."""
LEVELS = 250
"""Thresholds of a curve, at evenly spaced ranks, as in the published code."""

Scores = npt.NDArray[np.floating]
Spans = npt.NDArray[np.int64]


def volume_under_pr(scores: Scores, labels: Marks, widest: int = WIDEST) -> float:
    """VUS-PR of one series: the mean range-based area under its precision-recall curve over buffers 0 … ``widest``.

    Paparrizos et al. 2022 (PVLDB 15, 2774): labels fall off beside each event over half a buffer, recall is weighted
    by the share of events that are seen at all, and the false among buffers cost nothing. NaN scores count as the
    least abnormal; NaN where labels are all alike.
    """
    if labels.all() or not labels.any():
        return float("nan")
    known = np.nan_to_num(scores, nan=float(np.nanmin(scores, initial=0.0))).astype(np.float64)
    order = np.argsort(-known, kind="stable")
    ranked = known[order]
    thresholds = ranked[np.linspace(0, len(ranked) - 1, LEVELS).astype(np.int64)]
    raised = np.searchsorted(-ranked, -thresholds, side="right")
    hits = np.cumsum(labels[order])[raised - 1]
    spans = np.array(runs(labels))
    areas = []
    for width in range(widest + 1):
        near = np.cumsum(_buffers(labels, spans, width)[order])[raised - 1]
        recall = np.minimum((hits + near) / (labels.sum() + near / 2), 1) * _detected_share(
            known, spans, width // 2, thresholds
        )
        areas.append(np.diff(recall, prepend=0) @ ((hits + near) / raised))
    return float(np.mean(areas))


def _buffers(labels: Marks, spans: Spans, width: int) -> Doubles:
    """Labels beside the events, from 1 next to them down over half of ``width``; 0 within them."""
    away = np.arange(1, width // 2 + 1)
    slots = np.concatenate([spans[:, 1:] - 1 + away, spans[:, :1] - away]).ravel()
    inside = (slots >= 0) & (slots < len(labels))
    worth = np.tile(np.sqrt(1 - away / max(width, 1)), 2 * len(spans))
    soft = np.bincount(slots[inside], worth[inside], minlength=len(labels))
    return np.where(labels, 0.0, np.minimum(soft, 1))


def _detected_share(scores: Doubles, spans: Spans, half: int, thresholds: Doubles) -> Doubles:
    """Share of the events, with their buffers and joined where these touch, that reach each threshold."""
    apart = spans[:-1, 1] - 1 + half < spans[1:, 0] - half
    first = np.maximum(spans[np.r_[True, apart], 0] - half, 0)
    last = np.minimum(spans[np.r_[apart, True], 1] + half, len(scores))
    peaks = np.maximum.reduceat(np.r_[scores, -np.inf], np.stack([first, last], axis=1).ravel())[::2]
    share: Doubles = (peaks[:, None] >= thresholds).mean(axis=0)
    return share
