"""Where a run keeps what it makes."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Workspace"]


@dataclass(frozen=True)
class Workspace:
    """The folders below ``--out``."""

    out: Path

    @property
    def history(self) -> Path:
        """The Parquet history."""
        return self.out / "history"

    @property
    def models(self) -> Path:
        """The models in use."""
        return self.out / "models"

    @property
    def report(self) -> Path:
        """The latest report."""
        return self.out / "report"

    @property
    def tracking_uri(self) -> str:
        """MLflow's store where the settings name none."""
        return f"sqlite:///{(self.out / 'mlflow.db').resolve()}"
