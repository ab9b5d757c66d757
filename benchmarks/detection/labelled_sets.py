"""Labelled sets of entities with several metrics, each in panels with the slot at which judging begins."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from brownout.detection.features.feature_table import Features, entity_features
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.detection.forest.training_set import TrainingSet
from brownout.domain.panel import Panel
from brownout.domain.truth import Incident
from brownout.store.dataset import Dataset
from brownout.store.shards import plan_shards, read_shard

__all__ = ["LabelledSet", "Part", "Values", "read_folder", "read_spans"]

Values = npt.NDArray[np.float64]
Marks = npt.NDArray[np.bool_]
LEARNED = 0.4
"""Share of a folder without ``test_start`` that is learned from and not judged."""
WARM = 2.0
"""Days whose past is too short to learn from."""
MOST = 6
"""Most entities of a set that are judged, evenly chosen: each costs every peer a training."""


@dataclass(frozen=True, eq=False)
class Part:
    """A panel of entities of one kind with their labels ``[entity, time]``; judged from the slot ``split`` on."""

    panel: Panel
    labels: Marks
    split: int

    @property
    def judged(self) -> list[int]:
        """Rows of the entities that have labels where they are judged, and were measured before."""
        known = np.isfinite(self.panel.values[:, : self.split]).any(axis=(1, 2))
        return np.flatnonzero(known & self.labels[:, self.split :].any(axis=1)).tolist()

    @cached_property
    def features(self) -> Features:
        """Features of all entities."""
        return entity_features(self.panel)

    def learned(self, rows: Sequence[int]) -> TrainingSet:
        """What a detector learns of some entities before judging begins."""
        warm = min(int(WARM * self.panel.slots_per_day), self.split // 3)
        known = self.features.between(warm, self.split)
        return TrainingSet(
            features=Features(known.rows[list(rows)], known.deviations[list(rows)]),
            interval_s=self.panel.interval_s,
            monitored=warm,
        )

    def standardised(self, row: int) -> Values:
        """What was measured of an entity: gaps filled with the last value, in deviations of the part learned from."""
        values = self.panel.values[row].astype(np.float64)
        values = values[:, np.isfinite(values[: self.split]).any(axis=0)]
        seen = np.isfinite(values)
        first = np.take_along_axis(values, seen.argmax(axis=0)[None], axis=0)
        last = np.maximum.accumulate(np.where(seen, np.arange(len(values))[:, None], -1), axis=0)
        filled = np.where(last < 0, first, np.take_along_axis(values, np.maximum(last, 0), axis=0))
        before = filled[: self.split]
        return (filled - before.mean(axis=0)) / np.maximum(
            before.std(axis=0), 1e-3 * np.abs(before.mean(axis=0)) + 1e-6
        )


@dataclass(frozen=True, eq=False)
class LabelledSet:
    """Parts that belong together: one detector learns all those of a kind."""

    name: str
    parts: tuple[Part, ...]

    def judged(self, *, every: bool = False) -> list[tuple[Part, int]]:
        """Entities that are judged, with their rows: ``every`` one, or at most ``MOST``."""
        found = [(part, row) for part in self.parts for row in part.judged]
        return found if every else [found[place] for place in evenly(len(found))]

    def half(self, first: int, name: str) -> "LabelledSet":
        """Every second entity, from the first or the second one on."""
        chosen = []
        for part in self.parts:
            rows = range(first, len(part.panel.entities), 2)
            chosen.append(Part(part.panel.select(entities=rows), part.labels[rows], part.split))
        return LabelledSet(name, tuple(chosen))

    def detectors(self) -> Mapping[str, IsolationForestDetector]:
        """A detector of each kind, learned before judging begins."""
        kinds: dict[str, list[TrainingSet]] = {}
        for part in self.parts:
            kinds.setdefault(part.panel.entities[0].kind, []).append(part.learned(range(len(part.panel.entities))))
        return {kind: IsolationForestDetector().learn({kind: members}) for kind, members in kinds.items()}


def read_folder(folder: Path) -> LabelledSet:
    """A dataset folder with ``anomalies.csv``; kinds of entities without labels are left out."""
    dataset = Dataset.open(folder)
    spans: dict[str, list[tuple[np.datetime64, np.datetime64]]] = {}
    for anomaly in dataset.anomalies:
        spans.setdefault(anomaly.entity, []).append((anomaly.start, anomaly.end))
    parts = []
    for plan in plan_shards(dataset):
        panel = read_shard(dataset, plan).panel.measured()
        split = int(LEARNED * len(panel.times)) if dataset.test_start is None else panel.slot(dataset.test_start)
        part = Part(panel, _labels(panel, spans), split)
        if part.judged:
            parts.append(part)
    return LabelledSet(folder.name, tuple(parts))


def read_spans(folder: Path) -> LabelledSet:
    """A dataset folder of short spans with one fault each; the culprit is judged, from half of what is before it."""
    dataset = Dataset.open(folder)
    wanted = [dataset.incidents[place] for place in evenly(len(dataset.incidents))]
    return LabelledSet(folder.name, tuple(_spans(dataset, wanted)))


def evenly(count: int) -> list[int]:
    """At most ``MOST`` of as many places."""
    return sorted(set(np.linspace(0, count - 1, min(MOST, count)).astype(int).tolist()))


def _spans(dataset: Dataset, incidents: Sequence[Incident]) -> Iterator[Part]:
    for incident in incidents:
        kind = dataset.topology[incident.entity].kind
        members = {e.id for e in dataset.topology if e.group == incident.group and e.kind == kind}
        for plan in plan_shards(dataset, entities=members):
            panel = read_shard(dataset, plan).panel.measured()
            labels = _labels(panel, {incident.entity: [(incident.start, incident.end)]})
            part = Part(panel, labels, panel.slot(incident.start) // 2)
            if part.judged:
                yield part


def _labels(panel: Panel, spans: Mapping[str, Sequence[tuple[np.datetime64, np.datetime64]]]) -> Marks:
    labels = np.zeros(panel.values.shape[:2], bool)
    for row, entity in enumerate(panel.entity_ids):
        for start, end in spans.get(entity, ()):
            labels[row, max(panel.slot(start), 0) : max(panel.slot(end), 0)] = True
    return labels
