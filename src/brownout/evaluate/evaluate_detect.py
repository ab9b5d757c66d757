"""Judge the detector on a data set: every sample is scored before it is learned."""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from brownout.detection.detector_settings import DetectorSettings
from brownout.detection.episodes.segmentation import in_progress
from brownout.detection.features.feature_table import Features, entity_features
from brownout.detection.forest.deduplication import deduplicated
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.detection.forest.training_set import TrainingSet
from brownout.domain.panel import Float, Panel
from brownout.domain.ports import Progress, no_progress
from brownout.domain.truth import Anomaly
from brownout.evaluate.evaluate_alarms import judge_alarms
from brownout.evaluate.own_nights import OwnNights, can_be_diagnosed, own_nights
from brownout.evaluate.replay import nights_of
from brownout.evaluation.alarm_tracks import AlarmTrack, incident_scores
from brownout.evaluation.detection_scores import event_scores, point_scores
from brownout.evaluation.volume import volume_under_pr
from brownout.ingest.clean import clean
from brownout.nightly.night_span import NightSpan
from brownout.settings import Settings
from brownout.site_knowledge import load_definitions
from brownout.store.atomic import atomic_path
from brownout.store.dataset import Dataset
from brownout.store.plain_json import write_json
from brownout.store.shards import ShardPlan, plan_shards, read_shard

__all__ = ["evaluate_detect"]

WARM_SHARE = 0.15
"""Share of each series that is only learned from, where the data set has no ``test_start``."""
REFITS = 4
"""How often the detector learns on the way through a long test: at equal parts of it, from all that lies before."""
LEARNED_SLOTS = 600_000
"""Slots of a kind of entity that a detector is learned from: evenly chosen entities, whatever the size of the fleet."""
WARM_DAYS = 2.0
"""Days at the begin of a series whose features are not learned: their past is too short to expect anything."""

Times = npt.NDArray[np.int64]
Marks = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Judged:
    """Scores and alarms of one entity at its own sample times (ms)."""

    entity: str
    interval_s: int
    times: Times
    scores: Float
    alarms: Marks


