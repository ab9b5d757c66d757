"""Models on disk: trained ones with the record of their training, whole or not there."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from brownout.detection.detector_settings import DetectorSettings
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.domain.errors import ModelError
from brownout.domain.forecasts import Skill
from brownout.domain.night import ModelRecord
from brownout.domain.ports import Progress, no_progress
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.outlook import Outlook
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.nightly.context import NightContext, NightModels
from brownout.nightly.effects.champions import (
    challenger_of,
    newest_record,
    record_of,
    settle,
    waiting_models,
)
from brownout.nightly.effects.model_description import describe_detector, describe_forecaster
from brownout.nightly.effects.model_records import misfit, read_record, retraining_reason, write_record
from brownout.nightly.effects.review.drift_file import drift_reason
from brownout.nightly.effects.review.training_failures import kept_if_failed
from brownout.nightly.effects.review.training_review import Training, review_detector, review_forecaster
from brownout.nightly.model_review.drift_reference import DriftReference
from brownout.nightly.model_review.training_cost import CostMeter
from brownout.nightly.training.train import (
    detector_window,
    fit_detector,
    fit_forecaster,
    forecaster_window,
    lstm_settings,
)
from brownout.store.folders import finish_replacement, replaced_folder
from brownout.store.version_hashes import environment_hash, lock_hash
from brownout.store.workspace import Workspace

__all__ = [
    "DETECTOR",
    "FORECASTER",
    "load_models",
    "train_detector",
    "train_forecaster",
    "unreadable_models",
]

FORECASTER = "brownout-forecaster"
DETECTOR = "brownout-detector"
ASKED_FOR = "somebody asked for it"


def train_forecaster(
    context: NightContext, workspace: Workspace, progress: Progress = no_progress, *, only_if_due: bool = False
) -> ModelRecord:
    """Train the forecaster from the last one, and let it take its place if the review says so.

    Returns the record of the one in use. With ``only_if_due`` nothing is trained where a model of these data is there:
    see ``retraining_reason``.
    """
    settings, window, facts = context.settings, forecaster_window(context), _forecaster_facts(context)
    start = _champion(workspace.forecaster, lstm_settings(settings.forecast, settings.seed))
    unfit = _unfit(workspace.forecaster, facts, window[1])
    if start is None and not unfit:
        unfit = "it is not of this version and shape"
    reason = _reason(workspace.forecaster, facts, window[1], settings.forecast.retrain_days)
    if only_if_due and not unfit and not reason:
        return read_record(workspace.forecaster)
    training = Training(
        reason=unfit or reason or ASKED_FOR, window=window, comparable=not unfit, meter=CostMeter(context.created)
    )
    with kept_if_failed(workspace.forecaster, FORECASTER, training):
        _make_forecaster(context, workspace, progress, (start, facts, training))
    nights = settings.review.shadow_nights
    settle(workspace.forecaster, context.review, now=context.created, misfit=unfit, shadow_nights=nights)
    return read_record(workspace.forecaster)


def _make_forecaster(
    context: NightContext,
    workspace: Workspace,
    progress: Progress,
    inputs: tuple[SelectedForecaster | None, dict[str, str], Training],
) -> None:
    """Train a forecaster into the challenger's folder, with its record and card."""
    start, facts, training = inputs
    fitted = fit_forecaster(context, start, progress, observe=training.fingerprint.add)
    parameters = facts | {
        "start": "fresh" if start is None else "champion",
        "left_out_of_training": f"{fitted.left_out:.2%} (incidents that are over, maintenance)",
        "reason": training.reason,
    }
    scores = _scores(fitted.forecaster.skills_) | _ratios(fitted.outlook)
    record = _record(context, FORECASTER, training, parameters, scores)
    with replaced_folder(challenger_of(workspace.forecaster)) as folder:
        fitted.forecaster.save(folder)
        fitted.outlook.save(folder / "outlook")
        describe_forecaster(folder, context, record)
        write_record(folder, record)
        review_forecaster(context, folder, record, _in_use(workspace.forecaster), training)


def train_detector(
    context: NightContext, workspace: Workspace, progress: Progress = no_progress, *, only_if_due: bool = False
) -> ModelRecord:
    """Train the detector, and let it take its place if the review says so; ``only_if_due`` as for the forecaster."""
    window, facts = detector_window(context), _detector_facts(context)
    unfit = _unfit(workspace.detector, facts, window[1])
    if not unfit and not _has_detector(workspace.detector):
        unfit = "it is not of this version"
    reason = _reason(workspace.detector, facts, window[1], context.settings.detect.retrain_days)
    if only_if_due and not unfit and not reason:
        return read_record(workspace.detector)
    training = Training(
        reason=unfit or reason or ASKED_FOR, window=window, comparable=not unfit, meter=CostMeter(context.created)
    )
    with kept_if_failed(workspace.detector, DETECTOR, training):
        _make_detector(context, workspace, progress, (facts, training))
    settle(workspace.detector, context.review, now=context.created, misfit=unfit)
    return read_record(workspace.detector)


def _make_detector(
    context: NightContext, workspace: Workspace, progress: Progress, inputs: tuple[dict[str, str], Training]
) -> None:
    """Train a detector into the challenger's folder, with its record and card."""
    facts, training = inputs
    detector = fit_detector(context, progress, observe=training.fingerprint.add)
    alarms = {f"{kind}.alarms_per_day": detector.per_day(kind, 1.0) for kind in detector.forests_}
    record = _record(context, DETECTOR, training, facts | {"reason": training.reason}, alarms)
    with replaced_folder(challenger_of(workspace.detector)) as folder:
        detector.save(folder)
        describe_detector(folder, context, record)
        write_record(folder, record)
        review_detector(context, folder, record, _in_use(workspace.detector), training)


