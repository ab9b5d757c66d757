"""Old trainings leave an MLflow store of our own: their files, versions and runs."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brownout.adapters.mlflow_store import JOURNALS, sqlite_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["Store"]

PAGE = 500
KEPT_VERSIONS = 3
"""Newest versions of each model that stay whatever their age: a rollback needs the one before."""
MODELS = "models"
"""Where MLflow keeps the files of logged models, a folder each, below those of their experiment."""
HEX_DIGITS = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class Store:
    """The sqlite file of an output folder and the folder of its artifacts."""

    client: "MlflowClient"
    database: Path
    artifacts: Path

    def prune(self, experiment: str, *, before: float) -> int:
        """Remove an experiment's runs that started before a time, with versions and files; returns how many went.

        What an alias points to stays, as do the newest versions of each model. Runs that a kill left as running are
        marked as killed. ``before`` is in seconds since 1970. Killed at any moment, the next call goes on.
        """
        protected, versions = self._versions()
        removed = 0
        for run in list(self._runs([experiment])):
            if run.info.status == "RUNNING":
                self.client.set_terminated(run.info.run_id, "KILLED")
            if run.info.start_time / 1000 >= before or run.info.run_id in protected:
                continue
            for version in versions.get(run.info.run_id, ()):
                self.client.delete_model_version(version.name, version.version)
            self._remove_run(run)
            removed += 1
        self._remove_strays(before)
        return removed

    def _versions(self) -> tuple[set[str], dict[str, list[Any]]]:
        """Runs whose versions must stay, and all versions by run."""
        protected: set[str] = set()
        versions: dict[str, list[Any]] = {}
        known = list(_pages(self.client.search_model_versions, filter_string=""))
        for model in _pages(self.client.search_registered_models):
            aliases = {str(number) for number in self.client.get_registered_model(model.name).aliases.values()}
            own = [version for version in known if version.name == model.name]
            newest = sorted((int(version.version) for version in own), reverse=True)[:KEPT_VERSIONS]
            for version in own:
                versions.setdefault(version.run_id, []).append(version)
                if str(version.version) in aliases or int(version.version) in newest:
                    protected.add(version.run_id)
        return protected, versions

    def _runs(self, experiments: Sequence[str]) -> Iterator[Any]:
        from mlflow.entities import ViewType

        yield from _pages(self.client.search_runs, experiment_ids=list(experiments), run_view_type=ViewType.ALL)

    def _models(self, experiments: Sequence[str], which: str | None = None) -> list[Any]:
        return list(_pages(self.client.search_logged_models, experiment_ids=list(experiments), filter_string=which))

    def _remove_run(self, run: Any) -> None:
        """Files first: a run without files is removed by the next call, files without a run would be strays."""
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        # What `mlflow gc` calls; that command would also remove experiments which the operator may want to restore.
        store = SqlAlchemyStore(sqlite_uri(self.database), self.artifacts.as_uri())
        for model in self._models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'"):
            with suppress(FileNotFoundError):
                shutil.rmtree(self.artifacts / MODELS / model.model_id)
            store._hard_delete_logged_model(model.model_id)  # noqa: SLF001
        with suppress(FileNotFoundError):
            shutil.rmtree(self.artifacts / run.info.run_id)
        if run.info.lifecycle_stage == "active":
            self.client.delete_run(run.info.run_id)
        store._hard_delete_run(run.info.run_id)  # noqa: SLF001

    def _remove_strays(self, before: float) -> None:
        """Old files of runs and models that the store does not know, and old stores that were set aside."""
        from mlflow.entities import ViewType

        everywhere = [
            experiment.experiment_id for experiment in _pages(self.client.search_experiments, view_type=ViewType.ALL)
        ]
        known = {run.info.run_id for run in self._runs(everywhere)}
        models = {model.model_id for model in self._models(everywhere)}
        for folder in (self.artifacts / MODELS).iterdir() if (self.artifacts / MODELS).is_dir() else ():
            if folder.name.startswith("m-") and folder.name not in models and folder.stat().st_mtime < before:
                shutil.rmtree(folder)
        for folder in self.artifacts.iterdir() if self.artifacts.is_dir() else ():
            is_run = len(folder.name) == 32 and HEX_DIGITS.issuperset(folder.name)
            if is_run and folder.name not in known and folder.stat().st_mtime < before:
                shutil.rmtree(folder)
        for path in self.database.parent.glob(f"{self.database.name}.broken-*"):
            if not path.name.endswith(JOURNALS) and path.stat().st_mtime < before:
                for suffix in ("", *JOURNALS):
                    Path(f"{path}{suffix}").unlink(missing_ok=True)


def _pages(search: Any, **options: Any) -> Iterator[Any]:
    token = None
    while True:
        page = search(max_results=PAGE, page_token=token, **options)
        yield from page
        token = page.token
        if not token:
            return
