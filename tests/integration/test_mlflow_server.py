"""Trainings in a real MLflow server over HTTP, as a team keeps them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from panels import waves
from servers import free_port, served

from brownout.adapters.tracking import MlflowTracker
from brownout.domain.errors import ModelError
from brownout.domain.forecast_request import ForecastRequest
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.network.lstm import LstmForecaster


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    program = Path(sys.executable).with_name("mlflow")
    place = f"--host 127.0.0.1 --port {port} --workers 1".split()
    stores = ["--backend-store-uri", f"sqlite:///{folder}/db", "--artifacts-destination", folder / "artifacts"]
    command = [program, "server", *place, *stores]
    with served(command, f"http://127.0.0.1:{port}/health", folder / "log"):
        yield f"http://127.0.0.1:{port}"


def test_a_model_goes_there_and_comes_back_by_version_and_alias(uri: str, tmp_path: Path) -> None:
    tracker = MlflowTracker(uri, "fleet", tmp_path / "unused")
    settings = LstmSettings(context=48, horizon=12, hidden=8, layers=1, steps=3, batch=8)
    forecaster = LstmForecaster(settings).fit([waves()])
    forecaster.save(tmp_path / "model")
    uris = []
    for _ in range(2):
        with tracker.run("forecaster") as run:
            run.parameters({"seed": "0", "long": "x" * 9000})
            run.metrics({"crps": 0.5})
            uris.append(run.register("forecaster", tmp_path / "model", alias="champion", tags={}))
    assert uris == ["models:/forecaster/1", "models:/forecaster/2"]
    for place, name in enumerate([*uris, "models:/forecaster@champion"]):
        fetched = tracker.fetch(name, tmp_path / f"fetched{place}")
        again = LstmForecaster.load(fetched)
        panel = waves(seed=1)
        request = ForecastRequest(panel, [300], 12)
        assert (again.predict(request).values == forecaster.predict(request).values).all()


def test_a_training_that_breaks_is_marked_as_failed(uri: str, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    tracker = MlflowTracker(uri, "broken", tmp_path)
    with pytest.raises(RuntimeError, match="boom"), tracker.run("r"):
        raise RuntimeError("boom")
    client = MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name("broken").experiment_id])
    assert [run.info.status for run in runs] == ["FAILED"]


def test_a_model_that_is_not_there_is_an_error_with_a_remedy(uri: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="models:/none/1") as caught:
        MlflowTracker(uri, "fleet", tmp_path).fetch("models:/none/1", tmp_path)
    assert "models:/NAME/VERSION" in caught.value.remedy
