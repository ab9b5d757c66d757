"""The monthly report: the month that is over, in short, from the reports of its nights."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from brownout.operate.night_archive.monthly_report import write_month
from brownout.store.workspace import Workspace

__all__ = ["monthly"]


@flow(name="brownout-monthly")
def monthly(out: Path, month: str = "") -> str:
    """Write ``monthly/2026-03.md``; by default of the month before this one. Returns its path."""
    last = datetime.now(UTC).replace(day=1) - timedelta(days=1)
    path = write_month(Workspace(out), month or f"{last:%Y-%m}")
    create_markdown_artifact(path.read_text(encoding="utf-8"), key="month", description=path.stem)
    return str(path)
