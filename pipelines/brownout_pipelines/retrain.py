"""The weekly training: whatever is new since the last one is learned from, and reviewed."""

from pathlib import Path

from prefect import flow

from brownout.bootstrap import open_job
from brownout.settings import load_settings

__all__ = ["retrain"]

NEW_DAYS = 0.5
"""Newer data without which there is nothing to learn: the same data never train twice."""


@flow(name="brownout-retrain")
def retrain(out: Path, config: Path | None = None) -> tuple[str, ...]:
    """Sync, train both models where there is anything new, and log them; returns their addresses in MLflow."""
    settings = load_settings(config)
    sooner = {"retrain_days": NEW_DAYS}
    settings = settings.model_copy(
        update={
            "forecast": settings.forecast.model_copy(update=sooner),
            "detect": settings.detect.model_copy(update=sooner),
        }
    )
    job = open_job(settings, out)
    with job.alone("brownout retrain"):
        job.sync()
        job.train(only_if_due=True)
        return tuple(record.uri for record in job.log_trainings())
