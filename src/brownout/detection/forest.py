"""Isolation forests over features in context, one for each kind of entity."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import skops.io
from sklearn.ensemble import IsolationForest

from brownout.detection.features import FEATURES, Features, entity_features
from brownout.detection.settings import DetectorSettings
from brownout.detection.threshold import Threshold, fit_threshold
from brownout.domain.errors import DataError, ModelError, NotFittedError
from brownout.domain.findings import AnomalyScores
from brownout.domain.panel import Float, Panel
from brownout.domain.ports import Progress, no_progress
from brownout.telemetry.atomic import atomic_path, write_text

__all__ = ["IsolationForestDetector"]

FORMAT = 1
BATCH = 200_000
TRUSTED = ["sklearn.tree._tree.Tree"]
"""The one type beyond skops' own list that may be loaded; its indices are checked before use."""
STRANGE_FEATURE = FEATURES.index("quarter_largest")
STRANGE = 15.0
"""Spreads from which a quarter of an hour is no ordinary one."""
STRANGE_SHARE = 0.05
WARM_DAYS = 2.0
"""Days at the begin of a training panel whose features are not learned: their past is too short to expect anything."""


@dataclass
class IsolationForestDetector:
    """Scores entities by how easily a forest isolates their features from ordinary ones.

    Attributes
    ----------
    forests_, thresholds_
        By kind of entity; a kind that was never seen is scored by the one with the most training rows.
    """

    settings: DetectorSettings = field(default_factory=DetectorSettings)
    forests_: Mapping[str, IsolationForest] = field(default_factory=dict)
    thresholds_: Mapping[str, Threshold] = field(default_factory=dict)
    name: ClassVar[str] = "isolation-forest"

    def fit(self, panels: Sequence[Panel], progress: Progress = no_progress) -> Self:
        """Learn what is ordinary from all slots of the panels; raises DataError where nothing was measured."""
        kinds: dict[str, list[Panel]] = {}
        for panel in panels:
            kinds.setdefault(panel.entities[0].kind, []).append(panel)
        forests, thresholds = {}, {}
        rng = np.random.default_rng(self.settings.seed)
        for done, (kind, members) in enumerate(kinds.items()):
            rows = self._rows(members, rng)
            if not len(rows):
                continue
            forest = IsolationForest(
                n_estimators=self.settings.trees,
                max_samples=min(self.settings.samples, len(rows)),
                random_state=self.settings.seed,
            ).fit(rows)
            rows = _ordinary(rows)
            slots_a_day = 86_400 / members[0].interval_s
            forests[kind] = forest
            thresholds[kind] = fit_threshold(_raw(forest, rows), self.settings.alarms_a_day / slots_a_day)
            progress("train the detector", (done + 1) / len(kinds))
        if not forests:
            raise DataError("There is nothing measured to learn from.", remedy="Give panels with values.")
        self.forests_, self.thresholds_ = forests, thresholds
        return self

    def _rows(self, panels: Sequence[Panel], rng: np.random.Generator) -> Float:
        share = max(self.settings.rows // len(panels), 1)
        parts = []
        for panel in panels:
            slots = panel.values.shape[1]
            warm = min(int(WARM_DAYS * 86_400 / panel.interval_s), slots // 3)
            rows = entity_features(panel, warm).rows.reshape(-1, len(FEATURES))
            rows = rows[np.isfinite(rows).all(axis=1)]
            parts.append(rows[rng.permutation(len(rows))[:share]])
        return np.concatenate(parts)

    def score(self, panel: Panel, start: int = 0) -> AnomalyScores:
        """Score the slots from ``start`` on; what lies before serves as history only."""
        if not self.forests_:
            raise NotFittedError("The detector has not been trained.", remedy="Call fit first, or load a stored one.")
        features = entity_features(panel, start)
        kind = panel.entities[0].kind
        kind = kind if kind in self.forests_ else next(iter(self.forests_))
        return AnomalyScores(
            entities=panel.entity_ids,
            metrics=panel.metric_names,
            times=panel.times[start:],
            interval_s=panel.interval_s,
            scores=self._scores(features, kind),
            deviations=features.deviations,
        )

    def _scores(self, features: Features, kind: str) -> Float:
        rows = features.rows.reshape(-1, len(FEATURES))
        known = np.isfinite(rows).all(axis=1)
        scores = np.full(len(rows), np.nan, np.float32)
        if known.any():
            scores[known] = self.thresholds_[kind].apply(_raw(self.forests_[kind], rows[known]))
        return scores.reshape(features.rows.shape[:2])

    def save(self, folder: Path) -> None:
        """Write ``detector.json`` and one skops file a kind; nothing is pickled."""
        if not self.forests_:
            raise NotFittedError("The detector has not been trained.", remedy="Call fit before save.")
        kinds = {}
        for number, (kind, forest) in enumerate(self.forests_.items()):
            file = f"forest-{number}.skops"
            data = skops.io.dumps(forest)
            with atomic_path(folder / file) as part:
                part.write_bytes(data)
            kinds[kind] = {
                "file": file,
                "sha256": hashlib.sha256(data).hexdigest(),
                "threshold": asdict(self.thresholds_[kind]),
            }
        card = {"format": FORMAT, "features": FEATURES, "settings": asdict(self.settings), "kinds": kinds}
        write_text(folder / "detector.json", json.dumps(card, indent=1))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a stored detector; raises ModelError where it is damaged, changed or from another version."""
        try:
            card = json.loads((folder / "detector.json").read_text(encoding="utf-8"))
            blobs = {kind: (folder / facts["file"]).read_bytes() for kind, facts in card["kinds"].items()}
        except (OSError, ValueError, KeyError) as error:
            msg = f"{folder} holds no detector: {error}."
            raise ModelError(msg, remedy="Give the folder of a trained detector.") from error
        if card["format"] != FORMAT or tuple(card["features"]) != FEATURES:
            msg = f"The detector in {folder} was made for other features."
            raise ModelError(msg, remedy="Train again with this version of brownout.")
        for kind, data in blobs.items():
            if hashlib.sha256(data).hexdigest() != card["kinds"][kind]["sha256"]:
                msg = f"The forest of {kind!r} in {folder} is not the one that its card describes."
                raise ModelError(msg, remedy="Train again, or fetch the whole model again.")
        return cls(
            settings=DetectorSettings(**card["settings"]),
            forests_={kind: _checked(skops.io.loads(data, trusted=TRUSTED), folder) for kind, data in blobs.items()},
            thresholds_={kind: Threshold(**facts["threshold"]) for kind, facts in card["kinds"].items()},
        )


def _checked(forest: IsolationForest, folder: Path) -> IsolationForest:
    """A loaded forest whose trees point only to nodes and features that there are; scikit-learn would not look."""
    for tree in (estimator.tree_ for estimator in forest.estimators_):
        children = np.concatenate([tree.children_left, tree.children_right])
        if children.max() >= tree.node_count or children.min() < -1 or tree.feature.max() >= len(FEATURES):
            msg = f"A tree of the forest in {folder} points beyond its nodes or features."
            raise ModelError(msg, remedy="Do not use this model: train again, or fetch it from where it was reviewed.")
    return forest


def _ordinary(rows: Float) -> Float:
    """Rows without those of past incidents: far from every expectation, and few of them.

    Where such rows are common they are how this telemetry behaves, and all are kept.
    """
    strange = rows[:, STRANGE_FEATURE] > np.log1p(STRANGE)
    return rows[~strange] if strange.mean() < STRANGE_SHARE else rows


def _raw(forest: IsolationForest, rows: Float) -> Float:
    """Isolation score of rows, higher = more abnormal, some at a time."""
    parts = [-forest.score_samples(rows[first : first + BATCH]) for first in range(0, len(rows), BATCH)]
    return np.concatenate(parts).astype(np.float32)
