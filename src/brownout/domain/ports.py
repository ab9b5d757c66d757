"""Ports: what the stages of a night need from outside, and what algorithms offer; protocols without base classes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar

import numpy as np
import pyarrow as pa

from brownout.domain.entities import Topology
from brownout.domain.findings import AnomalyScores, Notice, TimedAlert
from brownout.domain.findings.model_cards import DataFacts
from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import Forecasts
from brownout.domain.metrics import Metric
from brownout.domain.panel import Panel

__all__ = [
    "AlertReceiver",
    "Detector",
    "Forecaster",
    "Lost",
    "Map",
    "NoticeChannel",
    "Progress",
    "Run",
    "SampleStore",
    "Span",
    "Tracker",
    "no_progress",
]

T = TypeVar("T")
R = TypeVar("R")

Progress = Callable[[str, float], None]
"""Called with a stage and the share done, 0 … 1."""


def no_progress(_stage: str, _share: float) -> None:
    """Show nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """When an entity was measured.

    ``first`` and ``last`` are the times of its first and last sample, ``interval_s`` the usual distance between two,
    ``stray`` the number of rows that a clock jump put more than 60 days away; they lie outside the span.
    """

    first: np.datetime64
    last: np.datetime64
    interval_s: int
    rows: int
    stray: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lost:
    """An item of a stage whose work failed for good, after its further tries, and the error of the last one."""

    item: object
    error: BaseException


class Map(Protocol):
    """Applies the work of a stage to its items, here or elsewhere, and returns the results in the items' order."""

    def __call__(
        self, stage: str, work: Callable[[T], R], items: Sequence[T], progress: Progress = no_progress
    ) -> list[R | Lost]:
        """Results of a stage, which is named for people; ``Lost`` in the place of one that could not be had."""
        ...


class SampleStore(Protocol):
    """Where samples are read from: a dataset folder or the history."""

    @property
    def name(self) -> str: ...
    @property
    def metrics(self) -> tuple[Metric, ...]: ...
    @property
    def topology(self) -> Topology: ...
    @property
    def interval_s(self) -> int | None:
        """Seconds between samples where the store states one."""

    def spans(self) -> Mapping[str, Span]:
        """When each entity was measured, in the order of the store."""

    def read(
        self,
        entities: Sequence[str],
        *,
        start: np.datetime64 | None = None,
        end: np.datetime64 | None = None,
    ) -> pa.Table:
        """Samples of the entities given, from start until before end.

        The columns are ``time``, ``entity`` and one for each metric; a metric that none of them measured may be left
        out.
        """


class Forecaster(Protocol):
    """Learns from panels and predicts quantile paths; never looks beyond an origin."""

    name: ClassVar[str]

    def fit(self, panels: Sequence[Panel], progress: Progress = no_progress) -> "Forecaster":
        """Learn from everything in the panels."""

    def predict(self, request: ForecastRequest) -> Forecasts:
        """Predict all series of the request's panel that were measured by an origin, from each origin."""


class Detector(Protocol):
    """Learns what is normal and scores what follows; each sample is scored before it is learned from."""

    name: ClassVar[str]

    def fit(self, panels: Iterable[Panel]) -> "Detector":
        """Learn from everything in the panels."""

    def score(self, panel: Panel, start: int = 0) -> AnomalyScores:
        """Score the slots of a panel from index ``start`` on; what lies before serves as history only."""


class Run(Protocol):
    """One training run in a model registry."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What had to be mended before the run could be logged, for the operator."""

    def parameters(self, values: Mapping[str, str | float]) -> None: ...
    def metrics(self, values: Mapping[str, float]) -> None: ...
    def artifacts(self, paths: Sequence[Path]) -> None:
        """Log files as they are, for people to look at."""

    def data(self, facts: DataFacts) -> None:
        """Log what was learned from: its source, window and hash."""

    def describe(self, text: str, tags: Mapping[str, str]) -> None:
        """Say in words what the run is, and tag it with what people look for runs by."""

    def fail(self, reason: str) -> None:
        """Mark the run as failed once it ends, and say why."""

    def register(self, name: str, folder: Path, *, alias: str, tags: Mapping[str, str]) -> str:
        """Log a model's folder and register it as a new version that the alias names; returns its URI."""


class Tracker(Protocol):
    """Where training runs are kept for review."""

    def run(self, name: str, *, span: tuple[np.datetime64, np.datetime64] | None = None) -> AbstractContextManager[Run]:
        """A run, from its start to its end (UTC) where they are known; else from now until the block ends."""

    def mark(self, uri: str, *, alias: str, tags: Mapping[str, str]) -> bool:
        """Make an alias the only one of brownout's that names a version ("" = none), and tag it; False: not known."""

    def prune(self, *, keep_days: float, now: float) -> int:
        """Remove old trainings from a store of our own; returns how many. ``now`` is in seconds since 1970."""

    def fetch(self, uri: str, folder: Path) -> Path:
        """Copy the artifacts behind a URI into a folder."""


class AlertReceiver(Protocol):
    """Keeps alerts by their labels and groups, routes and silences them: sending one again changes nothing."""

    def send(self, alerts: Sequence[TimedAlert]) -> None:
        """Send alerts; those whose end is over are resolved. Raises AlertError."""

    def check(self) -> str:
        """Describe the server that answers, without sending an alert; raises AlertError where none does."""


class NoticeChannel(Protocol):
    """A way to people: each notice is a message, an entry in a chat, a page."""

    @property
    def name(self) -> str:
        """The name of the channel, without secrets; stable from run to run."""

    def send(self, notice: Notice) -> None:
        """Send a notice; raises AlertError."""

    def check(self) -> str:
        """Say how the receiver is reached, without sending to it; raises AlertError where it cannot be."""

    def resolve(self, notice: Notice) -> None:
        """Say that all that a notice was about is over, where the channel keeps a state; raises AlertError."""
