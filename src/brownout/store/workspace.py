"""Where a run keeps what it makes."""

from dataclasses import dataclass
from pathlib import Path

from brownout.store.history import History

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
    def forecaster(self) -> Path:
        """The forecaster in use."""
        return self.out / "models" / "forecaster"

    @property
    def outlook(self) -> Path:
        """The outlook in use, learned with the forecaster."""
        return self.forecaster / "outlook"

    @property
    def detector(self) -> Path:
        """The detector in use."""
        return self.out / "models" / "detector"

    @property
    def report(self) -> Path:
        """The latest report."""
        return self.out / "report"

    @property
    def episodes(self) -> Path:
        """What the last night found."""
        return self.out / "episodes.json"

    @property
    def ledger(self) -> Path:
        """What was said about episodes."""
        return self.out / "feedback.jsonl"

    @property
    def actions(self) -> Path:
        """What was done of what reports proposed."""
        return self.out / "actions.jsonl"

    @property
    def alerts(self) -> Path:
        """Which alerts fire and who was told of which."""
        return self.out / "alerts.json"

    def open_history(self) -> History:
        """The history as it is now; raises HistoryError where there is none."""
        return History.open(self.history)

    @property
    def archive(self) -> Path:
        """Reports of earlier nights, a folder each."""
        return self.out / "archive"

    @property
    def prefect(self) -> Path:
        """The folder of Prefect's own state."""
        return self.out / "prefect"
