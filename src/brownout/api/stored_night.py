"""A night of an output folder: its results as frames, what was measured, and plots."""

import os
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from brownout.api import night_frames, review_frames
from brownout.api.measured_frames import measured_frame, utc
from brownout.domain.errors import BrownoutError, DataError
from brownout.domain.forecasts import Series
from brownout.domain.night import Night
from brownout.numerics.slots import days
from brownout.operate.review import ModelState, review_models
from brownout.reporting import load_night
from brownout.site_knowledge import load_definitions
from brownout.store.history import History
from brownout.store.workspace import Workspace

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["StoredNight", "nights", "open_night"]

SHOWN_DAYS = 3.0
"""What is plotted of the past unless a start is given."""


def nights(out: str | os.PathLike[str]) -> tuple[str, ...]:
    """Names of the nights in the archive of an output folder, the oldest first, e.g. ``2026-03-16T0215Z``."""
    archive = Workspace(Path(out)).archive
    return tuple(sorted(path.parent.name for path in archive.glob("*/report.json")))


def open_night(out: str | os.PathLike[str], night: str | None = None) -> "StoredNight":
    """The last night of an output folder, or one of its archive.

    Parameters
    ----------
    out
        What ``--out`` of ``brownout nightly`` was.
    night
        One of :func:`nights`.

    Raises
    ------
    DataError
        There is no such night, or its ``report.json`` is damaged or of another release.
    """
    workspace = Workspace(Path(out))
    path = workspace.report / "report.json"
    if night is not None:
        known = nights(out)
        if night not in known:
            raise DataError(f"{workspace.archive} has no night {night!r}.", remedy=f"Name one of {list(known)}.")
        path = workspace.archive / night / "report.json"
    if not path.is_file():
        raise DataError(f"{path} does not exist.", remedy="Give the folder that `brownout nightly --out` wrote into.")
    return StoredNight(workspace, load_night(path))


