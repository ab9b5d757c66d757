"""Scores of a detector against labels: point-wise without adjustment, and by event."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score

from brownout.numerics.arrays import Marks

__all__ = ["event_scores", "point_scores", "runs"]

Floats = npt.NDArray[np.float32]


def point_scores(scores: Floats, labels: Marks) -> dict[str, float]:
    """Average precision and area under the ROC curve over all points; NaN scores count as the least abnormal.

    NaN where the labels are all alike. No point adjustment: a point is right or wrong by itself.
    """
    if labels.all() or not labels.any():
        return {"average_precision": float("nan"), "roc_auc": float("nan")}
    known = np.nan_to_num(scores, nan=float(np.nanmin(scores, initial=0.0)))
    return {
        "average_precision": float(average_precision_score(labels, known)),
        "roc_auc": float(roc_auc_score(labels, known)),
    }


def event_scores(
    alarms: Sequence[Marks], labels: Sequence[Marks], intervals_s: Sequence[float]
) -> dict[str, float | None]:
    """Recall and precision of events, median delay in seconds, and false alarm events an entity and day.

    One array of points an entity, in time order. An event is a run of labelled points, an alarm event a run of alarms;
    an alarm event is true when it overlaps a labelled run.
    """
    detected = wanted = true = raised = 0
    delays: list[float] = []
    days = 0.0
    for alarm, label, interval in zip(alarms, labels, intervals_s, strict=True):
        days += len(alarm) * interval / 86_400
        for first, last in runs(label):
            wanted += 1
            hits = np.flatnonzero(alarm[first:last])
            if len(hits):
                detected += 1
                delays.append(float(hits[0] * interval))
        events = runs(alarm)
        raised += len(events)
        true += sum(bool(label[first:last].any()) for first, last in events)
    return {
        "events": wanted,
        "event_recall": detected / wanted if wanted else None,
        "event_precision": true / raised if raised else None,
        "median_delay_s": float(np.median(delays)) if delays else None,
        "false_events_per_entity_day": (raised - true) / days if days else None,
    }


def runs(marks: Marks) -> list[tuple[int, int]]:
    """First and last (exclusive) index of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], marks, [False]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
