"""MLflow: trainings with what went in and came out, and versions of models with aliases. Files only, never a pickle."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote, urlsplit

import numpy as np

from brownout.adapters.mlflow_errors import import_mlflow, tracking_errors
from brownout.adapters.mlflow_model import DATA, package_model
from brownout.adapters.mlflow_retention import Store
from brownout.adapters.mlflow_store import is_whole, prepare_store, sqlite_uri
from brownout.domain.errors import ModelError, TrackingError
from brownout.domain.findings.model_cards import DataFacts

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

__all__ = ["MlflowRun", "MlflowTracker"]

MLFLOW_NAME, MLFLOW_DIGEST = 500, 36
"""Longest name and digest of a data set."""
MLFLOW_PARAM = 6000
"""MLflow refuses longer values of a parameter."""
MLFLOW_TAG = 5000
"""MLflow's servers refuse longer values of a tag."""
DATABASE = "mlflow.db"
ARTIFACTS = "mlflow-artifacts"
ALIASES = frozenset({"champion", "challenger"})
"""Aliases that brownout sets; others are the operator's."""
DAY_S = 86_400.0


@dataclass(frozen=True)
class MlflowRun:
    """One run of MLflow; ``notes`` say what had to be mended before it could be logged."""

    client: "MlflowClient"
    id: str
    experiment: str
    where: str
    notes: tuple[str, ...] = ()
    failures: list[str] = field(default_factory=list)

    def parameters(self, values: Mapping[str, str | float]) -> None:
        """Log what went in."""
        from mlflow.entities import Param

        with tracking_errors("logging parameters", self.where):
            known = [Param(key, str(value)[:MLFLOW_PARAM]) for key, value in values.items()]
            self.client.log_batch(self.id, params=known)

    def metrics(self, values: Mapping[str, float]) -> None:
        """Log what came out."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        with tracking_errors("logging metrics", self.where):
            self.client.log_batch(self.id, metrics=[Metric(key, float(value), now, 0) for key, value in values.items()])

    def artifacts(self, paths: Sequence[Path]) -> None:
        """Log files as they are, for people to look at."""
        with tracking_errors("logging files", self.where):
            for path in paths:
                self.client.log_artifact(self.id, str(path))

    def data(self, facts: DataFacts) -> None:
        """Log what was learned from as an input of the run, where MLflow's pages list data sets."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = {"source": facts.source, "start": f"{facts.start}Z", "end": f"{facts.end}Z", "sha256": facts.sha256}
        profile = {"entities": facts.entities, "values": facts.values}
        known = Dataset(
            name=facts.source[:MLFLOW_NAME],
            digest=facts.sha256[:MLFLOW_DIGEST],
            source_type="brownout history",
            source=json.dumps(source),
            profile=json.dumps(profile),
        )
        with tracking_errors("logging the data", self.where):
            self.client.log_inputs(self.id, [DatasetInput(known, [InputTag("mlflow.data.context", "training")])])

    def describe(self, text: str, tags: Mapping[str, str]) -> None:
        """The description on the run's page, and tags that MLflow's lists show and search."""
        from mlflow.entities import RunTag

        page = {"mlflow.note.content": text, "mlflow.source.name": "brownout", "mlflow.source.type": "JOB"}
        known = [RunTag(key, value[:MLFLOW_TAG]) for key, value in (page | dict(tags)).items()]
        with tracking_errors("describing a run", self.where):
            self.client.log_batch(self.id, tags=known)

    def fail(self, reason: str) -> None:
        """Mark the run as failed once it ends; its page says why."""
        with tracking_errors("marking a run", self.where):
            self.client.set_tag(self.id, "mlflow.note.content", reason)
        self.failures.append(reason)

    def register(self, name: str, folder: Path, *, alias: str, tags: Mapping[str, str]) -> str:
        """Log a model's folder, register it as a new version and point the alias at it; returns its address.

        The address is ``models:/name/version``. The version loads by ``mlflow.pyfunc.load_model``.
        """
        from mlflow.exceptions import MlflowException

        with tracking_errors(f"registering {name}", self.where):
            model, description = self._logged_model(name, folder)
            try:
                self.client.create_registered_model(name)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            version = self.client.create_model_version(
                name,
                model.artifact_location,
                self.id,
                tags=dict(tags),
                description=description or None,
                model_id=model.model_id,
            ).version
            self.client.set_registered_model_alias(name, alias, version)
            return f"models:/{name}/{version}"

    def _logged_model(self, name: str, folder: Path) -> tuple["LoggedModel", str]:
        """The folder as a model of this run, and how it describes itself."""
        from mlflow.entities import LoggedModelOutput
        from mlflow.models import Model

        model = self.client.create_logged_model(self.experiment, name=name, source_run_id=self.id)
        card = Model(
            artifact_path=model.artifact_location, run_id=self.id, model_uuid=model.model_id, model_id=model.model_id
        )
        with TemporaryDirectory() as scratch:
            description = package_model(folder, Path(scratch) / "package", card)
            self.client.log_model_artifacts(model.model_id, str(Path(scratch) / "package"))
        self.client.finalize_logged_model(model.model_id, "READY")
        self.client.log_outputs(self.id, [LoggedModelOutput(model.model_id, step=0)])
        return model, description


