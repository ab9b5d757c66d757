"""The nightly flow: sync, train, run, publish.

A task is a shard of entities or a batch of incidents, never one series. ``is_transient`` says what is worth another
try: arithmetic that failed once fails again.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, cast
from uuid import UUID

import numpy as np
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

from brownout.bootstrap import open_job
from brownout.domain.night import ModelRecord, Night
from brownout.domain.ports import Lost, Progress, no_progress
from brownout.nightly.context import NightContext
from brownout.nightly.effects.publish import publish
from brownout.nightly.effects.side_effects import is_transient
from brownout.nightly.effects.track_record import with_past_scores
from brownout.nightly.effects.trained_models import load_models, train_detector, train_forecaster
from brownout.nightly.run import NightResult
from brownout.operate.night_job import NightJob
from brownout.operate.sync import SyncResult
from brownout.settings import Settings, load_settings
from brownout.store.memory import release_memory
from brownout.store.shards import ShardPlan

__all__ = ["nightly"]

T = TypeVar("T")
R = TypeVar("R")

RUNNER = cast("TaskRunner[PrefectFuture[Any]]", ThreadPoolTaskRunner[Any](max_workers=2))
"""Two shards at a time: numpy and torch use the other cores by themselves."""


def passing_failure(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a task failed for a reason that may be gone a little later."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, Exception) and is_transient(error)


retried: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": [2, 10, 30],
    "retry_condition_fn": passing_failure,
    "cache_policy": NO_CACHE,
}


@task(name="sync", **retried)
def sync_history(job: NightJob) -> SyncResult:
    """Bring what is new into the history."""
    return job.sync()


@task(name="train the forecaster", **retried)
def train_lstm(job: NightJob, context: NightContext) -> ModelRecord:
    """Train the LSTM and choose between it and the baselines, where that is due."""
    return train_forecaster(context, job.workspace, only_if_due=True)


@task(name="train the detector", **retried)
def train_forest(job: NightJob, context: NightContext) -> ModelRecord:
    """Grow the isolation forests, where that is due."""
    return train_detector(context, job.workspace, only_if_due=True)


@task(name="item", task_run_name="{label}", **retried)
def work_on(item: Any, label: str, work: Callable[[Any], Any]) -> Any:
    """One item of a stage: a shard, or a batch of incidents. ``label`` is what Prefect's pages call it."""
    del label
    return work(item)


def label_of(stage: str, number: int, item: object) -> str:
    """Stage and kind of a shard, or number of a batch."""
    return f"{stage} {item.kind} ({item.start})" if isinstance(item, ShardPlan) else f"{stage} {number}"


@task(name="publish", **retried)
def publish_night(job: NightJob, context: NightContext, result: NightResult) -> Path:
    """Write the report, then tell everything that stands beside the night."""
    result = with_past_scores(result, context, job.workspace, job.effects)
    return publish(result, context, job.workspace, job.services, job.effects)


@flow(name="brownout-nightly", task_runner=RUNNER)
def nightly(
    out: Path,
    config: Path | None = None,
    dataset: Path | None = None,
    as_of: datetime | None = None,
    catch_up: int = 0,
) -> tuple[str, tuple[str, ...], int]:
    """From history to report; returns the path of ``index.html``, what the night's end says, and the exit code.

    Up to ``catch_up`` nights that were missed since the last one are made first, each as of its own time and without
    alerts. A night is known by the end of its data: the same night again replaces its report.
    """
    settings = load_settings(config, **({} if dataset is None else {"dataset": dataset}))
    time = None if as_of is None else np.datetime64(as_of.replace(tzinfo=None), "ms")
    messages: tuple[str, ...] = ()
    for earlier in missed_before(settings, out, catch_up) if time is None and catch_up else ():
        _, lines, _ = one_night(settings, out, earlier)
        messages += (f"caught up with the night of {earlier} UTC", *lines)
    page, lines, code = one_night(settings, out, time)
    return page, (*messages, *lines), code


def missed_before(settings: Settings, out: Path, most: int) -> tuple[np.datetime64, ...]:
    """Nights that were missed, as far as the synced history reaches."""
    job = open_job(settings, out)
    with job.alone("brownout nightly"):
        sync_history(as_it_is(job))
        return job.missed(most)


def one_night(settings: Settings, out: Path, as_of: np.datetime64 | None) -> tuple[str, tuple[str, ...], int]:
    """The night of a time, or of now; as the flow returns it."""
    job = open_job(settings, out, as_of=as_of)
    with job.alone("brownout nightly"):
        synced = sync_history(as_it_is(job))
        get_run_logger().info("%d rows in %d slices synced, up to %s", synced.rows, synced.slices, synced.watermark)
        context = job.context()
        with job.telling_failures():
            for train in (train_lstm, train_forest):  # one after the other: the data of both would meet in memory
                train(as_it_is(job), as_it_is(context))
                release_memory()
        context = context.with_models(load_models(job.workspace))
        result = job.result(context, map=prefect_map, progress=ProgressArtifact())
        page = publish_night(as_it_is(job), as_it_is(context), as_it_is(result))
    tell_prefect(result.night, link=settings.alerts.report_url or page.resolve().as_uri())
    return str(page), job.effects.lines(), job.effects.exit_code


def as_it_is(value: T) -> T:
    """A parameter that Prefect hands on without looking for results of other tasks inside it."""
    return cast("T", quote(value))


def prefect_map(
    stage: str, work: Callable[[T], R], items: Sequence[T], progress: Progress = no_progress
) -> list[R | Lost]:
    """A task for each item; results in the order of the items, and what kept failing in the place of its own."""
    named = work_on.with_options(name=stage)
    labels = [label_of(stage, number, item) for number, item in enumerate(items, 1)]
    futures = list(named.map([as_it_is(item) for item in items], labels, unmapped(as_it_is(work)))) if items else []
    for done, _ in enumerate(as_completed(futures), 1):
        progress(stage, done / len(items))
    return [outcome(future, item) for future, item in zip(futures, items, strict=True)]


def outcome(future: PrefectFuture[R], item: object) -> R | Lost:
    """What a task came to, its retries included."""
    result = future.result(raise_on_failure=False)
    return Lost(item=item, error=result) if isinstance(result, BaseException) else result


class ProgressArtifact:
    """How far each stage is, in Prefect's own pages, wherever it is worked on."""

    def __init__(self) -> None:
        self._ids: dict[str, UUID] = {}

    def __call__(self, stage: str, share: float) -> None:
        """Create the artifact of a stage, or move it on."""
        if stage in self._ids:
            update_progress(self._ids[stage], 100 * share)
        else:
            self._ids[stage] = cast("UUID", create_progress_artifact(100 * share, key=stage))


def tell_prefect(night: Night, *, link: str) -> None:
    """A link to the report and a table of the findings, in Prefect's own pages."""
    create_link_artifact(link, link_text=f"Report of {night.source}", key="report")
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