def _in_use(folder: Path) -> tuple[Path, ModelRecord] | None:
    """The folder of the model in use with its record; None where there is none."""
    record = record_of(folder)
    return None if record is None else (folder, record)


def _unfit(folder: Path, facts: Mapping[str, str], end: np.datetime64) -> str:
    """Why the model in use cannot serve; "" where it can."""
    record = record_of(folder)
    return "there was none" if record is None else misfit(record, facts, end)


def _reason(folder: Path, facts: Mapping[str, str], end: np.datetime64, retrain_days: float) -> str:
    """Why a new model must be trained, whatever became of the last one that was."""
    newest = newest_record(folder)
    if newest is None:
        return "there was none"
    due = retraining_reason(newest, facts, end, retrain_days=retrain_days)
    return due or drift_reason(folder, record_of(folder), newest)


def _forecaster_facts(context: NightContext) -> dict[str, str]:
    """What a training of the forecaster would be made of now."""
    settings = context.settings.forecast
    facts = asdict(lstm_settings(settings, context.settings.seed)) | {
        "step_minutes": settings.step_minutes,
        "train_days": settings.train_days,
        "limits": settings.limits,
    }
    return _texts(facts) | _data_facts(context)


def _detector_facts(context: NightContext) -> dict[str, str]:
    """What a training of the detector would be made of now."""
    facts = asdict(DetectorSettings(seed=context.settings.seed)) | {"train_days": context.settings.detect.train_days}
    return _texts(facts) | _data_facts(context)


def _data_facts(context: NightContext) -> dict[str, str]:
    """Where the data come from, and what they measure."""
    return {"source": context.store.name, "metrics": ", ".join(sorted(context.metrics))}


def _texts(facts: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in facts.items()}


def _has_detector(folder: Path) -> bool:
    """Whether a folder has a detector of this version."""
    finish_replacement(folder)
    try:
        IsolationForestDetector.load(folder)
        read_record(folder)
    except ModelError:
        return False
    return True


def unreadable_models(workspace: Workspace) -> tuple[str, ...]:
    """A sentence about each model that was trained once and cannot be read: by another release, or damaged."""
    sentences = []
    loaders: tuple[tuple[str, Path, Callable[[Path], object]], ...] = (
        ("forecaster", workspace.forecaster, _forecaster_of),
        ("detector", workspace.detector, IsolationForestDetector.load),
    )
    for name, folder, load in loaders:
        finish_replacement(folder)
        if not folder.is_dir() or not any(folder.iterdir()):
            continue
        try:
            load(folder)
            read_record(folder)
        except ModelError as error:
            sentences.append(f"The {name} of an earlier run cannot be used and is trained again: {error.what}")
    return tuple(sentences)


def _forecaster_of(folder: Path) -> SelectedForecaster:
    """The forecaster and the outlook of a folder; raises ModelError."""
    Outlook.load(folder / "outlook")
    return SelectedForecaster.load(folder)


def load_models(workspace: Workspace) -> NightModels:
    """The models of the last training, read once; raises ModelError where there are none."""
    for folder in (workspace.forecaster, workspace.detector):
        finish_replacement(folder)
    return NightModels(
        records=tuple(read_record(folder) for folder in (workspace.forecaster, workspace.detector)),
        forecaster=SelectedForecaster.load(workspace.forecaster),
        outlook=Outlook.load(workspace.outlook),
        detector=IsolationForestDetector.load(workspace.detector),
        reference=DriftReference.load(workspace.forecaster),
        waiting=waiting_models(workspace),
    )


def _champion(folder: Path, wanted: LstmSettings) -> SelectedForecaster | None:
    """The forecaster of the last training, to start from; None where there is none of this version and shape."""
    finish_replacement(folder)
    try:
        champion = _forecaster_of(folder)
        read_record(folder)
    except ModelError:
        return None
    return champion if champion.settings.shape == wanted.shape else None


def _record(
    context: NightContext,
    name: str,
    training: Training,
    parameters: Mapping[str, str],
    scores: Mapping[str, float],
) -> ModelRecord:
    start, end = (str(time.astype("datetime64[s]")) for time in training.window)
    facts = dict(parameters)
    facts |= {"trained_from": start, "trained_to": end, "seed": str(context.settings.seed)}
    facts |= {"version": version("brownout"), "lock": lock_hash(), "environment": environment_hash()}
    facts["data_sha256"] = training.fingerprint.facts(context.store.name, training.window).sha256
    return ModelRecord(
        name=name,
        uri="",
        trained_from=training.window[0],
        trained_to=training.window[1],
        seed=context.settings.seed,
        lock=facts["lock"],
        card=f"{name}-{np.datetime_as_string(training.window[1], unit='m').replace(':', '')}.html",
        parameters=facts,
        scores=dict(scores),
    )


def _scores(skills: Sequence[Skill]) -> dict[str, float]:
    table = {
        f"{skill.metric or 'all'}.{name}": float(getattr(skill, name))
        for skill in skills
        for name in ("mase", "crps", "coverage", "coverage_50", "coverage_90", "brier", "brier_base")
    }
    return {key: value for key, value in table.items() if math.isfinite(value)}


def _ratios(outlook: Outlook) -> dict[str, float]:
    return {f"outlook.{kind}.crps": ratio for kind, ratio in outlook.skills_.items() if math.isfinite(ratio)}
