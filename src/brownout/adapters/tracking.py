"""MLflow: trainings with what went in and came out, and versions of models with aliases. Files only, never a pickle."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from brownout.domain.errors import ModelError

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["MlflowRun", "MlflowTracker"]

MLFLOW_PARAM = 6000
"""MLflow refuses longer values of a parameter."""


@dataclass(frozen=True)
class MlflowRun:
    """One run of MLflow."""

    client: "MlflowClient"
    id: str
    artifact_uri: str

    def parameters(self, values: Mapping[str, str | float]) -> None:
        """Log what went in."""
        from mlflow.entities import Param

        self.client.log_batch(self.id, params=[Param(key, str(value)[:MLFLOW_PARAM]) for key, value in values.items()])

    def metrics(self, values: Mapping[str, float]) -> None:
        """Log what came out."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self.client.log_batch(self.id, metrics=[Metric(key, float(value), now, 0) for key, value in values.items()])

    def artifacts(self, folder: Path) -> None:
        """Log the files of a folder as ``model/``."""
        self.client.log_artifacts(self.id, str(folder), "model")

    def register(self, name: str, aliases: Sequence[str]) -> str:
        """Register the artifacts as a new version and point the aliases at it; returns ``models:/name/version``."""
        from mlflow.exceptions import MlflowException

        try:
            self.client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        version = self.client.create_model_version(name, f"{self.artifact_uri}/model", self.id).version
        for alias in aliases:
            self.client.set_registered_model_alias(name, alias, version)
        return f"models:/{name}/{version}"


@dataclass(frozen=True)
class MlflowTracker:
    """Trainings in an MLflow store: a sqlite file or a server.

    Parameters
    ----------
    artifacts
        Folder for the artifacts of a sqlite store; a server has its own place.
    """

    uri: str
    experiment: str
    artifacts_folder: Path

    @contextmanager
    def run(self, name: str) -> Iterator[MlflowRun]:
        """Log a training; a run that raises is marked as failed."""
        client = self._client()
        run = client.create_run(self._experiment(client), run_name=name)
        try:
            yield MlflowRun(client, run.info.run_id, run.info.artifact_uri)
        except BaseException:
            client.set_terminated(run.info.run_id, "FAILED")
            raise
        client.set_terminated(run.info.run_id, "FINISHED")

    def fetch(self, uri: str, folder: Path) -> Path:
        """Copy the artifacts behind ``models:/name/version``, ``models:/name@alias`` or ``runs:/id/path``."""
        client = self._client()
        from mlflow.artifacts import download_artifacts
        from mlflow.exceptions import MlflowException

        try:
            source = _source(client, uri) if uri.startswith("models:/") else uri
            return Path(download_artifacts(artifact_uri=source, dst_path=str(folder), tracking_uri=self.uri))
        except (MlflowException, OSError) as error:
            msg = f"The model {uri!r} cannot be fetched: {error}."
            raise ModelError(msg, remedy="Give models:/NAME/VERSION or models:/NAME@ALIAS of this store.") from error

    def _client(self) -> "MlflowClient":
        # Fleet telemetry is nobody's business but the operator's; MLflow asks for this before its first import.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow import MlflowClient

        return MlflowClient(self.uri, self.uri)

    def _experiment(self, client: "MlflowClient") -> str:
        from mlflow.exceptions import MlflowException

        known = client.get_experiment_by_name(self.experiment)
        if known is not None:
            return str(known.experiment_id)
        place = None if self.uri.startswith("http") else self.artifacts_folder.resolve().as_uri()
        try:
            return str(client.create_experiment(self.experiment, artifact_location=place))
        except MlflowException as error:  # another training made it meanwhile
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return str(client.get_experiment_by_name(self.experiment).experiment_id)


def _source(client: "MlflowClient", uri: str) -> str:
    """Where the artifacts of ``models:/name/version`` or ``models:/name@alias`` lie in this registry."""
    name = uri.removeprefix("models:/")
    if "@" in name:
        name, alias = name.rsplit("@", 1)
        return str(client.get_model_version_by_alias(name, alias).source)
    name, _, version = name.rpartition("/")
    return str(client.get_model_version(name, version).source)
