"""Trainings that failed: kept on disk until MLflow has them as failed runs, so that none goes unseen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brownout.domain.encoding import Instant, Seconds, encode
from brownout.domain.errors import BrownoutError, DataError
from brownout.domain.findings.model_cards import TrainingCost
from brownout.domain.ports import Tracker
from brownout.nightly.effects.review.training_review import Training
from brownout.store.atomic import write_text
from brownout.store.plain_json import read_result
from brownout.store.workspace import Workspace

__all__ = ["FailedTraining", "kept_if_failed", "log_failures", "read_failures"]

MOST = 20
"""Failures that are kept at most: the newest say what is wrong."""
LONGEST = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTraining:
    """A training that ended in an error: of which model, why it took place, on which data, and what it said."""

    model: str
    reason: str
    start: Instant
    end: Instant
    started: Instant
    wall_s: Seconds
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureFile:
    """What the file holds, oldest first."""

    failures: tuple[FailedTraining, ...] = ()


@contextmanager
def kept_if_failed(champion: Path, name: str, training: Training) -> Iterator[None]:
    """Record the error of a training that fails, and raise it again."""
    try:
        yield
    except Exception as error:
        cost: TrainingCost = training.meter.cost()
        what = error.what if isinstance(error, BrownoutError) else f"{type(error).__name__}: {error}"
        failure = FailedTraining(
            model=name,
            reason=training.reason,
            start=training.window[0],
            end=training.window[1],
            started=cost.started,
            wall_s=cost.wall_s,
            error=what[:LONGEST],
        )
        _write(champion, (*read_failures(champion), failure)[-MOST:])
        raise


def read_failures(champion: Path) -> tuple[FailedTraining, ...]:
    """Failures that MLflow does not know yet, of the model of a champion's folder; none where the file is damaged."""
    path = _path(champion)
    if not path.is_file():
        return ()
    try:
        return read_result(FailureFile, path).failures
    except DataError:
        return ()


def log_failures(workspace: Workspace, tracker: Tracker, note: Callable[[str], None]) -> None:
    """Log failed trainings as failed runs; what is logged leaves the disk, one after the other."""
    for champion in (workspace.forecaster, workspace.detector):
        left = read_failures(champion)
        while left:
            one, left = left[0], left[1:]
            ended = one.started + np.timedelta64(round(one.wall_s * 1000), "ms")
            with tracker.run(one.model, span=(one.started, ended)) as run:
                run.parameters({"reason": one.reason, "trained_from": str(one.start), "trained_to": str(one.end)})
                run.describe(f"A training of {one.model} that failed.", {"brownout.reason": one.reason})
                run.fail(one.error)
            _write(champion, left)
            note(f"a training of {one.model} failed: {one.error}")


def _path(champion: Path) -> Path:
    return champion.with_name(f"{champion.name}-failures.json")


def _write(champion: Path, failures: tuple[FailedTraining, ...]) -> None:
    if failures:
        write_text(_path(champion), encode(FailureFile(failures=failures)))
    else:
        _path(champion).unlink(missing_ok=True)
