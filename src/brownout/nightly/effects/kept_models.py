"""Models kept in memory between passes, and read again only where their files changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from brownout.nightly.context import NightModels
from brownout.nightly.effects.champions import waiting_models
from brownout.nightly.effects.trained_models import load_models, unreadable_models
from brownout.store.workspace import Workspace

__all__ = ["KeptModels"]

Stamps = Mapping[Path, tuple[int, int]]


@dataclass(slots=True, eq=False)
class KeptModels:
    """The models that were read last, with time and size of their files."""

    models: NightModels | None = None
    stamps: Stamps = field(default_factory=dict)

    def load(self, workspace: Workspace) -> NightModels:
        """The models of the last training; raises ModelError where there are none."""
        stamps = _stamps(workspace)
        if self.models is None or stamps != self.stamps:
            self.models, self.stamps = load_models(workspace), stamps
        return replace(self.models, waiting=waiting_models(workspace))

    def unreadable(self, workspace: Workspace) -> tuple[str, ...]:
        """A sentence about each model that cannot be read."""
        if self.models is not None and _stamps(workspace) == self.stamps:
            return ()
        return unreadable_models(workspace)


def _stamps(workspace: Workspace) -> Stamps:
    stamps = {}
    for folder in (workspace.forecaster, workspace.detector):
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            facts = path.stat()
            stamps[path] = (facts.st_mtime_ns, facts.st_size)
    return stamps