@dataclass(frozen=True)
class MlflowTracker:
    """Trainings in an MLflow store: a sqlite file or a server. What MLflow refuses is a TrackingError.

    Parameters
    ----------
    artifacts_folder
        Folder for the artifacts of a sqlite store; a server has its own place.
    folder
        The output folder that the store belongs to: brownout makes, mends, moves and prunes it. None for a store of the
        operator's own, of which only the experiment is brownout's.
    """

    uri: str
    experiment: str
    artifacts_folder: Path
    folder: Path | None = None

    @classmethod
    def in_folder(cls, out: Path, experiment: str) -> Self:
        """The store of an output folder: ``mlflow.db`` and ``mlflow-artifacts`` in it, whatever its name."""
        return cls(sqlite_uri(out / DATABASE), experiment, (out / ARTIFACTS).resolve(), out.resolve())

    @contextmanager
    def run(self, name: str, *, span: tuple[np.datetime64, np.datetime64] | None = None) -> Iterator[MlflowRun]:
        """Log a training from its start to its end (UTC), else from now on; one that raises is marked as failed."""
        begun, ended = (None, None) if span is None else (_epoch_ms(span[0]), _epoch_ms(span[1]))
        with tracking_errors(f"starting the run {name!r}", self.uri):
            mended = self._prepare()
            client = self._client()
            experiment, restored = self._experiment(client)
            info = client.create_run(experiment, start_time=begun, run_name=name).info
        try:
            run = MlflowRun(client, info.run_id, experiment, self.uri, (*mended, *restored))
            yield run
        except BaseException:
            with suppress(TrackingError), tracking_errors("ending a run", self.uri):
                client.set_terminated(info.run_id, "FAILED")
            raise
        with tracking_errors("ending a run", self.uri):
            client.set_terminated(info.run_id, "FAILED" if run.failures else "FINISHED", ended)

    def mark(self, uri: str, *, alias: str, tags: Mapping[str, str]) -> bool:
        """Make an alias the only one of brownout's that names ``models:/name/version``, and tag that version.

        No alias where it is "". Returns False where the store has no such version.
        """
        from mlflow.exceptions import MlflowException

        name, _, version = uri.removeprefix("models:/").rpartition("/")
        with tracking_errors(f"naming {uri}", self.uri):
            self._prepare()
            client = self._client()
            try:
                known = client.get_model_version(name, version)
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
                return False
            for key, value in tags.items():
                if known.tags.get(key) != value:
                    client.set_model_version_tag(name, version, key, value)
            for other in sorted(ALIASES.intersection(known.aliases) - {alias}):
                client.delete_registered_model_alias(name, other)
            if alias and alias not in known.aliases:
                client.set_registered_model_alias(name, alias, version)
            return True

    def fetch(self, uri: str, folder: Path) -> Path:
        """Copy the artifacts behind ``models:/name/version``, ``models:/name@alias`` or ``runs:/id/path``.

        Writes nothing to the store. Raises ModelError where it has no such model.
        """
        try:
            with tracking_errors(f"fetching {uri}", self.uri):
                return self._fetch(uri, folder)
        except TrackingError as error:
            msg = f"The model {uri!r} cannot be fetched: {error.what}"
            raise ModelError(msg, remedy="Give models:/NAME/VERSION or models:/NAME@ALIAS of this store.") from error

    def prune(self, *, keep_days: float, now: float) -> int:
        """Remove trainings older than ``keep_days`` from the output folder's own store; returns how many.

        ``now`` is in seconds since 1970. A store of the operator's own is left alone.
        """
        if self.folder is None or not (self.folder / DATABASE).exists():
            return 0
        with tracking_errors("removing old runs", self.uri):
            self._prepare()
            client = self._client()
            known = client.get_experiment_by_name(self.experiment)
            if known is None:
                return 0
            store = Store(client, self.folder / DATABASE, self.artifacts_folder)
            return store.prune(str(known.experiment_id), before=now - keep_days * DAY_S)

    def _fetch(self, uri: str, folder: Path) -> Path:
        from mlflow.artifacts import download_artifacts

        import_mlflow()
        if self.folder is not None and not ((database := self.folder / DATABASE).exists() and is_whole(database)):
            msg = f"{database} is missing or not complete."
            raise TrackingError(msg, remedy="Train first.")
        client = self._client()
        if uri.startswith("models:/"):
            source = _source(client, uri)
        else:
            run, _, path = uri.removeprefix("runs:/").partition("/")
            source = f"{client.get_run(run).info.artifact_uri}/{path}"
        downloaded = Path(
            download_artifacts(artifact_uri=self._here(source), dst_path=str(folder), tracking_uri=self.uri)
        )
        return downloaded / DATA if (downloaded / DATA).is_dir() else downloaded

    def _here(self, source: str) -> str:
        """An address in a folder that was moved, as it is now."""
        if self.folder is None or not source.startswith("file://"):
            return source
        _, separator, rest = unquote(urlsplit(source).path).rpartition(f"/{ARTIFACTS}/")
        return (self.artifacts_folder / rest).as_uri() if separator else source

    def _client(self) -> "MlflowClient":
        import_mlflow()
        from mlflow import MlflowClient

        return MlflowClient(self.uri, self.uri)

    def _prepare(self) -> tuple[str, ...]:
        return () if self.folder is None else prepare_store(self.folder / DATABASE, self.artifacts_folder)

    def _experiment(self, client: "MlflowClient") -> tuple[str, tuple[str, ...]]:
        """The experiment's id, and a note where somebody had deleted it."""
        from mlflow.exceptions import MlflowException

        known = client.get_experiment_by_name(self.experiment)
        if known is None:
            location = None if self.uri.startswith("http") else self.artifacts_folder.resolve().as_uri()
            try:
                return str(client.create_experiment(self.experiment, artifact_location=location)), ()
            except MlflowException as error:  # another training made it meanwhile
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                known = client.get_experiment_by_name(self.experiment)
        if known.lifecycle_stage == "active":
            return str(known.experiment_id), ()
        client.restore_experiment(known.experiment_id)
        return str(known.experiment_id), (f"The experiment {self.experiment!r} had been deleted: restored.",)


def _epoch_ms(time: np.datetime64) -> int:
    return int(time.astype("datetime64[ms]").astype(np.int64))


def _source(client: "MlflowClient", uri: str) -> str:
    """Where the artifacts of ``models:/name/version`` or ``models:/name@alias`` lie in this registry."""
    name = uri.removeprefix("models:/")
    if "@" in name:
        name, alias = name.rsplit("@", 1)
        return str(client.get_model_version_by_alias(name, alias).source)
    name, _, version = name.rpartition("/")
    return str(client.get_model_version(name, version).source)
