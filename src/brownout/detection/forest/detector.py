"""The anomaly detector: isolation forests over features, one for each kind of entity.

It gives two scores. Episodes are made from the level, which says how far metrics deviate; new alarms from the novelty,
which says how unlike everything before a slot is.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.ensemble import IsolationForest

from brownout.detection.baseline.normal_periods import block_peaks, sustained, unusual
from brownout.detection.detector_settings import DetectorSettings
from brownout.detection.features.feature_table import FEATURES, FOREST_FEATURES, Features, entity_features
from brownout.detection.forest.alarm_threshold import Threshold, fit_threshold, robust_line
from brownout.detection.forest.deduplication import deduplicated, new_alarms
from brownout.detection.forest.forest_check import READ_ERRORS, forest_bytes, forest_data, read_forest
from brownout.detection.forest.forest_scores import RawScores, levels_and_novelties, raw_scores
from brownout.detection.forest.peak_tail import Tail, fit_tail
from brownout.detection.forest.training_set import Spans, TrainingSet, training_set_of
from brownout.domain.errors import DataError, ModelError, NotFittedError
from brownout.domain.findings import AnomalyScores
from brownout.domain.panel import DAY_S, Float, Marks, Panel
from brownout.store.atomic import atomic_path, write_text
from brownout.store.plain_json import checked, read_json, with_checksum

__all__ = ["Assessment", "Boundaries", "IsolationForestDetector"]

FORMAT = 10
CALIBRATED = 200_000
"""Most slots that boundaries are set on, of evenly chosen entities."""
FEW_DAYS, CAUTION = 2.0, 1.8
"""With two days of history the margin is up to 1.8 times as large, since they show little; with a week hardly more."""
FARTHEST = FEATURES.index("level_largest")
EXTREME = 3.0
"""Severity that no healthy day comes near."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Assessment:
    """Level and novelty of each slot, float32 ``[entity, time]``; 1.0 = the boundary of each.

    ``related`` marks the slots at which relations between metrics are known, where a novelty lasts as long as it goes
    on.
    """

    levels: Float
    novelties: Float
    related: Marks


@dataclass(frozen=True, kw_only=True)
class Boundaries:
    """Alarm boundaries of level and novelty, and the distribution of peaks of the level.

    ``tail`` is that of all peaks but those of known incidents, on ``monitored_days`` days of entities; None where they
    are too few.
    """

    level: Threshold
    novelty: Threshold
    tail: Tail | None = None
    monitored_days: float = 0.0


