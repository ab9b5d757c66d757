"""The stages of a night, one after the other, for the command line; the Prefect flow runs the same ones as tasks."""

from pathlib import Path

from brownout.detection.forest.detector import IsolationForestDetector
from brownout.domain.night import ModelRecord
from brownout.domain.ports import Progress, no_progress
from brownout.forecasting.outlook import Outlook
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.nightly.assemble import Findings, conclude
from brownout.nightly.diagnose import group_incidents, investigate
from brownout.nightly.false_alarms import expected_per_day, suppress_expected
from brownout.nightly.forecast import Watchers, plan_watch, watch_shard
from brownout.nightly.state_file import read_alert_state, remember
from brownout.nightly.train import read_record, train_detector, train_forecaster
from brownout.nightly.workspace import Workspace
from brownout.nightly.write_back import night_points, sink_of
from brownout.operate.open_sources import clock, open_source
from brownout.operate.sync import SyncResult, sync
from brownout.settings import Settings
from brownout.store.retention import Keep

__all__ = ["bring", "train_models", "watch_fleet"]


def bring(settings: Settings, workspace: Workspace, progress: Progress = no_progress) -> SyncResult:
    """Bring what is new from the data set or database of the settings into the history."""
    keep = Keep(days=settings.history.keep_days, thin_after_days=settings.history.thin_after_days)
    return sync(open_source(settings, clock()), workspace.history, keep=keep, progress=progress)


def train_models(
    settings: Settings, workspace: Workspace, progress: Progress = no_progress
) -> tuple[ModelRecord, ModelRecord]:
    """Train forecaster and detector on the history."""
    store, tracker = workspace.open_history(), workspace.tracker(settings)
    return (
        train_forecaster(store, settings, workspace.forecaster, tracker, progress),
        train_detector(store, settings, workspace.detector, tracker, progress),
    )


def watch_fleet(settings: Settings, workspace: Workspace, progress: Progress = no_progress) -> Path:
    """Forecast, detect, diagnose and plan with the models of the last training; returns the path of the report."""
    records = [read_record(folder) for folder in (workspace.forecaster, workspace.detector)]
    store = workspace.open_history()
    forecaster = SelectedForecaster.load(workspace.forecaster)
    detector = IsolationForestDetector.load(workspace.detector)
    plans, sink = plan_watch(store, settings), sink_of(settings)
    watchers = Watchers(forecaster, Outlook.load(workspace.outlook), detector, sink, read_alert_state(workspace))
    shards = []
    for done, plan in enumerate(plans):
        shards.append(watch_shard(store, plan, watchers, settings))
        progress("watch", (done + 1) / len(plans))
    episodes = [episode for shard in shards for episode in shard.episodes]
    batches = group_incidents(store, episodes)
    found = []
    for done, batch in enumerate(batches):
        found.append(investigate(store, batch, settings))
        progress("investigate", (done + 1) / len(batches))
    findings = Findings(
        models=records,
        skills=forecaster.skills_,
        shards=shards,
        told=suppress_expected(found, episodes, expected_per_day(store, episodes, detector), settings, watchers.memory),
        verdicts=watchers.memory.verdicts,
    )
    night = conclude(store, settings, workspace.report, findings)
    remember(workspace, night)
    if sink is not None:
        sink(night_points(night))
    return workspace.report / "index.html"
