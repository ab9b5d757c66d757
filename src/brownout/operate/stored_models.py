"""Find a stored model: a folder, or a URI of MLflow."""

from pathlib import Path

from brownout.nightly.workspace import Workspace
from brownout.settings import Settings, load_settings

__all__ = ["model_folder"]


def model_folder(model: str, out: Path, settings: Settings | None = None) -> Path:
    """The folder itself, or the artifacts behind ``models:/…`` or ``runs:/…`` copied below ``out``."""
    if not model.startswith(("models:/", "runs:/")):
        return Path(model)
    workspace = Workspace(out)
    return workspace.tracker(settings or load_settings()).fetch(model, out / "fetched")
