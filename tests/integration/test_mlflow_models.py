"""Trained models in a real MLflow store load by mlflow.pyfunc alone, and refuse what was changed."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from fakes import MemoryStore
from typer.testing import CliRunner

from brownout.adapters.tracking import MlflowTracker
from brownout.cli import app
from brownout.domain.errors import BrownoutError
from brownout.nightly.context import NightContext
from brownout.nightly.effects.model_log import log_models
from brownout.nightly.effects.model_records import read_record, write_record
from brownout.nightly.effects.trained_models import train_detector, train_forecaster
from brownout.settings import load_settings
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.fleet_dataset import write_dataset
from brownout.store.dataset import Dataset
from brownout.store.workspace import Workspace

NOW = np.datetime64("2026-03-20T02:15", "ms")
QUANTILES = [f"q{number}" for number in range(10, 100, 10)]

pytestmark = pytest.mark.usefixtures("small_forests")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small fleet's models, trained and logged once."""
    folder = tmp_path_factory.mktemp("fleet")
    made = simulate(FleetSettings(hosts=1, vms=2, days=5, interval_s=600, seed=5))
    write_dataset(made, folder / "small", name="small")
    dataset = Dataset.open(folder / "small")
    store = MemoryStore(pq.read_table(folder / "small" / "samples.parquet"), dataset.metrics, dataset.topology, 600)
    context = NightContext.build(store, load_settings(forecast={"train_steps": 5}), created=NOW)
    workspace = Workspace(folder / "out")
    train_forecaster(context, workspace)
    train_detector(context, workspace)
    log_models(workspace, MlflowTracker.in_folder(workspace.out, "brownout"), lambda _note: None)
    return workspace.out


