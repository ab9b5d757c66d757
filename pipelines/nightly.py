"""The nightly flow: sync, train, watch, investigate, report.

A task is a shard of entities or a batch of incidents, never one series. Only reading and writing is retried: arithmetic
that failed once fails again.
"""

from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task, unmapped
from prefect.artifacts import (
    create_link_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun
from prefect.states import State
from prefect.tasks import Task
from prefect.task_runners import ThreadPoolTaskRunner

from brownout.domain.night import Night
from brownout.settings import Settings, load_settings
from brownout.usecases import nightly as steps
from brownout.usecases.workspace import Workspace

__all__ = ["nightly"]


def io_failed(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a task failed while reading or writing, the only failure worth another try."""
    return isinstance(state.result(raise_on_failure=False), OSError)


retried = {"retries": 3, "retry_delay_seconds": [2, 10, 30], "retry_condition_fn": io_failed, "cache_policy": NO_CACHE}
