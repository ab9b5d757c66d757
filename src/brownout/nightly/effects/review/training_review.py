"""What follows a training: smoke tests, the comparison with the model in use, drift, and the card of it all."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from brownout.detection.forest.detector import IsolationForestDetector
from brownout.domain.errors import ModelError
from brownout.domain.findings.model_cards import Change, ModelFacts
from brownout.domain.findings.model_drift import Drift
from brownout.domain.forecasts import Skill
from brownout.domain.night import ModelRecord
from brownout.evaluation.review_rules import judge_training
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.nightly.context import NightContext, NightModels
from brownout.nightly.effects.review.card_files import write_card_page, write_facts
from brownout.nightly.model_review.data_fingerprint import DataFingerprint
from brownout.nightly.model_review.detector_comparison import compare_detectors
from brownout.nightly.model_review.drift_reference import DriftReference
from brownout.nightly.model_review.drift_search import model_drift
from brownout.nightly.model_review.forecaster_comparison import MOST_ENTITIES, compare_forecasters
from brownout.nightly.model_review.sampled_panels import sampled_forecast_panels
from brownout.nightly.model_review.smoke_tests import smoke_detector, smoke_forecaster
from brownout.nightly.model_review.training_cost import CostMeter

__all__ = ["Training", "review_detector", "review_forecaster"]

Window = tuple[np.datetime64, np.datetime64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Training:
    """A training under way: why it takes place, of which window, what it has read and what it costs.

    ``comparable`` says whether the model in use could serve too: one of other settings or data cannot be compared.
    """

    reason: str
    window: Window
    comparable: bool
    meter: CostMeter
    fingerprint: DataFingerprint = field(default_factory=DataFingerprint)

    def facts(self, source: str, record: ModelRecord, champion: ModelRecord | None) -> ModelFacts:
        """What is known once the model is fitted."""
        return ModelFacts(
            reason=self.reason,
            data=self.fingerprint.facts(source, self.window),
            cost=self.meter.cost(),
            changes=() if champion is None else _changes(champion.parameters, record.parameters),
        )


def review_forecaster(
    context: NightContext,
    folder: Path,
    record: ModelRecord,
    champion: tuple[Path, ModelRecord] | None,
    training: Training,
) -> None:
    """Try a stored forecaster, compare it with the one in use, and write its card and what drift is measured from.

    ``champion`` is the folder of the model in use with its record; None where there is none that can serve.
    """
    facts = training.facts(context.store.name, record, champion[1] if champion else None)
    new = SelectedForecaster.load(folder)
    panels = sampled_forecast_panels(context, training.window, new.parts, most=MOST_ENTITIES)
    old = _loaded(champion) if training.comparable else None
    compared = None if new.learned_nothing_ else compare_forecasters(new, old, panels)
    DriftReference.of(panels, {} if compared is None else compared[1].ratios()).write(folder)
    facts = replace(
        facts,
        smoke=smoke_forecaster(folder, panels),
        comparison=None if compared is None else compared[0],
        drift=_drift(context, champion, old),
    )
    _write(
        context,
        folder,
        (record, champion[1] if champion and training.comparable else None),
        facts,
        tuple(new.skills_),
    )


def review_detector(
    context: NightContext,
    folder: Path,
    record: ModelRecord,
    champion: tuple[Path, ModelRecord] | None,
    training: Training,
) -> None:
    """The same for a detector: alarms of both on the days that the night searches."""
    facts = training.facts(context.store.name, record, champion[1] if champion else None)
    old = None
    if champion is not None and training.comparable:
        try:
            old = IsolationForestDetector.load(champion[0]), champion[1]
        except ModelError:
            old = None
    new = IsolationForestDetector.load(folder)
    facts = replace(facts, smoke=smoke_detector(folder, context), comparison=compare_detectors(context, new, old))
    _write(context, folder, (record, champion[1] if champion and training.comparable else None), facts)


def _loaded(champion: tuple[Path, ModelRecord] | None) -> tuple[SelectedForecaster, ModelRecord] | None:
    if champion is None:
        return None
    try:
        return SelectedForecaster.load(champion[0]), champion[1]
    except ModelError:
        return None


def _drift(
    context: NightContext,
    champion: tuple[Path, ModelRecord] | None,
    old: tuple[SelectedForecaster, ModelRecord] | None,
) -> tuple[Drift, ...]:
    if champion is None or old is None:
        return ()
    try:
        reference = DriftReference.load(champion[0])
    except ModelError:
        return ()
    drift = model_drift(context.with_models(NightModels(forecaster=old[0], records=(old[1],), reference=reference)))
    return () if drift is None else drift.drifts


def _write(
    context: NightContext,
    folder: Path,
    records: tuple[ModelRecord, ModelRecord | None],
    facts: ModelFacts,
    skills: tuple[Skill, ...] = (),
) -> None:
    new, old = records
    write_facts(folder, facts)
    verdict = None if old is None else judge_training(context.review, old, new, facts)
    write_card_page(folder, (new, facts, skills), verdict, context.metrics)


def _changes(before: Mapping[str, object], now: Mapping[str, object]) -> tuple[Change, ...]:
    """Parameters that differ, by name."""
    pairs = ((key, str(before.get(key, "")), str(now.get(key, ""))) for key in sorted({*before, *now}))
    return tuple(Change(what=key.replace("_", " "), before=old, now=new) for key, old, new in pairs if old != new)
