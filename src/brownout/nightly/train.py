"""Train: learn the models of a night from the history and log them for review."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from brownout.detection.detector_settings import DetectorSettings
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.domain.errors import ModelError
from brownout.domain.forecasts import Skill
from brownout.domain.night import ModelRecord
from brownout.domain.panel import Panel, as_time
from brownout.domain.ports import Progress, SampleStore, Tracker, no_progress
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.outlook import Outlook
from brownout.forecasting.parts import ForecastParts
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.nightly.context import NightSpan, days, forecast_panel, outlook_panel, outlook_steps, usual_panel
from brownout.nightly.version_hashes import environment_hash, lock_hash
from brownout.settings import Settings
from brownout.store.atomic import write_text
from brownout.store.shards import ShardPlan, plan_shards

__all__ = ["DETECTOR", "FORECASTER", "fit_detector", "read_record", "train_detector", "train_forecaster"]

FORECASTER = "brownout-forecaster"
DETECTOR = "brownout-detector"
SHARDS_A_KIND = 2
ENTITIES_A_SHARD = 32
"""A forest sees at most 40,000 rows and boundaries 200,000: so many entities, evenly chosen, have more than enough."""


def train_forecaster(
    store: SampleStore, settings: Settings, folder: Path, tracker: Tracker, progress: Progress = no_progress
) -> ModelRecord:
    """Train on the last ``train_days``, choose between LSTM and naive, store in ``folder`` and log."""
    span = NightSpan.of(store, settings)
    start = max(span.first, span.end - days(settings.forecast.train_days))
    plans = plan_shards(store, size=settings.shard_size, start=start, end=span.end)
    panels = [forecast_panel(usual_panel(store, plan, settings), settings.forecast) for plan in plans]
    with_slots = [panel for panel in panels if panel.values.shape[1] > 1 and len(panel.metrics)]
    shape = LstmSettings.quick(
        context=max(round(settings.forecast.context_days * 1440 / settings.forecast.step_minutes), 1),
        horizon=settings.forecast.steps,
        steps=settings.forecast.train_steps,
        seed=settings.seed,
    )
    parts = ForecastParts.without(settings.forecast.without)
    champion = _champion(folder, shape)
    forecaster = SelectedForecaster(shape, parts=parts).fit(with_slots, progress, champion=champion)
    forecaster.save(folder)
    outlook = Outlook(outlook_steps(settings.forecast), parts)
    outlook.fit([outlook_panel(panel, settings.forecast) for panel in with_slots], progress).save(folder / "outlook")
    return _log(
        tracker,
        FORECASTER,
        folder,
        window=(start, span.end),
        parameters={**asdict(shape), "step_minutes": settings.forecast.step_minutes, "source": store.name}
        | {"start": "fresh" if champion is None else "champion"},
        scores=_scores(forecaster.skills_) | _outlook_scores(outlook),
        seed=settings.seed,
    )


def train_detector(
    store: SampleStore, settings: Settings, folder: Path, tracker: Tracker, progress: Progress = no_progress
) -> ModelRecord:
    """Learn what is usual from what lies before the window of the night, store in ``folder`` and log."""
    span = NightSpan.of(store, settings)
    detector = fit_detector(store, settings, span, progress)
    detector.save(folder)
    return _log(
        tracker,
        DETECTOR,
        folder,
        window=(_learned_from(span, settings), span.window),
        parameters={**asdict(detector.settings), "source": store.name},
        scores={},
        seed=settings.seed,
    )


def fit_detector(
    store: SampleStore, settings: Settings, span: NightSpan, progress: Progress = no_progress
) -> IsolationForestDetector:
    """Learn what is usual from the last ``train_days`` before the window of a night."""
    start = _learned_from(span, settings)
    plans = _evenly(plan_shards(store, size=settings.shard_size, start=start, end=span.window))

    def panels() -> Iterator[Panel]:
        for done, plan in enumerate(plans):
            yield usual_panel(store, plan, settings)
            progress("train the detector", (done + 1) / len(plans))

    return IsolationForestDetector(DetectorSettings(seed=settings.seed)).fit(panels())


def _learned_from(span: NightSpan, settings: Settings) -> np.datetime64:
    return max(span.first, span.window - days(settings.detect.train_days))


def _champion(folder: Path, shape: LstmSettings) -> SelectedForecaster | None:
    """The forecaster of the last training, to start from; None where there is none of this version and shape."""
    try:
        champion = SelectedForecaster.load(folder)
    except ModelError:
        return None
    return champion if champion.settings.shape == shape.shape else None


def read_record(folder: Path) -> ModelRecord:
    """The record of the model in a folder; raises ModelError where nothing was trained yet."""
    try:
        table: dict[str, Any] = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{folder} holds no trained model: {error}."
        raise ModelError(msg, remedy="Run `brownout train` or `brownout nightly` first.") from error
    dates = {key: as_time(table[key]) for key in ("trained_from", "trained_to")}
    return ModelRecord(**(table | dates))


def _log(  # noqa: PLR0913 - what a reviewer must be able to see of a training
    tracker: Tracker,
    name: str,
    folder: Path,
    *,
    window: tuple[np.datetime64, np.datetime64],
    parameters: Mapping[str, Any],
    scores: Mapping[str, float],
    seed: int,
) -> ModelRecord:
    start, end = (str(time.astype("datetime64[s]")) for time in window)
    facts = {key: str(value) for key, value in parameters.items()}
    facts |= {"trained_from": start, "trained_to": end, "seed": str(seed)}
    facts |= {"lock": lock_hash(), "environment": environment_hash()}
    with tracker.run(name) as run:
        run.parameters(facts)
        run.metrics(scores)
        run.artifacts(folder)
        uri = run.register(name, ["champion"])
    record = ModelRecord(
        name=name,
        uri=uri,
        trained_from=window[0],
        trained_to=window[1],
        seed=seed,
        lock=facts["lock"],
        parameters=facts,
        scores=dict(scores),
    )
    table = asdict(record) | {"trained_from": start, "trained_to": end}
    write_text(folder / "record.json", json.dumps(table, indent=1))
    return record


def _scores(skills: Sequence[Skill]) -> dict[str, float]:
    table = {
        f"{skill.metric or 'all'}.{name}": float(getattr(skill, name))
        for skill in skills
        for name in ("mase", "crps", "coverage", "coverage_50", "coverage_90", "brier", "brier_base")
    }
    return {key: value for key, value in table.items() if math.isfinite(value)}


def _outlook_scores(outlook: Outlook) -> dict[str, float]:
    return {f"outlook.{kind}.crps": ratio for kind, ratio in outlook.skills_.items() if math.isfinite(ratio)}


def _evenly(plans: Sequence[ShardPlan]) -> list[ShardPlan]:
    kinds: dict[tuple[str, int], list[ShardPlan]] = {}
    for plan in plans:
        kinds.setdefault((plan.kind, plan.interval_s), []).append(plan)
    chosen = []
    for members in kinds.values():
        places = np.unique(np.linspace(0, len(members) - 1, min(SHARDS_A_KIND, len(members))).astype(int))
        chosen += [_fewer(members[place]) for place in places]
    return chosen


def _fewer(plan: ShardPlan) -> ShardPlan:
    """A plan with evenly chosen entities, no more than are needed."""
    count = min(len(plan.entities), ENTITIES_A_SHARD)
    places = np.linspace(0, len(plan.entities) - 1, count).astype(int).tolist()
    return replace(plan, entities=tuple(plan.entities[place] for place in places))