@pytest.fixture
def store(out: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """MLflow is told where the store is, as its users do."""
    import mlflow

    uri = MlflowTracker.in_folder(out, "brownout").uri
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return uri


def loaded(name: str) -> Any:
    import mlflow

    return mlflow.pyfunc.load_model(f"models:/{name}@champion")


@pytest.mark.usefixtures("store")
def test_the_forecaster_predicts_on_its_own_example() -> None:
    model = loaded("brownout-forecaster")
    example = model.input_example
    made = model.predict(example)
    assert list(made.columns) == ["entity", "metric", "time", *QUANTILES]
    assert set(made["entity"]) == set(example["entity"])
    assert (np.diff(made[QUANTILES].to_numpy(), axis=1) >= 0).all()
    assert np.isfinite(made[QUANTILES].to_numpy()).all()
    assert made["time"].min() > pd.to_datetime(example["time"]).max().tz_localize(None)


@pytest.mark.usefixtures("store")
def test_the_detector_scores_its_own_example() -> None:
    model = loaded("brownout-detector")
    made = model.predict(model.input_example)
    assert list(made.columns) == ["entity", "time", "score", "alarm"]
    assert len(made)
    assert (made["alarm"] == (made["score"] > 1)).all()


def test_it_says_what_it_is_and_what_it_needs(store: str, out: Path) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(store, store)
    version = client.get_model_version_by_alias("brownout-forecaster", "champion")
    assert "Forecasts each metric" in version.description
    (model,) = client.get_run(version.run_id).outputs.model_outputs
    logged = client.get_logged_model(model.model_id)
    assert (logged.name, logged.status.value, logged.artifact_location) == (
        "brownout-forecaster",
        "READY",
        version.source,
    )
    card = loaded("brownout-forecaster").metadata
    assert {"time", "entity"} <= set(card.get_input_schema().input_names())
    folder = MlflowTracker.in_folder(out, "brownout").fetch("models:/brownout-forecaster@champion", out / "fetched")
    needs = (folder.parents[1] / "requirements.txt").read_text().split()
    assert needs[0].startswith("brownout==")
    files = {path.suffix for path in folder.parents[1].rglob("*") if path.is_file()}
    assert files <= {"", ".txt", ".yaml", ".json", ".parquet", ".safetensors"}
    run = client.get_run(version.run_id)
    assert {"brownout.version", "brownout.lock", "brownout.data_sha256", "brownout.reason"} <= set(run.data.tags)
    assert "Trained because there was none" in run.data.tags["mlflow.note.content"]
    artifacts = {file.path for file in client.list_artifacts(version.run_id)}
    assert {"card.html", "training.json", "backtest.csv"} <= artifacts


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("name", ["brownout-forecaster", "brownout-detector"])
def test_a_changed_file_is_refused(out: Path, tmp_path: Path, name: str) -> None:
    import mlflow

    folder = MlflowTracker.in_folder(out, "brownout").fetch(f"models:/{name}@champion", tmp_path)
    record = folder / "record.json"
    record.write_text(record.read_text().replace("seed", "sEed"))
    with pytest.raises(BrownoutError, match=r"record\.json was changed"):
        mlflow.pyfunc.load_model(str(folder.parents[1]))
    (folder / "hashes.json").write_text("{}")
    with pytest.raises(BrownoutError, match="not the list that was logged"):
        mlflow.pyfunc.load_model(str(folder.parents[1]))


@pytest.mark.usefixtures("store")
def test_samples_without_what_it_needs_are_refused_by_name() -> None:
    model = loaded("brownout-detector")
    with pytest.raises(Exception, match="time"):
        model.predict(model.input_example.drop(columns="time"))


LOAD = """
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/brownout-detector@champion")
print(len(model.predict(model.input_example)))
"""


def test_another_process_loads_it_that_has_not_imported_brownout(store: str) -> None:
    done = subprocess.run([sys.executable, "-c", LOAD, store], capture_output=True, text=True, check=False)
    assert int(done.stdout.strip().splitlines()[-1]) > 0, done.stderr


def run(*words: object) -> Any:
    return CliRunner().invoke(app, ["review", *map(str, words)])


def test_people_approve_and_roll_back_and_mlflow_follows(out: Path, tmp_path: Path) -> None:
    """A challenger that is worse by its record waits; its decisions are tags of its version."""
    from mlflow import MlflowClient

    place = shutil.copytree(out, tmp_path / "out")
    waiting = shutil.copytree(place / "models" / "forecaster", place / "models" / "forecaster-challenger")
    known = read_record(waiting)
    scores = known.scores | {"all.crps": known.scores["all.crps"] + 0.5}
    later = known.trained_to + np.timedelta64(1, "h")
    write_record(waiting, replace(known, uri="", scores=scores, trained_to=later))

    (state, _) = json.loads(run("list", "--out", place, "--json").stdout)
    assert (state["model"], state["passed"]) == ("forecaster", False)
    assert "FAILED\tCRPS beside seasonal-naive" in run("show", "forecaster", "--out", place).stdout
    assert run("approve", "forecaster", "--out", place, "--by", "Ann").exit_code == 2
    said = ("--out", place, "--by", "Ann", "--reason", "the fleet has changed")
    assert run("approve", "forecaster", *said).exit_code == 0
    tracker = MlflowTracker.in_folder(place, "brownout")
    client = MlflowClient(tracker.uri, tracker.uri)
    live = client.get_model_version_by_alias("brownout-forecaster", "champion")
    assert int(live.version) == 2
    assert live.tags["brownout.outcome"] == "approved"
    assert (live.tags["brownout.by"], live.tags["brownout.reason"]) == ("Ann", "the fleet has changed")
    assert json.loads(run("rollback", "forecaster", *said, "--json").stdout)["outcome"] == "rolled back"
    live = client.get_model_version_by_alias("brownout-forecaster", "champion")
    assert int(live.version) == 1
    lines = run("show", "forecaster", "--out", place).stdout.splitlines()
    assert [line.split("\t")[1] for line in lines[1:]] == ["first", "approved", "rolled back", "card"]
    again = run("rollback", "forecaster", *said)
    assert again.exit_code == 1
    assert "no previous champion" in str(again.exception)
