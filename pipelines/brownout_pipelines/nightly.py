"""The nightly flow: sync, train, watch, investigate, report.

A task is a shard of entities or a batch of incidents, never one series. Only failed reading and writing is retried:
arithmetic that failed once fails again.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from prefect import flow, task, unmapped
from prefect.artifacts import create_link_artifact, create_progress_artifact, create_table_artifact
from prefect.artifacts import update_progress_artifact as update_progress
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.futures import PrefectFuture, as_completed
from prefect.logging import get_run_logger
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import Task
from prefect.utilities.annotations import quote

from brownout.detection.forest.detector import IsolationForestDetector
from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.domain.night import ModelRecord, Night
from brownout.forecasting.outlook import Outlook
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.nightly.assemble import Findings, conclude
from brownout.nightly.diagnose import Investigation, group_incidents, investigate
from brownout.nightly.false_alarms import expected_per_day, suppress_expected
from brownout.nightly.forecast import ShardFindings, Watchers, plan_watch, watch_shard
from brownout.nightly.run import bring
from brownout.nightly.state_file import read_alert_state, remember
from brownout.nightly.train import train_detector, train_forecaster
from brownout.nightly.workspace import Workspace
from brownout.nightly.write_back import night_points, sink_of
from brownout.operate.sync import SyncResult
from brownout.settings import Settings, load_settings
from brownout.store.shards import ShardPlan

__all__ = ["nightly"]

RUNNER = cast("TaskRunner[PrefectFuture[Any]]", ThreadPoolTaskRunner[Any](max_workers=2))
"""Two shards at a time: numpy and torch use the other cores by themselves."""


def reading_failed(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a task failed while reading or writing, the only failure worth another try."""
    return isinstance(state.result(raise_on_failure=False), OSError)


retried: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": [2, 10, 30],
    "retry_condition_fn": reading_failed,
    "cache_policy": NO_CACHE,
}


@task(name="sync", **retried)
def sync_history(settings: Settings, workspace: Workspace) -> SyncResult:
    """Bring what is new into the history."""
    return bring(settings, workspace)


@task(name="train the forecaster", **retried)
def train_lstm(settings: Settings, workspace: Workspace) -> ModelRecord:
    """Train the LSTM, choose between it and the naive forecasts."""
    store, tracker = workspace.open_history(), workspace.tracker(settings)
    return train_forecaster(store, settings, workspace.forecaster, tracker)


@task(name="train the detector", **retried)
def train_forest(settings: Settings, workspace: Workspace) -> ModelRecord:
    """Grow the isolation forests."""
    return train_detector(workspace.open_history(), settings, workspace.detector, workspace.tracker(settings))


@task(name="watch", task_run_name="watch {plan.kind} ({plan.start})", **retried)
def watch(plan: ShardPlan, settings: Settings, workspace: Workspace) -> ShardFindings:
    """Forecast and search one shard."""
    forecaster = SelectedForecaster.load(workspace.forecaster)
    detector = IsolationForestDetector.load(workspace.detector)
    watchers = Watchers(
        forecaster, Outlook.load(workspace.outlook), detector, sink_of(settings), read_alert_state(workspace)
    )
    return watch_shard(workspace.open_history(), plan, watchers, settings)


@task(name="investigate", **retried)
def find_causes(batch: Sequence[IncidentWindow], settings: Settings, workspace: Workspace) -> Investigation:
    """Rank causes of a batch of incidents and plan against them."""
    return investigate(workspace.open_history(), batch, settings)


@task(name="report", **retried)
def report(settings: Settings, workspace: Workspace, findings: Findings) -> Night:
    """Put everything together and write the report."""
    night = conclude(workspace.open_history(), settings, workspace.report, findings)
    remember(workspace, night)
    return night


@task(name="write back", **retried)
def write_back(settings: Settings, night: Night) -> int:
    """Write breaches, episodes and causes to the database that the telemetry came from."""
    sink = sink_of(settings)
    return 0 if sink is None else sink(night_points(night))


@flow(name="brownout-nightly", task_runner=RUNNER)
def nightly(out: Path, config: Path | None = None, dataset: Path | None = None) -> str:
    """From history to report; returns the path of ``index.html``."""
    settings = load_settings(config, **({} if dataset is None else {"dataset": dataset}))
    workspace = Workspace(out)
    brought = sync_history(settings, workspace)
    get_run_logger().info("%d rows in %d slices synced, up to %s", brought.rows, brought.slices, brought.watermark)
    training = [train_lstm.submit(settings, workspace), train_forest.submit(settings, workspace)]
    models = [future.result() for future in training]
    store = workspace.open_history()
    shards = _each(watch, "watch", plan_watch(store, settings), settings, workspace)
    episodes = [episode for shard in shards for episode in shard.episodes]
    batches = [quote(batch) for batch in group_incidents(store, episodes)]
    causes = _each(find_causes, "investigate", batches, settings, workspace)
    often = expected_per_day(store, episodes, IsolationForestDetector.load(workspace.detector))
    findings = Findings(
        models=models,
        skills=SelectedForecaster.load(workspace.forecaster).skills_,
        shards=shards,
        told=suppress_expected(causes, episodes, often, settings, read_alert_state(workspace)),
        verdicts=read_alert_state(workspace).verdicts,
    )
    night = report(settings, workspace, cast("Findings", quote(findings)))
    if settings.influxdb is not None and settings.influxdb.write_back:
        write_back(settings, cast("Night", quote(night)))
    _publish(night, workspace)
    return str(workspace.report / "index.html")


def _each(work: Task[..., Any], name: str, items: Sequence[Any], settings: Settings, workspace: Workspace) -> list[Any]:
    """Map a task over items with a progress artifact; results in the order of the items."""
    if not items:
        return []
    futures = work.map(items, unmapped(settings), unmapped(workspace))
    progress = cast("UUID", create_progress_artifact(0.0, key=name, description=f"{len(items)} batches"))
    for done, future in enumerate(as_completed(list(futures)), 1):
        future.result()
        update_progress(progress, 100 * done / len(items))
    return [future.result() for future in futures]


def _publish(night: Night, workspace: Workspace) -> None:
    """A link to the report and a table of the findings, in Prefect's own pages."""
    create_link_artifact(
        (workspace.report / "index.html").resolve().as_uri(), link_text=f"Report of {night.source}", key="report"
    )
    rows = [
        {
            "what": diagnosis.top.title,
            "where": diagnosis.top.entity or diagnosis.entities[0],
            "when": str(diagnosis.start),
            "state": "going on" if diagnosis.open else "over",
            "probability": round(diagnosis.top.probability, 2),
        }
        for diagnosis in night.diagnoses
    ] + [
        {
            "what": f"{breach.series.metric} beyond {breach.limit:g}",
            "where": breach.series.entity,
            "when": str(breach.likely or breach.earliest),
            "state": "forecast",
            "probability": round(breach.probability, 2),
        }
        for breach in night.breaches
    ]
    create_table_artifact(rows, key="findings", description=f"What the night found in {night.source}")