@dataclass(frozen=True, eq=False)
class StoredNight:
    """What a night found, as pandas frames. Times are UTC.

    Attributes
    ----------
    workspace
        Folders of the night's output.
    night
        The results themselves.
    """

    workspace: Workspace
    night: Night

    def __repr__(self) -> str:
        """One line that says what there is."""
        counts = f"{len(self.night.diagnoses)} incidents, {len(self.night.breaches)} breaches"
        return f"<night of {self.night.source}: data until {self.night.end} UTC, {counts}>"

    @property
    def start(self) -> pd.Timestamp:
        """Begin of the window that was searched."""
        return pd.Timestamp(self.night.start, tz="UTC")

    @property
    def end(self) -> pd.Timestamp:
        """End of the data, from which the forecasts look ahead."""
        return pd.Timestamp(self.night.end, tz="UTC")

    @cached_property
    def incidents(self) -> pd.DataFrame:
        """Incidents, open ones first, then the most severe.

        By ``incident``: start, end, open, entity, cause, title, family, probability (0 to 1), severity (1 is the alarm
        boundary), involved, summary.
        """
        return night_frames.incident_frame(self.night)

    @cached_property
    def evidence(self) -> pd.DataFrame:
        """What speaks for and against each candidate cause of each incident.

        Columns: incident, cause, title, entity, probability, role, state, strength (0 to 1), statement.
        """
        return night_frames.evidence_frame(self.night)

    @cached_property
    def episodes(self) -> pd.DataFrame:
        """Spans in which an entity was abnormal, suppressed ones too.

        By ``episode``: entity, start, end, open, severity, metric (the one that moved most), shape, onset, incident
        (its id), suppressed (empty where it was told), reason.
        """
        return night_frames.episode_frame(self.night)

    @cached_property
    def breaches(self) -> pd.DataFrame:
        """Limits that will probably be crossed, or are exceeded already.

        Columns: entity, metric, title, unit, limit, now, exceeded, probability (0 to 1), earliest, likely and latest
        (when the chance of having crossed reaches 10, 50 and 90 %; NaT where it does not), duration_s, maker.
        """
        return night_frames.breach_frame(self.night)

    @cached_property
    def forecasts(self) -> pd.DataFrame:
        """The forecasts that the report draws.

        Columns: entity, metric, title, unit, time, low, middle, high (10, 50, 90 %), naive, limit, maker.
        """
        return night_frames.forecast_frame(self.night)

    @cached_property
    def actions(self) -> pd.DataFrame:
        """What to do, most urgent first.

        Columns: about, entity, title, cause, risk, now_ms, low_ms and high_ms (console latency now and after it),
        confirm, command, rollback.
        """
        return night_frames.action_frame(self.night)

    @cached_property
    def consoles(self) -> pd.DataFrame:
        """How slow each console is now, the slowest first.

        Columns: entity, metric, title, unit, now, limit, exceeded.
        """
        return night_frames.console_frame(self.night)

    @cached_property
    def entities(self) -> pd.DataFrame:
        """Everything that is measured.

        By ``entity``: kind, parent, host, site.
        """
        return night_frames.topology_frame(self.night.topology)

    @cached_property
    def models(self) -> pd.DataFrame:
        """Models that took part.

        By ``model``: uri, trained_from, trained_to, seed, lock, scores.
        """
        return night_frames.model_frame(self.night)

    @cached_property
    def skills(self) -> pd.DataFrame:
        """Backtest of the forecaster by metric, and one row with an empty metric for all together.

        Columns: metric, maker, windows, mase and crps (as ratios to seasonal-naive), coverage, brier, brier_base (of
        always giving the share of windows that crossed), note.
        """
        return night_frames.skill_frame(self.night)

    @cached_property
    def criteria(self) -> pd.DataFrame:
        """What the shipped rules of review say of models that wait, those that failed first; as the folder is now.

        Columns: model, criterion, of (a metric, or all), champion, challenger, passed, why.
        """
        return review_frames.criteria_frame(self._states)

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """The newest forecaster and detector beside the one in use and seasonal-naive, on the same windows.

        Columns: model, state (waits, in use), resource, against, entities, ratio (of losses, below 1 is better), low
        and high (its 90 % interval), p_worse, p_better.
        """
        return review_frames.comparison_frame(self.workspace)

    @cached_property
    def decisions(self) -> pd.DataFrame:
        """Which model was put in use or away when, why and by whom, the oldest first; as the folder is now.

        Columns: model, at, outcome, by, reason, uri, trained_from, trained_to.
        """
        return review_frames.decision_frame(self._states)

    @cached_property
    def _states(self) -> tuple[ModelState, ...]:
        return review_models(self.workspace, load_definitions().review)

    def measured(
        self,
        entity: str,
        *,
        metrics: Collection[str] | None = None,
        start: pd.Timestamp | str | None = None,
        end: pd.Timestamp | str | None = None,
    ) -> pd.DataFrame:
        """What was measured of an entity, from the history: one column a metric, one row a slot; NaN = not measured.

        By default the three days before the end of the night. Raises DataError where the night does not know the
        entity or a metric of it.
        """
        until = self.night.end if end is None else utc(end)
        since = until - days(SHOWN_DAYS) if start is None else utc(start)
        history = History.open(self.workspace.history)
        return measured_frame(history, entity, metrics=metrics, start=pd.Timestamp(since), end=pd.Timestamp(until))

    def plot(
        self, entity: str | None = None, metric: str | None = None, *, start: pd.Timestamp | str | None = None
    ) -> "Axes":
        """Draw a series: what was measured, its forecast where there is one, its limit, and the incidents around it.

        By default the latency of the slowest console. Returns matplotlib's ``Axes``; raises BrownoutError where
        matplotlib is not installed.
        """
        try:
            from brownout.api.night_plot import plot_series  # noqa: PLC0415 - matplotlib is optional
        except ImportError as error:
            remedy = "In brownout's clone: pip install -c constraints.txt '.[notebook]'."
            raise BrownoutError("Plots need matplotlib, which is not installed.", remedy=remedy) from error
        series = self._series(entity, metric)
        return plot_series(self.night, series, self.measured(series.entity, metrics=[series.metric], start=start))

    def _series(self, entity: str | None, metric: str | None) -> Series:
        """The series that is meant, by default that of the slowest console."""
        if entity is None:
            if not self.night.consoles:
                raise DataError("No console is measured.", remedy="Name an entity and a metric.")
            slowest = self.night.consoles[0].series
            return Series(slowest.entity, metric or slowest.metric)
        if metric is not None:
            return Series(entity, metric)
        named = [level.series for level in self.night.consoles] + [breach.series for breach in self.night.breaches]
        for series in named:
            if series.entity == entity:
                return series
        raise DataError(f"Which metric of {entity!r}?", remedy=f"Name one of {list(self.measured(entity).columns)}.")
