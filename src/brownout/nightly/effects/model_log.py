"""Trainings in MLflow: what each made of what, and which model is champion and which waits."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from brownout.domain.findings.model_cards import ModelFacts
from brownout.domain.night import ModelRecord
from brownout.domain.ports import Tracker
from brownout.nightly.effects.champion_history import last_decision, name_version
from brownout.nightly.effects.champions import challenger_of, facts_of, record_of, rejected_of
from brownout.nightly.effects.model_records import read_record, write_record
from brownout.nightly.effects.review.card_files import CARD_ARTIFACTS
from brownout.nightly.effects.review.training_failures import log_failures
from brownout.store.workspace import Workspace

__all__ = ["log_models"]


def log_models(workspace: Workspace, tracker: Tracker, note: Callable[[str], None]) -> tuple[ModelRecord, ...]:
    """Log the trainings that MLflow does not know yet, and tell it which is champion and which is challenger.

    Returns the records of both champions with their URIs. ``note`` is told what had to be mended in the store, and of
    challengers that wait.
    """
    champions = []
    log_failures(workspace, tracker, note)
    for folder in (workspace.forecaster, workspace.detector):
        champions.append(_marked_record(folder, tracker, folder, "champion", note))
        if record_of(challenger_of(folder)) is not None:
            waiting = _marked_record(folder, tracker, challenger_of(folder), "challenger", note)
            note(
                f"a newer {folder.name} waits for a decision ({waiting.uri}): see `brownout review show {folder.name}`"
            )
        rejected = record_of(rejected_of(folder))
        if rejected is not None and rejected.uri and rejected.uri != champions[-1].uri:
            tracker.mark(rejected.uri, alias="", tags=_tags(folder, rejected))
    return tuple(champions)


def _marked_record(
    champion: Path, tracker: Tracker, folder: Path, alias: str, note: Callable[[str], None]
) -> ModelRecord:
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
    training = facts_of(folder)
    cost = None if training is None else training.cost
    span = None if cost is None else (cost.started, cost.started + np.timedelta64(round(cost.wall_s * 1000), "ms"))
    with tracker.run(record.name, span=span) as run:
        for mended in run.notes:
            note(mended)
        run.describe(_description(record, training), _run_tags(record))
        run.parameters(record.parameters)
        run.metrics(record.scores)
        if training is not None:
            run.metrics(_card_metrics(training))
            run.data(training.data)
            run.artifacts([folder / name for name in CARD_ARTIFACTS if (folder / name).is_file()])
        return run.register(record.name, folder, alias=alias, tags=tags)


def _description(record: ModelRecord, training: ModelFacts | None) -> str:
    """What was trained on what, and why, as a person reads it on the run's page."""
    start, end = (str(time.astype("datetime64[m]")) for time in (record.trained_from, record.trained_to))
    source = "" if training is None else f" of {training.data.source}"
    reason = record.parameters.get("reason", "")
    why = f" Trained because {reason}." if reason else ""
    return f"{record.name}: learned from {start} to {end} UTC{source}.{why} `card.html` has the verdict."


def _run_tags(record: ModelRecord) -> dict[str, str]:
    """By what runs are looked for: release, packages, data and why it took place; only what is known."""
    names = ("version", "lock", "data_sha256", "seed", "reason", "start")
    return {f"brownout.{name}": str(record.parameters[name]) for name in names if name in record.parameters}


def _card_metrics(training: ModelFacts) -> dict[str, float]:
    """Cost of a training, and what the same windows said of it beside the champion and seasonal-naive."""
    cost = training.cost
    table = {"cost.wall_s": cost.wall_s, "cost.cpu_s": cost.cpu_s, "cost.peak_mib": cost.peak_mib}
    if training.comparison is not None:
        table |= {f"compared.{name}": value for name, value in training.comparison.challenger.items()}
        tests = training.comparison.tests
        table |= {f"paired.{test.family}.{test.against}": test.ratio for test in tests}
    return {name: value for name, value in table.items() if math.isfinite(value)}
