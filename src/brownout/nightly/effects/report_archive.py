"""Reports of earlier nights: each night's ``report.json`` under the time at which its data end."""

import shutil
from pathlib import Path

import numpy as np

from brownout.domain.night import Night
from brownout.numerics.slots import days
from brownout.reporting import render
from brownout.store.atomic import atomic_path
from brownout.store.workspace import Workspace

__all__ = ["archive_name", "write_night_report"]


def archive_name(end: np.datetime64) -> str:
    """Folder of a night by the end of its data, e.g. ``2026-03-16T0215Z``."""
    return str(end.astype("datetime64[m]")).replace(":", "") + "Z"


def write_night_report(night: Night, workspace: Workspace, *, keep_days: float) -> Path:
    """Write the report and keep a copy of its JSON; returns the path of the page."""
    render(night, workspace.report)
    kept = workspace.archive / archive_name(night.end) / "report.json"
    with atomic_path(kept) as part:
        shutil.copyfile(workspace.report / "report.json", part)
    _prune(workspace.archive, archive_name(night.end - days(keep_days)))
    return workspace.report / "index.html"


def _prune(archive: Path, oldest: str) -> None:
    """Remove the nights whose data ended before a time, by their names."""
    for folder in archive.iterdir():
        if folder.is_dir() and (folder / "report.json").is_file() and folder.name < oldest:
            shutil.rmtree(folder)
