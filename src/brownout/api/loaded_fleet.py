"""A fleet's telemetry, and what the stages of a night say of it: nothing is written, told or alarmed anywhere."""

import os
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from brownout.api import night_frames
from brownout.api.measured_frames import measured_frame, utc
from brownout.api.result_frames import quantile_frame, score_frame
from brownout.api.what_if_frames import Moves, Resizes, WhatIfFrames, asked_what_if
from brownout.bootstrap import clock, open_calendar, sync_history
from brownout.domain.errors import DataError, HistoryError
from brownout.domain.metrics import Catalogue
from brownout.domain.night import Night
from brownout.domain.ports import Progress, SampleStore, no_progress
from brownout.ingest.named_samples import NamedSamples
from brownout.nightly.context import NightContext, NightModels
from brownout.nightly.effects.trained_models import load_models
from brownout.nightly.run import NightResult, run
from brownout.nightly.training.train import fit_detector, fit_forecaster
from brownout.settings import Settings, load_settings
from brownout.site_knowledge import load_definitions
from brownout.store.as_of import StoreAsOf
from brownout.store.dataset import Dataset
from brownout.store.workspace import Workspace

__all__ = ["Fleet", "load"]

DESCRIPTION = "dataset.toml"
"""The file by which a dataset folder is known."""


def load(
    source: str | os.PathLike[str],
    *,
    as_of: pd.Timestamp | str | None = None,
    settings: Settings | str | os.PathLike[str] | None = None,
    progress: Progress = no_progress,
) -> "Fleet":
    """Telemetry of a dataset folder, of an output folder of ``brownout nightly``, or of a settings file's InfluxDB.

    Parameters
    ----------
    source
        A folder with a ``dataset.toml``, what ``--out`` of ``brownout nightly`` was, or a settings file that says where
        the telemetry is. A database is read, as far back as its ``history_days``, into a temporary folder that goes
        with the fleet; to ask it often, let ``brownout sync`` keep a history and give its folder.
    as_of
        Looks from this time (UTC), blind to what was measured later.
    settings
        A settings file, or settings; what they say of the source does not count. By default those of such a ``source``.
    progress
        Called with a stage and the share done, 0 to 1.

    Raises
    ------
    DataError
        There is neither a data set nor a history, or nothing in it.
    SettingsError, KnowledgeError
        The settings, or the site's own rules, causes or remedies, cannot be used.
    DatabaseError
        The database cannot be reached or read.

    Examples
    --------
    >>> import brownout
    >>> fleet = brownout.load("my-fleet")
    >>> fleet
    <fleet my-fleet: 9 entities, 2026-03-02 00:00 to 2026-03-06 23:45 UTC>
    >>> sorted(fleet.entities["kind"].unique())
    ['console', 'disk', 'host', 'interface', 'link', 'path', 'vm']
    """
    path = Path(source)
    resolved = settings if isinstance(settings, Settings) else load_settings(Path(settings) if settings else None)
    if path.is_file():
        stated = load_settings(path)
        resolved = stated if settings is None else resolved.model_copy(update=_source_of(stated))
    load_definitions(resolved.knowledge)  # a site's own rule that cannot be used is told before minutes of work
    fleet = _synced(resolved, progress) if path.is_file() else _stored(path, resolved, progress)
    return fleet if as_of is None else replace(fleet, store=StoreAsOf(fleet.store, utc(as_of)))


def _source_of(settings: Settings) -> dict[str, object]:
    return {"dataset": settings.dataset, "influxdb": settings.influxdb}


def _synced(settings: Settings, progress: Progress) -> "Fleet":
    """What the data set or database of the settings holds, in a folder that is removed with the fleet."""
    if settings.dataset is not None and settings.influxdb is None:
        return _stored(settings.dataset, settings, progress)
    folder = TemporaryDirectory(prefix="brownout-")
    try:
        sync_history(settings, Path(folder.name), progress)
    except HistoryError as error:
        msg = "The database has no samples of the days that its settings ask for."
        raise DataError(msg, remedy="`brownout doctor --config FILE` says what is missing.") from error
    store = Workspace(Path(folder.name)).open_history()
    return Fleet(store=store, settings=settings, progress=progress, folder=folder)


def _stored(folder: Path, settings: Settings, progress: Progress) -> "Fleet":
    """The data set or the history of a folder."""
    if (folder / DESCRIPTION).is_file():
        dataset = Dataset.open(folder, catalogue=Catalogue.load(settings.knowledge))
        return Fleet(store=NamedSamples(dataset), settings=settings, progress=progress)
    workspace = Workspace(folder)
    if workspace.history.is_dir():
        return Fleet(store=workspace.open_history(), settings=settings, workspace=workspace, progress=progress)
    msg = f"{folder} holds neither a data set ({DESCRIPTION}) nor a history."
    remedy = "Give a dataset folder, the folder that `brownout nightly --out` wrote into, or a settings file."
    raise DataError(msg, remedy=remedy)