@dataclass
class IsolationForestDetector:
    """Scores entities by how easily a forest isolates their features from normal ones.

    Attributes
    ----------
    forests_, thresholds_
        By kind of entity; a kind that was not learned is scored by the first one.
    waits_
        Whether there was too little history to learn from: then nothing has a score.
    """

    settings: DetectorSettings = field(default_factory=DetectorSettings)
    forests_: Mapping[str, IsolationForest] = field(default_factory=dict)
    thresholds_: Mapping[str, Boundaries] = field(default_factory=dict)
    waits_: bool = False
    name: ClassVar[str] = "isolation-forest"

    def fit(self, panels: Iterable[Panel], incidents: Spans | None = None) -> Self:
        """Learn what is normal from all slots of the panels; panels of one kind of entity must follow each other.

        ``incidents`` are spans of entities, by name, from which nothing is learned.
        One panel, and the features of one kind, are held in memory. Raises DataError where nothing was measured, or a
        kind comes again after another one.
        """
        forests: dict[str, IsolationForest] = {}
        thresholds: dict[str, Boundaries] = {}
        kinds: list[str] = []
        with_entities = (panel for panel in panels if panel.entities)
        for kind, members in groupby(with_entities, key=lambda panel: panel.entities[0].kind):
            if kind in kinds:
                raise DataError(
                    f"Panels of kind {kind!r} come in two places.", remedy="Give the panels sorted by kind."
                )
            kinds.append(kind)
            learned = self._learn_kind([training_set_of(panel, incidents) for panel in members])
            if learned is not None:
                forests[kind], thresholds[kind] = learned
        return self._learned(kinds, forests, thresholds)

    def wait(self) -> Self:
        """A detector for a history that is too short to learn from: it scores nothing, and says nothing."""
        self.forests_, self.thresholds_, self.waits_ = {}, {}, True
        return self

    def learn(self, training_sets: Mapping[str, Sequence[TrainingSet]]) -> Self:
        """Learn from features by kind of entity; raises DataError where nothing was measured."""
        forests: dict[str, IsolationForest] = {}
        thresholds: dict[str, Boundaries] = {}
        for kind, members in training_sets.items():
            learned = self._learn_kind(members)
            if learned is not None:
                forests[kind], thresholds[kind] = learned
        return self._learned(list(training_sets), forests, thresholds)

    def _learn_kind(self, members: Sequence[TrainingSet]) -> tuple[IsolationForest, Boundaries] | None:
        """Forest and boundaries of one kind of entity; None where too little was measured."""
        rows = self._rows([training_set.features for training_set in members])
        if not len(rows):
            return None
        forest = IsolationForest(
            n_estimators=self.settings.trees,
            max_samples=min(self.settings.samples, len(rows)),
            random_state=self.settings.seed,
        ).fit(rows[:, : len(FOREST_FEATURES)])
        boundaries = self._boundaries(forest, members)
        return None if boundaries is None else (forest, boundaries)

    def _learned(
        self, kinds: Sequence[str], forests: Mapping[str, IsolationForest], thresholds: Mapping[str, Boundaries]
    ) -> Self:
        if not forests:
            msg = f"Of no kind of entity enough was measured to learn from: {sorted(kinds) or 'there is none'}."
            raise DataError(msg, remedy="Give panels in which entities have values in at least three slots.")
        self.forests_, self.thresholds_, self.waits_ = forests, thresholds, False
        return self

    def _rows(self, members: Sequence[Features]) -> Float:
        """Rows that a forest is trained on, drawn evenly from all members."""
        rng = np.random.default_rng(self.settings.seed)
        share = max(self.settings.rows // len(members), 1)
        parts = []
        for features in members:
            rows = features.rows.reshape(-1, len(FEATURES))
            drawn = rows[rng.permutation(len(rows))[: 2 * share]]
            drawn = drawn[np.isfinite(drawn).all(axis=1)]
            # Of entities that are rarely measured the draw may have missed every slot with a value.
            parts.append((drawn if len(drawn) else rows[np.isfinite(rows).all(axis=1)])[:share])
        return np.concatenate(parts)

    def _boundaries(self, forest: IsolationForest, members: Sequence[TrainingSet]) -> Boundaries | None:
        """Boundaries that normal days exceed at the rates of the settings; None where too little was measured."""
        parts = [_peaks(forest, training_set, CALIBRATED // len(members)) for training_set in members]
        if not any(len(part.values[0]) for part in parts):
            return None
        rates = (self.settings.level_alarms_per_day, self.settings.new_alarms_per_day)
        peaks = [np.concatenate([part.peaks[which] for part in parts]) for which in (0, 1)]
        expected = [rate * sum(part.days[which] for part in parts) for which, rate in enumerate(rates)]
        level, novelty = (
            fit_threshold(np.concatenate([part.values[which] for part in parts]), peaks[which], expected[which])
            for which in (0, 1)
        )
        line = robust_line(peaks[0], expected[0])
        if line < level.boundary:
            level = replace(level, boundary=max(line, level.centre + 1e-6))
        history = max(member.monitored + member.features.rows.shape[1] for member in members)
        history_s = history * members[0].interval_s
        caution = 1 + (FEW_DAYS * DAY_S / max(history_s, 1)) ** 2
        return Boundaries(
            level=level.farther(self.settings.margin * min(caution, CAUTION)),
            novelty=novelty,
            tail=fit_tail(np.sort(np.concatenate([part.all_peaks for part in parts]))[::-1].astype(np.float64)),
            monitored_days=sum(part.monitored_days for part in parts),
        )

    def score(self, panel: Panel, start: int = 0) -> AnomalyScores:
        """Score the slots from ``start`` on; what lies before serves as history only."""
        features = entity_features(panel, start)
        return self.judged(panel, start, self.raw_scores(features, panel), features.deviations)

    def judged(self, panel: Panel, start: int, raw: RawScores, deviations: Float) -> AnomalyScores:
        """Scores of the slots of a panel from ``start`` on, of what the forest says of each of them."""
        assessed = self._assessed(raw, _kind_of(panel), panel.interval_s)
        return AnomalyScores(
            entities=panel.entity_ids,
            metrics=panel.metric_names,
            times=panel.times[start:],
            interval_s=panel.interval_s,
            scores=deduplicated(assessed.novelties, start, assessed.related),
            deviations=deviations,
            levels=assessed.levels,
        )

    def raw_scores(self, features: Features, panel: Panel) -> RawScores:
        """What the forest of a panel's kind says of features; NaN where nothing was measured, or the detector waits."""
        return self._raw_scores(features, _kind_of(panel))

    def _raw_scores(self, features: Features, kind: str) -> RawScores:
        if self.waits_:
            nothing = np.full(features.rows.shape[:2], np.nan, np.float32)
            return RawScores(nothing, nothing, nothing, np.zeros(nothing.shape, bool))
        return raw_scores(self._of_kind(kind)[0], features.rows)

    def assess(self, features: Features, kind: str, interval_s: int) -> Assessment:
        """Level and novelty of each slot of features; NaN where nothing was measured."""
        return self._assessed(self._raw_scores(features, kind), kind, interval_s)

    def _assessed(self, raw: RawScores, kind: str, interval_s: int) -> Assessment:
        if self.waits_:
            return Assessment(levels=raw.levels, novelties=raw.novelties.copy(), related=raw.related)
        _, boundaries = self._of_kind(kind)
        levels, novelties = levels_and_novelties(raw, interval_s)
        return Assessment(
            levels=boundaries.level.apply(levels),
            novelties=boundaries.novelty.apply(novelties),
            related=raw.related,
        )

    def levels(self, features: Features, kind: str) -> Float:
        """Level of each row of features, without regard to the slots before it; NaN where nothing was measured."""
        forest, boundaries = self._of_kind(kind)
        return boundaries.level.apply(raw_scores(forest, features.rows).levels)

    def per_day(self, kind: str, severity: float) -> float:
        """How often a day an entity reached a severity in the history learned from.

        What is not extreme is not known to be rarer than once in all of the history, whatever its tail promises.
        """
        if self.waits_:
            return 0.0
        _, boundaries = self._of_kind(kind)
        once = 1.0 if severity < EXTREME else 0.0
        tail = boundaries.tail
        beyond = once if tail is None else tail.beyond(boundaries.level.raw(severity))
        return max(beyond, once) / max(boundaries.monitored_days, 1)

    def _of_kind(self, kind: str) -> tuple[IsolationForest, Boundaries]:
        if not self.forests_:
            raise NotFittedError("The detector has not been trained.", remedy="Call fit first, or load a stored one.")
        kind = kind if kind in self.forests_ else next(iter(self.forests_))
        return self.forests_[kind], self.thresholds_[kind]

    def save(self, folder: Path) -> None:
        """Write ``detector.json`` and one skops file a kind; nothing is pickled."""
        if not self.forests_ and not self.waits_:
            raise NotFittedError("The detector has not been trained.", remedy="Call fit before save.")
        kinds = {}
        for number, (kind, forest) in enumerate(self.forests_.items()):
            file = f"forest-{number}.skops"
            data = forest_data(forest)
            with atomic_path(folder / file) as part:
                part.write_bytes(data)
            kinds[kind] = {
                "file": file,
                "sha256": hashlib.sha256(data).hexdigest(),
                "boundaries": asdict(self.thresholds_[kind]),
            }
        card = {"format": FORMAT, "features": FEATURES, "settings": asdict(self.settings), "kinds": kinds}
        card["waits"] = self.waits_
        write_text(folder / "detector.json", json.dumps(with_checksum(card), indent=1))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a stored detector; raises ModelError where it is damaged, changed or from another version."""
        try:
            card = checked(read_json(folder / "detector.json", finite=True))
            if card["format"] != FORMAT or tuple(card["features"]) != FEATURES:
                msg = f"The detector in {folder} is of another release: its features are not those of this one."
                raise ModelError(msg, remedy="Train again with this version of brownout.")
            blobs = {kind: forest_bytes(folder, facts["file"]) for kind, facts in card["kinds"].items()}
        except READ_ERRORS as error:
            msg = f"{folder} holds no detector: {error}."
            raise ModelError(msg, remedy="Train again, or give the folder of a trained detector.") from error
        try:
            return cls._of_card(card, blobs, folder)
        except READ_ERRORS as error:
            msg = f"The card of the detector in {folder} is damaged: {error}."
            raise ModelError(msg, remedy="Train again, or fetch the whole model again.") from error

    @classmethod
    def _of_card(cls, card: Mapping[str, Any], blobs: Mapping[str, bytes], folder: Path) -> Self:
        if not blobs and not card["waits"]:
            msg = "it names no forest"
            raise ValueError(msg)
        for kind, data in blobs.items():
            if hashlib.sha256(data).hexdigest() != card["kinds"][kind]["sha256"]:
                msg = f"The forest of {kind!r} in {folder} is not the one that its card describes."
                raise ModelError(msg, remedy="Train again, or fetch the whole model again.")
        settings = DetectorSettings(**card["settings"])
        return cls(
            settings=settings,
            forests_={
                kind: read_forest(data, folder, features=len(FOREST_FEATURES), trees=settings.trees)
                for kind, data in blobs.items()
            },
            thresholds_={kind: _boundaries(facts["boundaries"]) for kind, facts in card["kinds"].items()},
            waits_=bool(card["waits"]),
        )


def _boundaries(table: Mapping[str, Any]) -> Boundaries:
    tail = table["tail"]
    numbers = [*table["level"].values(), *table["novelty"].values(), table["monitored_days"]]
    if tail is not None:
        numbers += [tail["knee"], tail["scale"], tail["shape"], *tail["highest"]]
    if not all(isinstance(number, int | float) for number in numbers):
        msg = "a boundary is no number"
        raise ValueError(msg)
    return Boundaries(
        level=Threshold(**table["level"]),
        novelty=Threshold(**table["novelty"]),
        tail=None if tail is None else Tail(**{**tail, "highest": tuple(tail["highest"])}),
        monitored_days=table["monitored_days"],
    )


@dataclass(frozen=True, eq=False)
class _Peaks:
    """What boundaries are set from, for level and novelty each: scores and peaks of normal periods, and days covered.

    ``all_peaks`` are the peaks of the level on all ``monitored_days``, known incidents left out.
    """

    values: tuple[Float, Float]
    peaks: tuple[Float, Float]
    days: tuple[float, float]
    all_peaks: Float
    monitored_days: float


def _peaks(forest: IsolationForest, training_set: TrainingSet, slots: int) -> _Peaks:
    """What boundaries are set from, of evenly chosen entities of a training set with about ``slots`` slots in total."""
    whole = training_set.features.rows
    entities = max(min(len(whole), slots // max(whole.shape[1], 1)), 1)
    rows = whole[np.linspace(0, len(whole) - 1, entities).astype(int)]
    normal = ~unusual(np.expm1(rows[..., FARTHEST]), training_set.interval_s)
    levels, novelties = levels_and_novelties(raw_scores(forest, rows), training_set.interval_s)
    normal_levels = np.where(normal, sustained(levels), np.nan)
    alarms = new_alarms(novelties - np.nanmin(novelties, initial=np.inf), training_set.monitored)
    values = normal_levels[np.isfinite(normal_levels)], novelties[np.isfinite(novelties)]
    days = len(values[0]) * training_set.interval_s / DAY_S, len(values[1]) * training_set.interval_s / DAY_S
    return _Peaks(
        values=values,
        peaks=(block_peaks(normal_levels, training_set.interval_s), novelties[alarms]),
        days=days,
        all_peaks=block_peaks(levels, training_set.interval_s),
        monitored_days=float(np.isfinite(levels).sum()) * training_set.interval_s / DAY_S,
    )


def _kind_of(panel: Panel) -> str:
    return panel.entities[0].kind if panel.entities else ""
