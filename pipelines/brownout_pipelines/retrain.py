"""The weekly training: whatever is new since the last one is learned from, and reviewed."""

from pathlib import Path

from prefect import flow
from prefect.logging import get_run_logger

from brownout.bootstrap import open_job
from brownout.domain.errors import LockedError
from brownout.settings import load_settings

__all__ = ["retrain"]

NEW_DAYS = 0.5
"""Newer data without which there is nothing to learn: the same data never train twice."""


@flow(name="brownout-retrain")
def retrain(out: Path, config: Path | None = None) -> tuple[str, ...]:
    """Sync, train both models where there is anything new, and log them; returns their addresses in MLflow.

    Skipped where a night holds the folder: it trains what is due.
    """
    settings = load_settings(config)
    sooner = {"retrain_days": NEW_DAYS}
    settings = settings.model_copy(
        update={
            "forecast": settings.forecast.model_copy(update=sooner),
            "detect": settings.detect.model_copy(update=sooner),
        }
    )
    job = open_job(settings, out)
    try:
        with job.alone("brownout retrain"):
            job.sync()
            job.train(only_if_due=True)
            return tuple(record.uri for record in job.log_trainings())
    except LockedError as error:
        get_run_logger().info("skipped: %s", error.what)
        return ()