@dataclass(frozen=True, eq=False)
class _Course:
    """Series of one span with their features; ``edges`` are the slots at which a detector takes over from the last."""

    panel: Panel
    features: Features
    edges: tuple[int, ...]

    def training_set(self, stage: int) -> TrainingSet:
        """The data before the stage."""
        last = self.edges[stage]
        warm = min(int(WARM_DAYS * 86_400 / self.panel.interval_s), last // 3)
        return TrainingSet(features=self.features.between(warm, last), interval_s=self.panel.interval_s, monitored=warm)


def evaluate_detect(  # noqa: PLR0913 - the protocol has this many knobs
    dataset: Dataset,
    out: Path,
    progress: Progress = no_progress,
    *,
    settings: DetectorSettings | None = None,
    most_warm: int | None = None,
    site: Path | None = None,
) -> dict[str, object]:
    """Write ``scores.parquet`` (entity, time, score, alarm) and ``scores.json``; returns the scores.

    Every distinct time of an entity from the test start on gets the score of its slot, and whether an episode was known
    to be going on. With a ``test_start`` the detector learns once, from what lies before; without one it learns from
    the first 15 % of every series, at most ``most_warm`` slots, and again on the way.

    Where a diagnosis is possible, the test is also gone through night after night as the product does: ``alarm`` marks
    the episodes that are alarmed in the end, without artefacts and outliers, and ``alarms`` judges them. ``site`` is a
    folder of a site's own metrics, rules and causes.
    """
    started = time.monotonic()
    settings = settings or DetectorSettings()
    detectors = _learn(dataset, settings, most_warm, progress)
    judged: list[_Judged] = []
    plans = plan_shards(dataset)
    for done, plan in enumerate(plans):
        for course in _courses(dataset, plan, most_warm):
            judged += _judge(dataset, course, detectors)
        progress("detect", (done + 1) / len(plans))
    definitions = load_definitions(site)
    nights = _nights(dataset, site, progress) if can_be_diagnosed(dataset, definitions.catalogue) else None
    if nights is not None:
        judged = _with_alarms(judged, nights)
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
    if nights is not None:
        result["alarms"] = judge_alarms(dataset, nights, definitions.knowledge)
    elif dataset.incidents:
        tracks = [AlarmTrack(j.entity, j.interval_s, j.times.astype("datetime64[ms]"), j.alarms) for j in judged]
        result["incidents"] = incident_scores(tracks, dataset.incidents, dataset.topology)
    write_json(out / "scores.json", result)
    return result


def _learn(
    dataset: Dataset, settings: DetectorSettings, most_warm: int | None, progress: Progress
) -> list[IsolationForestDetector]:
    """A detector for each stage of the test, from evenly chosen entities of each kind."""
    chosen = _evenly(dataset)
    plans = plan_shards(dataset, entities=chosen)
    courses: dict[str, list[_Course]] = {}
    for done, plan in enumerate(plans):
        for course in _courses(dataset, plan, most_warm):
            courses.setdefault(plan.kind, []).append(course)
        progress("learn", (done + 1) / len(plans))
    stages = 1 if dataset.test_start is not None else REFITS
    training_sets = (
        {kind: [course.training_set(stage) for course in members] for kind, members in courses.items()}
        for stage in range(stages)
    )
    return [IsolationForestDetector(settings).learn(training_set) for training_set in training_sets]


def _evenly(dataset: Dataset) -> set[str]:
    """Entities that together have as many slots as are learned from, by kind."""
    kinds: dict[str, list[tuple[str, int]]] = {}
    for entity, span in dataset.spans().items():
        slots = int((span.last - span.first) / np.timedelta64(span.interval_s * 1000, "ms")) + 1
        kinds.setdefault(dataset.topology[entity].kind, []).append((entity, slots))
    chosen = set()
    for members in kinds.values():
        usual = max(sum(slots for _, slots in members) // len(members), 1)
        count = min(max(LEARNED_SLOTS // usual, 1), len(members))
        chosen |= {members[index][0] for index in np.linspace(0, len(members) - 1, count).astype(int)}
    return chosen


def _courses(dataset: Dataset, plan: ShardPlan, most_warm: int | None) -> list[_Course]:
    """Features of a shard, series of equal span together; what has nothing before or in its test is left out."""
    panel = read_shard(dataset, plan).panel
    spans: dict[tuple[int, int], list[int]] = {}
    measured = np.logical_or.reduce(np.isfinite(panel.values), axis=2)
    for row, marks in enumerate(measured):
        slots = np.flatnonzero(marks)
        if len(slots):
            spans.setdefault((int(slots[0]), int(slots[-1]) + 1), []).append(row)
    courses = []
    for (first, last), rows in spans.items():
        part = panel.select(entities=rows)
        part = part.between(panel.start + first * panel.step, panel.start + last * panel.step)
        edges = _edges(part, dataset.test_start, most_warm)
        if edges[0] < edges[-1]:
            courses.append(_Course(part, entity_features(part), edges))
    return courses


def _edges(panel: Panel, test_start: np.datetime64 | None, most_warm: int | None) -> tuple[int, ...]:
    slots = panel.values.shape[1]
    if test_start is not None:
        return (min(max(panel.slot(test_start), 1), slots), slots)
    warm = min(math.ceil(WARM_SHARE * slots), slots if most_warm is None else most_warm)
    return tuple(np.linspace(max(warm, 1), slots, REFITS + 1).astype(int).tolist())


def _judge(dataset: Dataset, course: _Course, detectors: Sequence[IsolationForestDetector]) -> list[_Judged]:
    """Score the test part of a course; each stage by a detector that has seen only what lies before it."""
    panel, kind = course.panel, course.panel.entities[0].kind
    parts = [
        detector.assess(course.features.between(first, last), kind, panel.interval_s)
        for detector, (first, last) in zip(detectors, pairwise(course.edges), strict=True)
    ]
    novelties = np.concatenate([part.novelties for part in parts], axis=1)
    related = np.concatenate([part.related for part in parts], axis=1)
    scores = deduplicated(novelties, course.edges[0], related)
    alarms = in_progress(np.concatenate([part.levels for part in parts], axis=1), panel.interval_s)
    rows, _ = clean(dataset.read(panel.entity_ids), panel.entity_ids, dataset.metrics)
    judged = []
    for row, entity in enumerate(panel.entity_ids):
        times = rows.times[rows.codes == rows.entities.index(entity)]
        judged.append(_at_samples(course, entity, times, scores[row], alarms[row]))
    return judged


def _at_samples(course: _Course, entity: str, times: Times, scores: Float, alarms: Marks) -> _Judged:
    """Scores at the original times of the test; 0 where a slot had nothing to score."""
    panel = course.panel
    origin = int(panel.start.astype("datetime64[ms]").astype(np.int64))
    slot = (times - origin) // (panel.interval_s * 1000) - course.edges[0]
    inside = (slot >= 0) & (slot < len(scores))
    slots = slot[inside]
    return _Judged(entity, panel.interval_s, times[inside], np.nan_to_num(scores[slots]), alarms[slots])


def _nights(dataset: Dataset, site: Path | None, progress: Progress) -> OwnNights:
    """What the product's own nights find from the test start on."""
    settings = Settings(knowledge=site)
    whole = NightSpan.of(dataset, settings)
    warm = whole.first + (whole.end - whole.first) * WARM_SHARE
    first = warm if dataset.test_start is None else dataset.test_start
    return own_nights(dataset, settings, tuple(nights_of(dataset, settings, first)), progress)


def _with_alarms(judged: Sequence[_Judged], nights: OwnNights) -> list[_Judged]:
    """What was judged, with the alarms of the nights in place of those of the detector alone."""
    tracks = {track.entity: track for track in nights.alarms()}
    return [
        replace(item, alarms=tracks[item.entity].at(item.times.astype("datetime64[ms]")))
        if item.entity in tracks
        else replace(item, alarms=np.zeros_like(item.alarms))
        for item in judged
    ]


def _write(path: Path, judged: Sequence[_Judged]) -> None:
    columns = {
        "entity": pa.array([j.entity for j in judged for _ in range(len(j.times))], pa.string()).dictionary_encode(),
        "time": pa.array(
            np.concatenate([j.times for j in judged] or [np.empty(0, np.int64)]), pa.timestamp("ms", "UTC")
        ),
        "score": pa.array(np.concatenate([j.scores for j in judged] or [np.empty(0, np.float32)])),
    }
    table = pa.table(columns)
    table = table.append_column("alarm", pa.array(np.concatenate([j.alarms for j in judged] or [np.empty(0, bool)])))
    with atomic_path(path) as part:
        pq.write_table(table, part, compression="zstd")


def _share(judged: Sequence[_Judged]) -> float:
    points = sum(len(item.times) for item in judged)
    return sum(int(item.alarms.sum()) for item in judged) / max(points, 1)


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
    volumes = [volume_under_pr(item.scores, label) for item, label in zip(judged, labels, strict=True) if label.any()]
    points["vus_pr"] = float(np.mean(volumes)) if volumes else float("nan")
    events = event_scores([j.alarms for j in judged], labels, [float(j.interval_s) for j in judged])
    return {
        key: None if value is None or not math.isfinite(value) else value for key, value in (points | events).items()
    }
