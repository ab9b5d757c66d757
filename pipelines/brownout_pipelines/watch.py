"""The watch: what is new is synced and judged by the models of the last training, every few minutes."""

from pathlib import Path

from prefect import flow
from prefect.logging import get_run_logger

from brownout.bootstrap import open_job
from brownout.domain.errors import LockedError
from brownout.settings import load_settings
from brownout.store.night_lock import WATCH

__all__ = ["watch"]


@flow(name="brownout-watch", retries=1, retry_delay_seconds=10)
def watch(out: Path, config: Path | None = None) -> str:
    """Sync and run; returns the path of the page, empty where a night holds the folder: it does the same, and more."""
    job = open_job(load_settings(config), out)
    try:
        with job.alone(WATCH):
            job.sync()
            page = job.run()
    except LockedError as error:
        get_run_logger().info("skipped: %s", error.what)
        return ""
    for line in job.effects.lines():
        get_run_logger().warning(line)
    return str(page)