@dataclass(frozen=True, eq=False, kw_only=True)
class Fleet:
    """Telemetry of a fleet. Each question is answered by the stages that a night has; times are UTC.

    Models are those of the output folder where it has any; else they are trained in memory when they are first needed,
    which takes minutes on a large fleet. Answers are kept. In the examples, ``fleet`` is what :func:`load` returned.
    """

    store: SampleStore
    settings: Settings
    workspace: Workspace | None = None
    progress: Progress = field(default=no_progress, repr=False)
    folder: TemporaryDirectory[str] | None = field(default=None, repr=False)
    """Holds a history that was read for this fleet alone."""

    def __repr__(self) -> str:
        """One line that says what there is."""
        spans = self.store.spans().values()
        first, last = min(span.first for span in spans), max(span.last for span in spans)
        shown = (str(time.astype("datetime64[m]")).replace("T", " ") for time in (first, last))
        return f"<fleet {self.store.name}: {len(spans)} entities, {' to '.join(shown)} UTC>"

    @cached_property
    def entities(self) -> pd.DataFrame:
        """Everything that is measured, by ``entity``: kind, parent, host, site."""
        return night_frames.topology_frame(self.store.topology)

    def measured(
        self,
        entity: str,
        *,
        metrics: Collection[str] | None = None,
        start: pd.Timestamp | str | None = None,
        end: pd.Timestamp | str | None = None,
    ) -> pd.DataFrame:
        """What was measured of an entity: a column a metric, a row a slot; NaN = not measured. By default, all of it.

        Raises DataError where nothing was measured of the entity, or not the metrics.

        Examples
        --------
        >>> frame = fleet.measured("kvm01", metrics=["host_cpu_busy_pct"])
        >>> frame.index.name, list(frame.columns)
        ('time', ['host_cpu_busy_pct'])
        """
        return measured_frame(self.store, entity, metrics=metrics, start=start, end=end)

    def forecast(self) -> pd.DataFrame:
        """Forecasts of every metric with a limit, from the end of the data on.

        Columns: entity, metric, unit, limit, time, q10 to q90, maker.

        Examples
        --------
        >>> made = fleet.forecast()
        >>> bool((made["q10"] <= made["q90"]).all())
        True
        """
        return quantile_frame([shard.forecast for shard in self._night.shards], self._context.metrics)

    def breaches(self) -> pd.DataFrame:
        """Limits that will probably be crossed, or are exceeded already; columns as of a stored night."""
        return night_frames.breach_frame(self._night.night)

    def detect(self) -> pd.DataFrame:
        """Spans in which an entity was abnormal, by ``episode``; columns as of a stored night.

        Examples
        --------
        >>> episodes = fleet.detect()
        >>> list(episodes.columns[:5])
        ['entity', 'start', 'end', 'open', 'severity']
        """
        return night_frames.episode_frame(self._detected.night)

    def scores(self) -> pd.DataFrame:
        """How abnormal each entity was in each slot that was searched.

        Columns: entity, time, score (1 is the alarm boundary), alarm.
        """
        return score_frame([shard.detection.scores for shard in self._detected.shards])

    def diagnose(self) -> pd.DataFrame:
        """Incidents with their most probable cause, by ``incident``; columns as of a stored night.

        Examples
        --------
        >>> incidents = fleet.diagnose()
        >>> "cause" in incidents and "probability" in incidents
        True
        """
        return night_frames.incident_frame(self._detected.night)

    def evidence(self) -> pd.DataFrame:
        """What speaks for and against each candidate cause of each incident; columns as of a stored night."""
        return night_frames.evidence_frame(self._detected.night)

    def plan(self) -> pd.DataFrame:
        """What to do about incidents and breaches, most urgent first; columns as of a stored night.

        Examples
        --------
        >>> plan = fleet.plan()
        >>> list(plan.columns[:3])
        ['about', 'entity', 'title']
        """
        return night_frames.action_frame(self._night.night)

    def what_if(self, *, move: Moves | None = None, resize: Resizes | None = None) -> WhatIfFrames:
        """What moves or other sizes of guests would change: console latency, and when resources run out.

        Parameters
        ----------
        move
            The host that each guest would be on.
        resize
            The ``memory`` (as ``"8G"``) and ``vcpus`` that each guest would have.

        Raises
        ------
        SettingsError
            A guest or host is not known, or how large it is was never measured.

        Examples
        --------
        >>> answer = fleet.what_if(resize={"vm001": {"vcpus": 4}})
        >>> list(answer.consoles.columns[:3]), len(answer.limits.columns)
        (['about', 'entity', 'metric'], 8)
        """
        return asked_what_if(self._context.with_models(self._trained), move or {}, resize or {})

    def skills(self) -> pd.DataFrame:
        """Backtest of the forecaster by metric; columns as of a stored night."""
        return night_frames.skill_frame(self._night.night)

    @property
    def night(self) -> Night:
        """All results, as a report has them."""
        return self._night.night

    @cached_property
    def _context(self) -> NightContext:
        return NightContext.build(
            self.store, self.settings, created=clock(), calendar=open_calendar(self.settings), keep_points=True
        )

    @cached_property
    def _models(self) -> NightModels | None:
        """The models of the output folder; None where it has none."""
        has_models = self.workspace is not None and self.workspace.forecaster.is_dir()
        return load_models(self.workspace) if has_models and self.workspace is not None else None

    @cached_property
    def _detected(self) -> NightResult:
        """A night that forecasts nothing: what only asks for detection need not wait for a forecaster."""
        if "_night" in vars(self):
            return self._night
        if self._models is not None:
            return self._run(replace(self._models, forecaster=None, outlook=None))
        return self._run(NightModels(detector=fit_detector(self._context, self.progress)))

    @cached_property
    def _night(self) -> NightResult:
        return self._run(self._trained)

    @cached_property
    def _trained(self) -> NightModels:
        if self._models is not None:
            return self._models
        fitted = fit_forecaster(self._context, progress=self.progress)
        detector = fit_detector(self._context, self.progress)
        return NightModels(detector=detector, forecaster=fitted.forecaster, outlook=fitted.outlook)

    def _run(self, models: NightModels) -> NightResult:
        return run(self._context.with_models(models), progress=self.progress)
