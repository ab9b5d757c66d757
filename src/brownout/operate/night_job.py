"""A night as a job in an output folder: sync, train, run, publish. The flow and the command line call these steps."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from brownout.domain.calendar import Calendar
from brownout.domain.errors import HistoryError, OrchestrationError
from brownout.domain.night import ModelRecord
from brownout.domain.ports import Map, Progress, SampleStore, no_progress
from brownout.nightly.context import NightContext
from brownout.nightly.effects.alert_state_file import read_alert_state
from brownout.nightly.effects.kept_models import KeptModels
from brownout.nightly.effects.model_log import log_models
from brownout.nightly.effects.publish import LOGGING, Services, publish
from brownout.nightly.effects.report_archive import archived_nights
from brownout.nightly.effects.review.training_failures import log_failures
from brownout.nightly.effects.side_effects import SideEffects
from brownout.nightly.effects.track_record import with_past_scores
from brownout.nightly.effects.trained_models import (
    load_models,
    train_detector,
    train_forecaster,
)
from brownout.nightly.passes.kept_results import KeptResults
from brownout.nightly.run import NightResult, run, serial_map
from brownout.operate.night_archive.missed_nights import missed_nights
from brownout.operate.sources import Source
from brownout.operate.sync import SyncResult, sync_kept
from brownout.settings import Settings
from brownout.store.as_of import StoreAsOf
from brownout.store.leftovers import remove_leftovers
from brownout.store.memory import release_memory
from brownout.store.night_lock import WATCH, night_lock
from brownout.store.workspace import Workspace

__all__ = ["NightJob"]

PASS_PATIENCE_S = 900.0
"""How long a run waits for a pass of watch, of which 1,000 guests took minutes; a pass every five would be too many."""

OpenCluster = Callable[[NightContext], AbstractContextManager[tuple[Map, NightContext]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NightJob:
    """A night in an output folder.

    ``as_of`` makes the night of that time (UTC), blind to what was measured later; None is the end of the data.
    ``kept`` and ``models`` are what earlier passes of watch found and read; a night has none.
    ``effects`` keeps what became of the services beside the night. ``open_cluster`` gives a map on other machines, and
    the context as these have it.
    """

    settings: Settings
    workspace: Workspace
    now: np.datetime64
    calendar: Calendar
    open_source: Callable[[], Source]
    services: Services
    open_cluster: OpenCluster | None = None
    as_of: np.datetime64 | None = None
    kept_results: KeptResults | None = None
    models: KeptModels = field(default_factory=KeptModels)
    effects: SideEffects = field(default_factory=SideEffects)

    @contextmanager
    def alone(self, command: str) -> Iterator[None]:
        """Hold the output folder, without what killed runs left in it; raises LockedError where another run has it.

        A pass of watch waits for nobody, and everybody else waits until such a pass is over.
        """
        patience_s = 0 if command == WATCH else PASS_PATIENCE_S
        with night_lock(self.workspace.out, command=command, now=self.now, patience_s=patience_s):
            remove_leftovers(self.workspace.out)
            for sentence in self.models.unreadable(self.workspace):
                self.effects.note("models", sentence)
            yield

    def sync(self, progress: Progress = no_progress) -> SyncResult:
        """Bring what is new from the data set or database of the settings into the history."""
        return sync_kept(self.open_source(), self.workspace.history, self.settings.history, progress)

    def missed(self, most: int) -> tuple[np.datetime64, ...]:
        """Times of the nights that were missed since the last one, as far as the history reaches; at most so many."""
        archived = archived_nights(self.workspace)
        if not archived or not most or self.as_of is not None:
            return ()
        last = max(span.last for span in self.workspace.open_history().spans().values())
        return missed_nights(archived, self.now, until=last, most=most)

    def context(self) -> NightContext:
        """Everything that the stages read, without models."""
        store: SampleStore = self.workspace.open_history()
        live = self.settings.influxdb is not None
        context = NightContext.build(
            store if self.as_of is None else StoreAsOf(store, self.as_of),
            self.settings,
            created=self.now,
            at=self.as_of if self.as_of is not None else self.now if live else None,
            calendar=self.calendar,
            state=read_alert_state(self.workspace),
            keep_points=self.services.open_sink is not None,
            definitions=None
            if self.kept_results is None
            else self.kept_results.known_definitions(self.settings.knowledge),
        )
        return context if self.kept_results is None else self.kept_results.going_on(context)

    def train(self, progress: Progress = no_progress, *, only_if_due: bool = False) -> tuple[ModelRecord, ModelRecord]:
        """Train forecaster and detector on the history, or only what must be; they are on disk when it returns."""
        context = self.context()
        with self.telling_failures():
            forecaster = train_forecaster(context, self.workspace, progress, only_if_due=only_if_due)
            release_memory()
            detector = train_detector(context, self.workspace, progress, only_if_due=only_if_due)
            release_memory()
        return forecaster, detector

    @contextmanager
    def telling_failures(self) -> Iterator[None]:
        """Log a training that fails in MLflow at once; what failed goes on, whatever becomes of that."""
        try:
            yield
        except Exception:
            if self.services.open_tracker is not None:
                open_tracker = self.services.open_tracker
                self.effects.run(LOGGING, lambda note: log_failures(self.workspace, open_tracker(), note))
            raise

    def run(self, map: Map = serial_map, progress: Progress = no_progress) -> Path:  # noqa: A002 - what it is
        """Run the night with the models of the last training and publish it; returns the path of the report's page.

        Models that this release cannot read are trained again first.
        """
        if self.models.unreadable(self.workspace):
            self.train(progress, only_if_due=True)
        context = self.context().with_models(self.models.load(self.workspace))
        result = self.result(context, map=map, progress=progress)
        result = with_past_scores(result, context, self.workspace, self.effects)
        return publish(result, context, self.workspace, self._needed(context), self.effects)

    def _needed(self, context: NightContext) -> Services:
        """The services that this run has something for: a pass of watch nothing for MLflow that is logged already."""
        logged = all(record.uri for record in (*context.models.records, *context.models.waiting))
        return self.services if self.kept_results is None or not logged else replace(self.services, open_tracker=None)

    def result(
        self,
        context: NightContext,
        *,
        map: Map = serial_map,  # noqa: A002 - what it is
        progress: Progress = no_progress,
    ) -> NightResult:
        """The stages of the night, on the cluster of the settings where there is one, else by the map given.

        A cluster that is away, or ends on the way, is told at the end: the night is then made here.
        """
        if self.open_cluster is not None:
            try:
                with self.open_cluster(context) as (cluster_map, there):
                    return run(context, map=cluster_map, progress=progress, there=there)
            except (OrchestrationError, HistoryError) as error:
                self.effects.fail("work on the cluster", error)
        return run(context, map=map, progress=progress)

    def night(self, progress: Progress = no_progress) -> Path:
        """The whole night without Prefect: what its flow does, in the same order; returns the path of the page."""
        self.sync(progress)
        self.train(progress, only_if_due=True)
        return self.run(progress=progress)

    def log_trainings(self) -> tuple[ModelRecord, ...]:
        """Log the last trainings in MLflow; their records, without a URI where that failed."""
        records = load_models(self.workspace).records
        if self.services.open_tracker is None:
            return records
        open_tracker = self.services.open_tracker
        logged = self.effects.run(LOGGING, lambda note: log_models(self.workspace, open_tracker(), note))
        return records if logged is None else logged
