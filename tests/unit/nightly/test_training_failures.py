"""Failed trainings: kept until MLflow has them, each once, whatever is away when."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from fakes import MemoryTracker

from brownout.adapters.tracking import MlflowTracker
from brownout.domain.errors import DataError, TrackingError
from brownout.nightly.effects.review.training_failures import kept_if_failed, log_failures, read_failures
from brownout.nightly.effects.review.training_review import Training
from brownout.nightly.model_review.training_cost import CostMeter
from brownout.store.workspace import Workspace

NOW = np.datetime64("2026-03-20T02:15", "ms")
WINDOW = (NOW - np.timedelta64(30, "D"), NOW)


def fail(workspace: Workspace, error: Exception) -> None:
    made = Training(reason="it is older than 7 days", window=WINDOW, comparable=True, meter=CostMeter(NOW))
    workspace.forecaster.parent.mkdir(parents=True, exist_ok=True)
    with pytest.raises(type(error)), kept_if_failed(workspace.forecaster, "brownout-forecaster", made):
        raise error


def test_what_failed_is_a_failed_run_from_its_start_on(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    workspace = Workspace(tmp_path)
    fail(workspace, DataError("There is no data.", remedy="Sync."))
    tracker, notes = MlflowTracker.in_folder(tmp_path, "brownout"), list[str]()
    log_failures(workspace, tracker, notes.append)
    client = MlflowClient(tracker.uri, tracker.uri)
    (run,) = client.search_runs([client.get_experiment_by_name("brownout").experiment_id])
    assert run.info.status == "FAILED"
    assert run.info.start_time == int(NOW.astype(np.int64))
    assert run.data.tags["mlflow.note.content"] == "There is no data."
    assert run.data.params["reason"] == "it is older than 7 days"
    assert notes == ["a training of brownout-forecaster failed: There is no data."]
    log_failures(workspace, tracker, notes.append)
    assert len(notes) == 1


def test_while_mlflow_is_away_they_are_kept(tmp_path: Path) -> None:
    class Away(MemoryTracker):
        @contextmanager
        def run(self, name: str, **_options: object) -> Iterator["MemoryTracker"]:
            raise TrackingError(f"no server for {name}", remedy="Start it.")
            yield self

    workspace = Workspace(tmp_path)
    fail(workspace, ValueError("one"))
    fail(workspace, ValueError("two"))
    with pytest.raises(TrackingError):
        log_failures(workspace, Away(), lambda _note: None)
    assert [failure.error for failure in read_failures(workspace.forecaster)] == ["ValueError: one", "ValueError: two"]
    tracker = MemoryTracker()
    log_failures(workspace, tracker, lambda _note: None)
    assert [run["failed"] for _, run in tracker.runs] == ["ValueError: one", "ValueError: two"]
    assert read_failures(workspace.forecaster) == ()


def test_a_damaged_file_ends_nothing(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.forecaster.parent.mkdir(parents=True)
    workspace.forecaster.with_name("forecaster-failures.json").write_bytes(b"{\xff")
    fail(workspace, ValueError("one"))
    assert len(read_failures(workspace.forecaster)) == 1
