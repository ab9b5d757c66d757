"""Judge the detector on a data set: every sample is scored before it is learned."""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from brownout.detection.forest import IsolationForestDetector
from brownout.detection.settings import DetectorSettings
from brownout.domain.panel import Float, Panel
from brownout.domain.ports import Progress, SampleStore, no_progress
from brownout.domain.truth import Anomaly
from brownout.evaluation.detection import event_scores, point_scores
from brownout.telemetry.atomic import atomic_path, write_text
from brownout.telemetry.clean import clean
from brownout.telemetry.dataset import Dataset
from brownout.telemetry.grid import plan_shards, read_shard

__all__ = ["evaluate_detect"]

WARM_SHARE = 0.15
"""Share of each series that is only learned from, where the data set has no ``test_start``."""
REFITS = 4
"""How often the detector learns again on the way through a long test: at equal parts of it, from all that lies
before."""

Times = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Judged:
    """Scores of one entity at its own sample times (ms)."""

    entity: str
    interval_s: int
    times: Times
    scores: Float


def evaluate_detect(
    dataset: Dataset, out: Path, progress: Progress = no_progress, *, settings: DetectorSettings | None = None
) -> dict[str, object]:
    """Write ``scores.parquet`` (entity, time, score, alarm) and ``scores.json``; returns the scores.

    Every distinct time of an entity from the test start on gets the score of its slot. With a ``test_start``
    the detector
    learns once, from what lies before; without one it learns from the first 15 % and again on the way.
    """
    started = time.monotonic()
    settings = settings or DetectorSettings()
    judged: list[_Judged] = []
    plans = plan_shards(dataset)
    for done, plan in enumerate(plans):
        panel = read_shard(dataset, plan).panel
        groups = (
            [panel]
            if dataset.test_start is not None
            else [panel.select(entities=[i]) for i in range(len(panel.entities))]
        )
        for group in groups:
            judged += _judge(dataset, group, settings)
        progress("detect", (done + 1) / len(plans))
    _write(out / "scores.parquet", judged)
    result: dict[str, object] = {
        "settings": asdict(settings),
        "seconds": round(time.monotonic() - started, 1),
        "entities": len(judged),
        "points": sum(len(item.times) for item in judged),
        "alarm_share": _share(judged),
    }
    if dataset.anomalies:
        result["scores"] = _against(judged, dataset.anomalies)
    write_text(out / "scores.json", json.dumps(result, indent=1))
    return result


def _judge(dataset: Dataset, panel: Panel, settings: DetectorSettings) -> list[_Judged]:
    """Score the test part of a panel; each block by a detector that has seen only what lies before it."""
    panel = _trimmed(panel).measured()
    slots = panel.values.shape[1]
    if dataset.test_start is not None:
        edges = [min(max(panel.slot(dataset.test_start), 1), slots), slots]
    else:
        edges = np.unique(np.linspace(max(math.ceil(WARM_SHARE * slots), 1), slots, REFITS + 1).astype(int)).tolist()
    if len(edges) < 2 or not len(panel.metrics):
        return []
    scores = np.full((len(panel.entities), slots), np.nan, np.float32)
    for first, last in pairwise(edges):
        before = panel.between(panel.start, panel.start + first * panel.step)
        if np.isfinite(before.values).any():
            detector = IsolationForestDetector(settings).fit([before])
            upto = panel.between(panel.start, panel.start + last * panel.step)
            scores[:, first:last] = detector.score(upto, first).scores
    return [_at_samples(dataset, panel, row, edges[0], scores[row]) for row in range(len(panel.entities))]


def _trimmed(panel: Panel) -> Panel:
    """From the first to the last slot with any value."""
    seen = np.flatnonzero(np.isfinite(panel.values).any(axis=(0, 2)))
    if not len(seen):
        return panel
    start = panel.start + seen[0] * panel.step
    return panel.between(start, panel.start + (seen[-1] + 1) * panel.step)


def _at_samples(dataset: SampleStore, panel: Panel, row: int, first: int, scores: Float) -> _Judged:
    """Scores at the original times from slot ``first`` on; 0 where a slot had nothing to score."""
    entity = panel.entity_ids[row]
    rows, _ = clean(dataset.read([entity]), [entity], dataset.metrics)
    origin = int(panel.start.astype("datetime64[ms]").astype(np.int64))
    slot = (rows.times - origin) // (panel.interval_s * 1000)
    kept = (slot >= first) & (slot < len(scores))
    return _Judged(entity, panel.interval_s, rows.times[kept], np.nan_to_num(scores[slot[kept]]))


def _write(path: Path, judged: Sequence[_Judged]) -> None:
    columns = {
        "entity": pa.array([j.entity for j in judged for _ in range(len(j.times))], pa.string()).dictionary_encode(),
        "time": pa.array(
            np.concatenate([j.times for j in judged] or [np.empty(0, np.int64)]), pa.timestamp("ms", "UTC")
        ),
        "score": pa.array(np.concatenate([j.scores for j in judged] or [np.empty(0, np.float32)])),
    }
    table = pa.table(columns)
    table = table.append_column("alarm", pa.array(table["score"].to_numpy() >= 1.0))
    with atomic_path(path) as part:
        pq.write_table(table, part, compression="zstd")


def _share(judged: Sequence[_Judged]) -> float:
    points = sum(len(item.times) for item in judged)
    return sum(int((item.scores >= 1.0).sum()) for item in judged) / max(points, 1)


def _against(judged: Sequence[_Judged], anomalies: Sequence[Anomaly]) -> dict[str, float | None]:
    labels = []
    for item in judged:
        label = np.zeros(len(item.times), bool)
        for anomaly in anomalies:
            if anomaly.entity == item.entity:
                start, end = (int(t.astype(np.int64)) for t in (anomaly.start, anomaly.end))
                label |= (item.times >= start) & (item.times < max(end, start + 1))
        labels.append(label)
    points = point_scores(np.concatenate([j.scores for j in judged]), np.concatenate(labels))
    events = event_scores([j.scores >= 1.0 for j in judged], labels, [float(j.interval_s) for j in judged])
    return {
        key: None if value is None or not math.isfinite(value) else value for key, value in (points | events).items()
    }
