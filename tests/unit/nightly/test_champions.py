"""Champion and challenger on disk: who takes whose place, what is remembered, and what a kill leaves."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import MemoryTracker

from brownout.domain.errors import ModelError
from brownout.domain.night import ModelRecord
from brownout.evaluation.review_rules import load_review_rules
from brownout.nightly.effects import champions
from brownout.nightly.effects.champion_history import Outcome, Signature, read_decisions
from brownout.nightly.effects.champions import (
    approve,
    challenger_of,
    newest_record,
    record_of,
    reject,
    roll_back,
    settle,
)
from brownout.nightly.effects.model_log import log_models
from brownout.nightly.effects.model_records import read_record, write_record
from brownout.store.workspace import Workspace

NOW = np.datetime64("2026-03-20T02:15", "ms")
RULES = load_review_rules()
SAID = Signature(by="Ann", reason="looked at it", at=NOW)


def record(day: int, crps: float, model: str = "forecaster") -> ModelRecord:
    scores = {"all.crps": crps, "all.mase": crps, "all.coverage": 0.8}
    return ModelRecord(
        name=f"brownout-{model}",
        uri="",
        trained_from=np.datetime64("2026-01-01", "ms"),
        trained_to=np.datetime64("2026-03-01", "ms") + np.timedelta64(day, "D"),
        seed=0,
        lock="lock",
        scores=scores if model == "forecaster" else {"vm.alarms_per_day": 0.1},
    )


def train(workspace: Workspace, day: int, crps: float, *, misfit: str = "") -> None:
    """What a training leaves, and the review that follows it."""
    folder = challenger_of(workspace.forecaster)
    folder.mkdir(parents=True, exist_ok=True)
    write_record(folder, record(day, crps))
    settle(workspace.forecaster, RULES, now=NOW, misfit=misfit)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """With a champion of day 1 and a detector."""
    workspace = Workspace(tmp_path)
    train(workspace, 1, 0.6)
    workspace.detector.mkdir()
    write_record(workspace.detector, record(1, 0, "detector"))
    return workspace


def crps(workspace: Workspace) -> float:
    return read_record(workspace.forecaster).scores["all.crps"]


def outcomes(workspace: Workspace) -> list[Outcome]:
    return [decision.outcome for decision in read_decisions(workspace.forecaster)]


def test_the_first_model_is_champion(workspace: Workspace) -> None:
    assert crps(workspace) == 0.6
    assert outcomes(workspace) == [Outcome.FIRST]
    assert record_of(challenger_of(workspace.forecaster)) is None


def test_a_challenger_that_is_not_worse_takes_the_place(workspace: Workspace) -> None:
    train(workspace, 2, 0.61)
    assert crps(workspace) == 0.61
    assert outcomes(workspace) == [Outcome.FIRST, Outcome.PASSED]


@pytest.mark.parametrize("worse", [0.7, 1.2])
def test_a_worse_one_waits_and_the_night_goes_on_with_the_champion(workspace: Workspace, worse: float) -> None:
    train(workspace, 2, worse)
    assert crps(workspace) == 0.6
    assert outcomes(workspace) == [Outcome.FIRST]
    waiting = record_of(challenger_of(workspace.forecaster))
    assert waiting is not None
    assert newest_record(workspace.forecaster) == waiting


def test_where_the_champion_cannot_serve_the_new_one_does(workspace: Workspace) -> None:
    train(workspace, 2, 0.9, misfit="horizon changed")
    assert crps(workspace) == 0.9
    assert read_decisions(workspace.forecaster)[-1].outcome is Outcome.REPLACED
    assert "horizon changed" in read_decisions(workspace.forecaster)[-1].reason


def test_people_approve_and_roll_back(workspace: Workspace) -> None:
    train(workspace, 2, 0.9)
    approve(workspace.forecaster, SAID)
    assert crps(workspace) == 0.9
    roll_back(workspace.forecaster, SAID)
    assert crps(workspace) == 0.6
    assert outcomes(workspace) == [Outcome.FIRST, Outcome.APPROVED, Outcome.ROLLED_BACK]
    assert [decision.by for decision in read_decisions(workspace.forecaster)] == ["brownout", "Ann", "Ann"]
    newest = newest_record(workspace.forecaster)
    assert newest is not None
    assert newest.scores["all.crps"] == 0.9  # its data is not learned from again
    with pytest.raises(ModelError, match="no previous champion") as nothing:
        roll_back(workspace.forecaster, SAID)
    assert "after a challenger has taken the place" in nothing.value.remedy


def test_a_rejected_one_is_put_away_and_not_trained_again(workspace: Workspace) -> None:
    train(workspace, 2, 0.9)
    reject(workspace.forecaster, SAID)
    assert crps(workspace) == 0.6
    newest = newest_record(workspace.forecaster)
    assert newest is not None
    assert newest.trained_to == record(2, 0).trained_to
    for act in (approve, reject):
        with pytest.raises(ModelError, match="no challenger"):
            act(workspace.forecaster, SAID)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_while_it_takes_the_place_one_of_both_is_there(
    workspace: Workspace, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(workspace, 2, 0.9)
    real = champions.move_into_place

    def killed(source: Path, target: Path) -> None:
        if moment == "after":
            real(source, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(champions, "move_into_place", killed)
    with pytest.raises(KeyboardInterrupt):
        approve(workspace.forecaster, SAID)
    assert crps(workspace) == (0.6 if moment == "before" else 0.9)


def test_mlflow_is_told_who_is_what(workspace: Workspace) -> None:
    tracker, notes = MemoryTracker(), []
    train(workspace, 2, 0.9)
    log_models(workspace, tracker, notes.append)
    first = dict(tracker.aliases)
    assert set(first) == {
        "brownout-forecaster@champion",
        "brownout-forecaster@challenger",
        "brownout-detector@champion",
    }
    assert any("review show forecaster" in note for note in notes)
    approve(workspace.forecaster, SAID)
    log_models(workspace, tracker, notes.append)
    assert tracker.aliases["brownout-forecaster@champion"] == first["brownout-forecaster@challenger"]
    assert "brownout-forecaster@challenger" not in tracker.aliases
    assert len(tracker.runs) == 3  # nothing was logged twice
    assert {decision.uri for decision in read_decisions(workspace.forecaster)} == {
        first["brownout-forecaster@champion"],
        first["brownout-forecaster@challenger"],
    }


def test_a_damaged_history_ends_no_night_and_is_kept(workspace: Workspace) -> None:
    path = workspace.forecaster.with_name("forecaster-decisions.json")
    path.write_bytes(b"{\xff")
    train(workspace, 2, 0.5)
    assert outcomes(workspace) == [Outcome.PASSED]
    assert path.with_name("forecaster-decisions.json.broken").read_bytes() == b"{\xff"


def test_a_champion_without_scores_cannot_be_compared_and_gives_way(workspace: Workspace) -> None:
    write_record(workspace.forecaster, replace(read_record(workspace.forecaster), scores={}))
    train(workspace, 2, 0.9)
    assert read_decisions(workspace.forecaster)[-1].outcome is Outcome.REPLACED


def test_of_two_trainings_on_the_same_data_only_the_one_that_was_logged_gets_its_address(workspace: Workspace) -> None:
    train(workspace, 1, 0.55)
    log_models(workspace, MemoryTracker(), lambda _note: None)
    assert [decision.uri for decision in read_decisions(workspace.forecaster)] == ["", "models:/brownout-forecaster/1"]
