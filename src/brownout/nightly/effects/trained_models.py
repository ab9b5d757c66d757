"""Models on disk: trained ones with the record of their training, whole or not there."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from brownout.detection.detector_settings import DetectorSettings
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.domain.errors import ModelError
from brownout.domain.forecasts import Skill
from brownout.domain.night import ModelRecord
from brownout.domain.ports import Progress, Tracker, no_progress
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.outlook import Outlook
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.nightly.context import NightContext, NightModels
from brownout.nightly.effects.champion_history import last_decision, name_version
from brownout.nightly.effects.champions import challenger_of, newest_record, record_of, rejected_of, settle
from brownout.nightly.effects.model_description import describe_detector, describe_forecaster
from brownout.nightly.effects.model_records import misfit, read_record, retraining_reason, write_record
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
    "log_models",
    "train_detector",
    "train_forecaster",
    "unreadable_models",
]

FORECASTER = "brownout-forecaster"
DETECTOR = "brownout-detector"


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
    if only_if_due and not unfit:
        reason = _reason(workspace.forecaster, facts, window[1], settings.forecast.retrain_days)
        if not reason:
            return read_record(workspace.forecaster)
    fitted = fit_forecaster(context, start, progress)
    parameters = facts | {
        "start": "fresh" if start is None else "champion",
        "left_out_of_training": f"{fitted.left_out:.2%} (incidents that are over, maintenance)",
    }
    scores = _scores(fitted.forecaster.skills_) | _ratios(fitted.outlook)
    record = _record(context, FORECASTER, window, parameters, scores)
    with replaced_folder(challenger_of(workspace.forecaster)) as folder:
        fitted.forecaster.save(folder)
        fitted.outlook.save(folder / "outlook")
        describe_forecaster(folder, context, record)
        write_record(folder, record)
    settle(workspace.forecaster, context.review, now=context.created, misfit=unfit)
    return read_record(workspace.forecaster)


def train_detector(
    context: NightContext, workspace: Workspace, progress: Progress = no_progress, *, only_if_due: bool = False
) -> ModelRecord:
    """Train the detector, and let it take its place if the review says so; ``only_if_due`` as for the forecaster."""
    window, facts = detector_window(context), _detector_facts(context)
    unfit = _unfit(workspace.detector, facts, window[1])
    if not unfit and not _has_detector(workspace.detector):
        unfit = "it is not of this version"
    if only_if_due and not unfit:
        reason = _reason(workspace.detector, facts, window[1], context.settings.detect.retrain_days)
        if not reason:
            return read_record(workspace.detector)
    detector = fit_detector(context, progress)
    alarms = {f"{kind}.alarms_per_day": detector.per_day(kind, 1.0) for kind in detector.forests_}
    record = _record(context, DETECTOR, window, facts, alarms)
    with replaced_folder(challenger_of(workspace.detector)) as folder:
        detector.save(folder)
        describe_detector(folder, context, record)
        write_record(folder, record)
    settle(workspace.detector, context.review, now=context.created, misfit=unfit)
    return read_record(workspace.detector)


def _unfit(folder: Path, facts: Mapping[str, str], end: np.datetime64) -> str:
    """Why the model in use cannot serve; "" where it can."""
    record = record_of(folder)
    return "there was none" if record is None else misfit(record, facts, end)


def _reason(folder: Path, facts: Mapping[str, str], end: np.datetime64, retrain_days: float) -> str:
    """Why a new model must be trained, whatever became of the last one that was."""
    newest = newest_record(folder)
    return "there was none" if newest is None else retraining_reason(newest, facts, end, retrain_days=retrain_days)


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
    )


def log_models(workspace: Workspace, tracker: Tracker, note: Callable[[str], None]) -> tuple[ModelRecord, ...]:
    """Log the trainings that MLflow does not know yet, and tell it which is champion and which is challenger.

    Returns the records of both champions with their URIs. ``note`` is told what had to be mended in the store, and of
    challengers that wait.
    """
    champions = []
    for folder in (workspace.forecaster, workspace.detector):
        champions.append(_told(folder, tracker, folder, "champion", note))
        if record_of(challenger_of(folder)) is not None:
            waiting = _told(folder, tracker, challenger_of(folder), "challenger", note)
            note(
                f"a newer {folder.name} waits for a decision ({waiting.uri}): see `brownout review show {folder.name}`"
            )
        rejected = record_of(rejected_of(folder))
        if rejected is not None and rejected.uri and rejected.uri != champions[-1].uri:
            tracker.mark(rejected.uri, alias="", tags=_tags(folder, rejected))
    return tuple(champions)


def _told(champion: Path, tracker: Tracker, folder: Path, alias: str, note: Callable[[str], None]) -> ModelRecord:
    """The record of a model in a folder, as MLflow knows it under an alias."""
    record = read_record(folder)
    tags = _tags(champion, record)
    if not record.uri or not tracker.mark(record.uri, alias=alias, tags=tags):
        record = replace(record, uri=_logged(tracker, folder, (record, alias, tags), note))
        write_record(folder, record)
        name_version(champion, record)
    return record


def _tags(champion: Path, record: ModelRecord) -> dict[str, str]:
    """What was decided of a model, as tags of its version."""
    decision = last_decision(champion, record)
    if decision is None:
        return {}
    at = str(decision.at.astype("datetime64[s]"))
    facts = {"outcome": decision.outcome.value, "at": at, "by": decision.by, "reason": decision.reason}
    return {f"brownout.{key}": value for key, value in facts.items()}


def _logged(
    tracker: Tracker, folder: Path, known: tuple[ModelRecord, str, Mapping[str, str]], note: Callable[[str], None]
) -> str:
    record, alias, tags = known
    with tracker.run(record.name) as run:
        for mended in run.notes:
            note(mended)
        run.parameters(record.parameters)
        run.metrics(record.scores)
        return run.register(record.name, folder, alias=alias, tags=tags)


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
    window: tuple[np.datetime64, np.datetime64],
    parameters: Mapping[str, str],
    scores: Mapping[str, float],
) -> ModelRecord:
    start, end = (str(time.astype("datetime64[s]")) for time in window)
    facts = dict(parameters)
    facts |= {"trained_from": start, "trained_to": end, "seed": str(context.settings.seed)}
    facts |= {"lock": lock_hash(), "environment": environment_hash()}
    return ModelRecord(
        name=name,
        uri="",
        trained_from=window[0],
        trained_to=window[1],
        seed=context.settings.seed,
        lock=facts["lock"],
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
