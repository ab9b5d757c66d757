"""Trained models in a real MLflow store load by mlflow.pyfunc alone, and refuse what was changed."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from fakes import MemoryStore

from brownout.adapters.tracking import MlflowTracker
from brownout.domain.errors import BrownoutError
from brownout.nightly.context import NightContext
from brownout.nightly.effects.trained_models import log_models, train_detector, train_forecaster
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


def loaded(name: str):
    import mlflow

    return mlflow.pyfunc.load_model(f"models:/{name}@champion")


def test_the_forecaster_predicts_on_its_own_example(store: str) -> None:
    model = loaded("brownout-forecaster")
    example = model.input_example
    made = model.predict(example)
    assert list(made.columns) == ["entity", "metric", "time", *QUANTILES]
    assert set(made["entity"]) == set(example["entity"])
    assert (np.diff(made[QUANTILES].to_numpy(), axis=1) >= 0).all()
    assert np.isfinite(made[QUANTILES].to_numpy()).all()
    assert made["time"].min() > pd.to_datetime(example["time"]).max().tz_localize(None)


def test_the_detector_scores_its_own_example(store: str) -> None:
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
    assert client.get_logged_model(version.model_id).source_run_id == version.run_id
    card = loaded("brownout-forecaster").metadata
    assert {"time", "entity"} <= set(card.get_input_schema().input_names())
    folder = MlflowTracker.in_folder(out, "brownout").fetch("models:/brownout-forecaster@champion", out / "fetched")
    needs = (folder.parents[1] / "requirements.txt").read_text().split()
    assert [need.partition("==")[0] for need in needs][0] == "brownout"
    files = {path.suffix for path in folder.parents[1].rglob("*") if path.is_file()}
    assert files <= {"", ".txt", ".yaml", ".json", ".parquet", ".safetensors"}


@pytest.mark.parametrize("name", ["brownout-forecaster", "brownout-detector"])
def test_a_changed_file_is_refused(store: str, out: Path, tmp_path: Path, name: str) -> None:
    import mlflow

    folder = MlflowTracker.in_folder(out, "brownout").fetch(f"models:/{name}@champion", tmp_path)
    record = folder / "record.json"
    record.write_text(record.read_text().replace("seed", "sEed"))
    with pytest.raises(BrownoutError, match="record.json was changed"):
        mlflow.pyfunc.load_model(str(folder.parents[1]))
    (folder / "hashes.json").write_text("{}")
    with pytest.raises(BrownoutError, match="not the list that was logged"):
        mlflow.pyfunc.load_model(str(folder.parents[1]))


def test_samples_without_what_it_needs_are_refused_by_name(store: str) -> None:
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
