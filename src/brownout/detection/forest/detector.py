"""Isolation forests over features in context, one for each kind of entity."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import skops.io
from sklearn.ensemble import IsolationForest

from brownout.detection.baseline.normal_periods import lasting, strange, tops
from brownout.detection.detector_settings import DetectorSettings
from brownout.detection.features.feature_table import FEATURES, Features, entity_features
from brownout.detection.forest.alarm_threshold import Threshold, fit_threshold
from brownout.detection.forest.deduplication import announce, news
from brownout.detection.forest.peak_tail import Tail, fit_tail
from brownout.domain.errors import DataError, ModelError, NotFittedError
from brownout.domain.findings import AnomalyScores
from brownout.domain.panel import DAY_S, Float, Panel
from brownout.numerics.rolling import rolling_mean
from brownout.numerics.slots import HOUR_S, whole_slots
from brownout.store.atomic import atomic_path, write_text

__all__ = ["Assessment", "Boundaries", "IsolationForestDetector", "Lesson"]

FORMAT = 6
BATCH = 200_000
TRUSTED = ["sklearn.tree._tree.Tree"]
"""The one type beyond skops' own list that may be loaded; its indices are checked before use."""
DEVIATING = {"now_largest": 0.1, "hour_largest": 0.1, "level_power": 0.1}
SURPRISING = {
    **dict.fromkeys(("novel_half", "novel3_half", "stir_half", "record_half"), 0.1),
    **dict.fromkeys(("calm_half", "calm3_half"), 0.05),
}
"""A forest cannot tell far from farther: logarithms of how far, by feature, that are added to its score. What deviates
clearly makes a level, of which episodes are made; what was never seen makes a surprise, of which news is made."""
WEIGHTS = np.array([[part.get(name, 0.0) for name in FEATURES] for part in (DEVIATING, SURPRISING)], np.float32)
NOW = FEATURES.index("now_largest")
ECHO, ECHO_SHARE = (4 * HOUR_S, 24), 0.25
"""A surprise after hours that were odd too counts for more: the share in it of the mean of the last four hours, or of
24 slots if that is longer."""
CALIBRATED = 200_000
"""Slots that boundaries are set on, of evenly chosen entities."""
FEW_DAYS, CAUTION = 2.0, 1.8
"""Days that tell too little: with so many the margin is 1.8 times as large, with a week it is nearly the plain one."""
FARTHEST = FEATURES.index("level_largest")
WARM_DAYS = 2.0
"""Days at the begin of a training panel whose features are not learned: their past is too short to expect anything."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Assessment:
    """How much each slot deviates and how surprising it is, float32 ``[entity, time]``: 1.0 = the boundary of each."""

    levels: Float
    surprises: Float


@dataclass(frozen=True, kw_only=True)
class Boundaries:
    """Where levels and surprises of ordinary days end, and how often a day a level reached how far, incidents included.

    ``tail`` is that of the tops of the ``watched`` days; None where too few were seen.
    """

    level: Threshold
    surprise: Threshold
    tail: Tail | None = None
    watched: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Lesson:
    """Features that a detector learns from, and how many slots were watched before the first."""

    features: Features
    interval_s: int
    known: int


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
    thresholds_: Mapping[str, Boundaries] = field(default_factory=dict)
    name: ClassVar[str] = "isolation-forest"

    def fit(self, panels: Iterable[Panel]) -> Self:
        """Learn what is ordinary from all slots of the panels, of which one at a time is held.

        Raises DataError where nothing was measured.
        """
        lessons: dict[str, list[Lesson]] = {}
        for panel in panels:
            slots = panel.values.shape[1]
            warm = min(int(WARM_DAYS * DAY_S / panel.interval_s), slots // 3)
            lesson = Lesson(features=entity_features(panel, warm), interval_s=panel.interval_s, known=warm)
            lessons.setdefault(panel.entities[0].kind, []).append(lesson)
        return self.learn(lessons)

    def learn(self, lessons: Mapping[str, Sequence[Lesson]]) -> Self:
        """Learn from features by kind of entity; raises DataError where nothing was measured."""
        forests: dict[str, IsolationForest] = {}
        thresholds: dict[str, Boundaries] = {}
        for kind, members in lessons.items():
            rows = self._rows([lesson.features for lesson in members])
            if not len(rows):
                continue
            forest = IsolationForest(
                n_estimators=self.settings.trees,
                max_samples=min(self.settings.samples, len(rows)),
                random_state=self.settings.seed,
            ).fit(rows)
            forests[kind] = forest
            thresholds[kind] = self._boundaries(forest, members)
        if not forests:
            raise DataError("There is nothing measured to learn from.", remedy="Give panels with values.")
        self.forests_, self.thresholds_ = forests, thresholds
        return self

    def _rows(self, members: Sequence[Features]) -> Float:
        """Rows that a forest is grown from, evenly drawn from all members."""
        rng = np.random.default_rng(self.settings.seed)
        share = max(self.settings.rows // len(members), 1)
        parts = []
        for features in members:
            rows = features.rows.reshape(-1, len(FEATURES))
            rows = rows[rng.permutation(len(rows))[: 2 * share]]
            parts.append(rows[np.isfinite(rows).all(axis=1)][:share])
        return np.concatenate(parts)

    def _boundaries(self, forest: IsolationForest, members: Sequence[Lesson]) -> Boundaries:
        """Boundaries that ordinary days cross at the rates of the settings."""
        parts = [_peaks(forest, lesson, CALIBRATED // len(members)) for lesson in members]
        rates = (self.settings.strays_a_day, self.settings.news_a_day)
        level, surprise = (
            fit_threshold(
                np.concatenate([part.values[which] for part in parts]),
                np.concatenate([part.peaks[which] for part in parts]),
                rate * sum(part.days[which] for part in parts),
            )
            for which, rate in enumerate(rates)
        )
        watched = max(lesson.known + lesson.features.rows.shape[1] for lesson in members) * members[0].interval_s
        caution = 1 + (FEW_DAYS * DAY_S / max(watched, 1)) ** 2
        tops_of_all = np.sort(np.concatenate([part.tops for part in parts]))[::-1].astype(np.float64)
        return Boundaries(
            level=level.farther(self.settings.margin * min(caution, CAUTION)),
            surprise=surprise,
            tail=fit_tail(tops_of_all),
            watched=sum(part.watched for part in parts),
        )

    def score(self, panel: Panel, start: int = 0) -> AnomalyScores:
        """Score the slots from ``start`` on; what lies before serves as history only."""
        features = entity_features(panel, start)
        assessed = self.assess(features, panel.entities[0].kind, panel.interval_s)
        return AnomalyScores(
            entities=panel.entity_ids,
            metrics=panel.metric_names,
            times=panel.times[start:],
            interval_s=panel.interval_s,
            scores=announce(assessed.surprises, start),
            deviations=features.deviations,
            levels=assessed.levels,
        )

    def assess(self, features: Features, kind: str, interval_s: int) -> Assessment:
        """How abnormal each slot is; NaN where nothing was measured."""
        forest, boundaries = self._own(kind)
        levels, surprises = _in_time(forest, features.rows, interval_s)
        return Assessment(levels=boundaries.level.apply(levels), surprises=boundaries.surprise.apply(surprises))

    def levels(self, features: Features, kind: str) -> Float:
        """How much each row of features deviates, whatever its neighbours are; NaN where nothing was measured."""
        forest, boundaries = self._own(kind)
        return boundaries.level.apply(_raw(forest, features.rows)[0])

    def per_day(self, kind: str, severity: float) -> float:
        """How often a day an entity was so severe in the days that were learned from; 0 where too few were seen."""
        _, boundaries = self._own(kind)
        if boundaries.tail is None:
            return 0.0
        return boundaries.tail.beyond(boundaries.level.raw(severity)) / boundaries.watched

    def _own(self, kind: str) -> tuple[IsolationForest, Boundaries]:
        if not self.forests_:
            raise NotFittedError("The detector has not been trained.", remedy="Call fit first, or load a stored one.")
        kind = kind if kind in self.forests_ else next(iter(self.forests_))
        return self.forests_[kind], self.thresholds_[kind]

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
                "boundaries": asdict(self.thresholds_[kind]),
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
            thresholds_={kind: _boundaries(facts["boundaries"]) for kind, facts in card["kinds"].items()},
        )


def _boundaries(table: Mapping[str, Any]) -> Boundaries:
    tail = table["tail"]
    return Boundaries(
        level=Threshold(**table["level"]),
        surprise=Threshold(**table["surprise"]),
        tail=None if tail is None else Tail(**{**tail, "highest": tuple(tail["highest"])}),
        watched=table["watched"],
    )


def _checked(forest: IsolationForest, folder: Path) -> IsolationForest:
    """A loaded forest whose trees point only to nodes and features that there are; scikit-learn would not look."""
    for tree in (estimator.tree_ for estimator in forest.estimators_):
        children = np.concatenate([tree.children_left, tree.children_right])
        if children.max() >= tree.node_count or children.min() < -1 or tree.feature.max() >= len(FEATURES):
            msg = f"A tree of the forest in {folder} points beyond its nodes or features."
            raise ModelError(msg, remedy="Do not use this model: train again, or fetch it from where it was reviewed.")
    return forest


@dataclass(frozen=True, eq=False)
class _Peaks:
    """Levels and surprises of ordinary slots, the tops of levels and the surprises that are news, the days covered.

    ``tops`` are those of all ``watched`` days, incidents included.
    """

    values: tuple[Float, Float]
    peaks: tuple[Float, Float]
    days: tuple[float, float]
    tops: Float
    watched: float


def _peaks(forest: IsolationForest, lesson: Lesson, slots: int) -> _Peaks:
    """What is learned about boundaries from whole entities of a lesson, evenly chosen, about ``slots`` together."""
    whole = lesson.features.rows
    entities = max(min(len(whole), slots // max(whole.shape[1], 1)), 1)
    rows = whole[np.linspace(0, len(whole) - 1, entities).astype(int)]
    plain = ~strange(np.expm1(rows[..., FARTHEST]), lesson.interval_s)
    levels, surprises = _in_time(forest, rows, lesson.interval_s)
    ordinary = np.where(plain, lasting(levels), np.nan)
    fresh = news(surprises - np.nanmin(surprises, initial=np.inf), lesson.known)
    values = ordinary[np.isfinite(ordinary)], surprises[np.isfinite(surprises)]
    days = len(values[0]) * lesson.interval_s / DAY_S, len(values[1]) * lesson.interval_s / DAY_S
    return _Peaks(
        values=values,
        peaks=(tops(ordinary, lesson.interval_s), surprises[fresh]),
        days=days,
        tops=tops(levels, lesson.interval_s),
        watched=float(np.isfinite(levels).sum()) * lesson.interval_s / DAY_S,
    )


def _in_time(forest: IsolationForest, rows: Float, interval_s: int) -> tuple[Float, Float]:
    """Levels and surprises of rows ``[entity, time, feature]`` in the light of the slots before."""
    levels, surprises = _raw(forest, rows)
    return _settled(levels, rows[..., NOW]), _echoed(surprises, interval_s)


def _settled(levels: Float, now: Float) -> Float:
    """Levels without what the sample adds that did not deviate a slot earlier: one odd sample is no level."""
    settled = levels.copy()
    settled[:, 1:] -= DEVIATING["now_largest"] * np.fmax(now[:, 1:] - now[:, :-1], 0)
    return settled


def _echoed(surprises: Float, interval_s: int) -> Float:
    """Surprises with their share of the mean of those of the last hours, as far as these are there."""
    width = whole_slots(ECHO[0], interval_s, least=ECHO[1])
    echoed: Float = (1 - ECHO_SHARE) * surprises + ECHO_SHARE * rolling_mean(surprises, width)
    return echoed


def _raw(forest: IsolationForest, rows: Float) -> tuple[Float, Float]:
    """Levels and surprises of rows ``[entity, time, feature]`` in the forest's own units, higher = more abnormal."""
    flat = rows.reshape(-1, rows.shape[-1])
    known = np.flatnonzero(np.isfinite(flat).all(axis=1))
    found = np.full((2, len(flat)), np.nan, np.float32)
    for first in range(0, len(known), BATCH):
        chosen = known[first : first + BATCH]
        found[:, chosen] = WEIGHTS @ flat[chosen].T - forest.score_samples(flat[chosen])
    levels, surprises = found.reshape(2, *rows.shape[:2])
    return levels, surprises
