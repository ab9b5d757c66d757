"""Models on disk: trained ones with the record of their training, whole or not there."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from brownout.detection.forest.detector import IsolationForestDetector
from brownout.domain.errors import ModelError
from brownout.domain.forecasts import Skill
from brownout.domain.night import ModelRecord
from brownout.domain.panel import as_time
from brownout.domain.ports import Progress, Tracker, no_progress
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.outlook import Outlook
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.nightly.context import NightContext, NightModels
from brownout.nightly.train import detector_window, fit_detector, fit_forecaster, forecaster_window, lstm_settings
from brownout.store.atomic import write_text
from brownout.store.folders import finish_replacement, replaced_folder
from brownout.store.version_hashes import environment_hash, lock_hash
from brownout.store.workspace import Workspace

__all__ = ["DETECTOR", "FORECASTER", "load_models", "log_models", "train_detector", "train_forecaster"]

FORECASTER = "brownout-forecaster"
DETECTOR = "brownout-detector"
RECORD = "record.json"


def train_forecaster(context: NightContext, workspace: Workspace, progress: Progress = no_progress) -> ModelRecord:
    """Train the forecaster from the last one, and put it in its place."""
    settings = context.settings
    champion = _champion(workspace.forecaster, lstm_settings(settings.forecast, settings.seed))
    forecaster, outlook = fit_forecaster(context, champion, progress)
    parameters = asdict(forecaster.settings) | {
        "step_minutes": settings.forecast.step_minutes,
        "start": "fresh" if champion is None else "champion",
    }
    record = _record(
        context, FORECASTER, forecaster_window(context), parameters, _scores(forecaster.skills_) | _ratios(outlook)
    )
    with replaced_folder(workspace.forecaster) as folder:
        forecaster.save(folder)
        outlook.save(folder / "outlook")
        _write_record(folder, record)
    return record


def train_detector(context: NightContext, workspace: Workspace, progress: Progress = no_progress) -> ModelRecord:
    """Train the detector, and put it in its place."""
    detector = fit_detector(context, progress)
    record = _record(context, DETECTOR, detector_window(context), asdict(detector.settings), {})
    with replaced_folder(workspace.detector) as folder:
        detector.save(folder)
        _write_record(folder, record)
    return record


def load_models(workspace: Workspace) -> NightModels:
    """The models of the last training, read once; raises ModelError where there are none."""
    for folder in (workspace.forecaster, workspace.detector):
        finish_replacement(folder)
    return NightModels(
        records=tuple(_read_record(folder) for folder in (workspace.forecaster, workspace.detector)),
        forecaster=SelectedForecaster.load(workspace.forecaster),
        outlook=Outlook.load(workspace.outlook),
        detector=IsolationForestDetector.load(workspace.detector),
    )


def log_models(workspace: Workspace, tracker: Tracker, note: Callable[[str], None]) -> tuple[ModelRecord, ...]:
    """Log the trainings that MLflow does not know yet; returns the records of both models with their URIs.

    ``note`` is told what had to be mended in the store.
    """
    records = []
    for folder in (workspace.forecaster, workspace.detector):
        record = _read_record(folder)
        if not record.uri:
            record = replace(record, uri=_logged(tracker, folder, record, note))
            _write_record(folder, record)
        records.append(record)
    return tuple(records)


def _logged(tracker: Tracker, folder: Path, record: ModelRecord, note: Callable[[str], None]) -> str:
    with tracker.run(record.name) as run:
        for mended in run.notes:
            note(mended)
        run.parameters(record.parameters)
        run.metrics(record.scores)
        run.artifacts(folder)
        return run.register(record.name, ["champion"])


def _champion(folder: Path, wanted: LstmSettings) -> SelectedForecaster | None:
    """The forecaster of the last training, to start from; None where there is none of this version and shape."""
    finish_replacement(folder)
    try:
        champion = SelectedForecaster.load(folder)
    except ModelError:
        return None
    return champion if champion.settings.shape == wanted.shape else None


def _record(
    context: NightContext,
    name: str,
    window: tuple[np.datetime64, np.datetime64],
    parameters: Mapping[str, Any],
    scores: Mapping[str, float],
) -> ModelRecord:
    start, end = (str(time.astype("datetime64[s]")) for time in window)
    facts = {key: str(value) for key, value in parameters.items()} | {"source": context.store.name}
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


def _write_record(folder: Path, record: ModelRecord) -> None:
    dates = {key: str(getattr(record, key).astype("datetime64[s]")) for key in ("trained_from", "trained_to")}
    write_text(folder / RECORD, json.dumps(asdict(record) | dates, indent=1))


def _read_record(folder: Path) -> ModelRecord:
    """The record of the model in a folder; raises ModelError where nothing was trained yet."""
    try:
        table: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        dates = {key: as_time(table[key]) for key in ("trained_from", "trained_to")}
        return ModelRecord(**(table | dates))
    except (OSError, ValueError, TypeError, KeyError) as error:
        msg = f"{folder} holds no trained model: {error}."
        raise ModelError(msg, remedy="Run `brownout train` or `brownout nightly` first.") from error


def _scores(skills: Sequence[Skill]) -> dict[str, float]:
    table = {
        f"{skill.metric or 'all'}.{name}": float(getattr(skill, name))
        for skill in skills
        for name in ("mase", "crps", "coverage", "coverage_50", "coverage_90", "brier", "brier_base")
    }
    return {key: value for key, value in table.items() if math.isfinite(value)}


def _ratios(outlook: Outlook) -> dict[str, float]:
    return {f"outlook.{kind}.crps": ratio for kind, ratio in outlook.skills_.items() if math.isfinite(ratio)}
