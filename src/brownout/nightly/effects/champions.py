"""Champion and challenger on disk: the model in use, a newer one that waits, and what comes of it.

Of each model there are up to four folders: ``forecaster`` is the champion, which every night uses;
``forecaster-challenger`` waits for a decision; ``forecaster-previous`` was the champion before; ``forecaster-rejected``
is what people did not want, kept so that the same data is not learned from again. Folders are renamed whole. Every
function that changes something expects the lock of the output folder to be held.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from brownout.domain.errors import ModelError
from brownout.domain.findings.model_cards import ModelFacts
from brownout.domain.night import ModelRecord
from brownout.evaluation.review_rules import ReviewRule, Verdict, judge_training
from brownout.nightly.effects.champion_history import Decision, Outcome, Signature, append_decision
from brownout.nightly.effects.model_records import read_record
from brownout.nightly.effects.review.card_files import read_facts
from brownout.store.folders import finish_replacement, move_into_place, replaced_folder
from brownout.store.workspace import Workspace

__all__ = [
    "RULES",
    "approve",
    "challenger_of",
    "facts_of",
    "newest_record",
    "previous_of",
    "record_of",
    "reject",
    "rejected_of",
    "roll_back",
    "settle",
    "verdict_on",
    "waiting_models",
]

RULES = "brownout"
"""Who decides by the rules of ``review.toml``."""


def challenger_of(champion: Path) -> Path:
    """Folder of the newer model that waits."""
    return champion.with_name(f"{champion.name}-challenger")


def previous_of(champion: Path) -> Path:
    """Folder of the champion before."""
    return champion.with_name(f"{champion.name}-previous")


def rejected_of(champion: Path) -> Path:
    """Folder of the last model that people did not want."""
    return champion.with_name(f"{champion.name}-rejected")


def record_of(folder: Path) -> ModelRecord | None:
    """The record of a folder; None where there is no model."""
    finish_replacement(folder)
    try:
        return read_record(folder)
    except ModelError:
        return None


def waiting_models(workspace: Workspace) -> tuple[ModelRecord, ...]:
    """Records of the models that wait for a decision."""
    folders = (challenger_of(folder) for folder in (workspace.forecaster, workspace.detector))
    return tuple(record for folder in folders if (record := record_of(folder)) is not None)


def newest_record(champion: Path) -> ModelRecord | None:
    """The record of the model that has seen the latest data, whatever became of it."""
    known = (record_of(folder) for folder in (champion, challenger_of(champion), rejected_of(champion)))
    return max((record for record in known if record), key=lambda record: record.trained_to, default=None)


def verdict_on(rules: Sequence[ReviewRule], champion: Path) -> Verdict | None:
    """What the rules say of the challenger; None where there are not two models to compare."""
    now, new = record_of(champion), record_of(challenger_of(champion))
    if now is None or new is None:
        return None
    return judge_training(rules, now, new, facts_of(challenger_of(champion)))


def facts_of(folder: Path) -> ModelFacts | None:
    """What is known of a training beside its record; None where nothing is, or its file is damaged."""
    try:
        return read_facts(folder)
    except ModelError:
        return None


def settle(
    champion: Path, rules: Sequence[ReviewRule], *, now: np.datetime64, misfit: str = "", shadow_nights: int = 0
) -> None:
    """Let a new challenger take the place if there is no champion that serves, or if it passes; else it waits.

    ``misfit`` says why the champion cannot serve any more; "" where it can. With ``shadow_nights`` one that passes
    waits until it has run beside the champion in so many nights.
    """
    new = _challenger(champion)
    verdict, old = verdict_on(rules, champion), record_of(champion)
    if verdict is None or old is None:
        outcome, why = Outcome.FIRST, "there was no model"
    elif misfit:
        outcome, why = Outcome.REPLACED, f"the champion could not serve any more: {misfit}"
    elif not old.scores:
        outcome, why = Outcome.REPLACED, "the record of the champion has no scores to compare with"
    elif verdict.passed and not shadow_nights:
        outcome, why = Outcome.PASSED, verdict.reason
    else:
        return
    _promote(champion, Decision.of(new, outcome, Signature(by=RULES, reason=why, at=now)))


def approve(champion: Path, signed: Signature) -> Decision:
    """Make the challenger the champion; raises ModelError where none waits."""
    new = _challenger(champion)
    decision = Decision.of(new, Outcome.APPROVED, signed)
    _promote(champion, decision)
    return decision


def reject(champion: Path, signed: Signature) -> Decision:
    """Put the challenger away; raises ModelError where none waits."""
    decision = Decision.of(_challenger(champion), Outcome.REJECTED, signed)
    move_into_place(challenger_of(champion), rejected_of(champion))
    append_decision(champion, decision)
    return decision


def roll_back(champion: Path, signed: Signature) -> Decision:
    """Put the champion before the present one back, and the present one away; raises ModelError where there is none."""
    remedy = "One is there after a challenger has taken the place, once."
    decision = Decision.of(_required(previous_of(champion), "previous champion", remedy), Outcome.ROLLED_BACK, signed)
    with replaced_folder(rejected_of(champion)) as folder:
        shutil.copytree(champion, folder, dirs_exist_ok=True)
    move_into_place(previous_of(champion), champion)
    append_decision(champion, decision)
    return decision


def _promote(champion: Path, decision: Decision) -> None:
    finish_replacement(champion)
    if champion.is_dir():
        with replaced_folder(previous_of(champion)) as folder:
            shutil.copytree(champion, folder, dirs_exist_ok=True)
    move_into_place(challenger_of(champion), champion)
    append_decision(champion, decision)


def _challenger(champion: Path) -> ModelRecord:
    remedy = "Look at `brownout review list`: a challenger is there after a training."
    return _required(challenger_of(champion), "challenger", remedy)


def _required(folder: Path, what: str, remedy: str) -> ModelRecord:
    record = record_of(folder)
    if record is None:
        msg = f"There is no {what} in {folder}."
        raise ModelError(msg, remedy=remedy)
    return record
