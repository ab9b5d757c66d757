"""What one nightly run found: the one input of every report."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from brownout.domain.calendar import Announced
from brownout.domain.entities import Topology
from brownout.domain.findings import Action, Diagnosis, Episode, Shift, SuppressedEpisode
from brownout.domain.forecasts import Breach, Series, Skill
from brownout.domain.metrics import Metric
from brownout.domain.panel import Float, Times
from brownout.domain.repairs import Repairs
from brownout.domain.verdicts import Verdict

__all__ = ["Chart", "ModelRecord", "Night", "Quality"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chart:
    """Measured values of a series and, where there is one, its forecast.

    ``times`` and ``values`` (float32 ``[time]``, NaN = not measured) are the past. ``future`` with ``low``,
    ``middle``, ``high`` (10, 50 and 90 % quantile) and ``naive`` (the seasonal-naive median beside it) are the
    forecast; all five are empty where there is none. ``marks`` are spans to shade, start and end (exclusive).
    """

    series: Series
    times: Times
    values: Float
    future: Times
    low: Float
    middle: Float
    high: Float
    naive: Float
    limit: float | None = None
    maker: str = ""
    marks: tuple[tuple[np.datetime64, np.datetime64], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """A model that took part, as MLflow knows it."""

    name: str
    uri: str
    trained_from: np.datetime64
    trained_to: np.datetime64
    seed: int
    lock: str
    parameters: Mapping[str, str | float] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How good the data was.

    ``coverage`` is the share of slots with a value by metric name, over the entities that carry the metric, in the
    window of the night; ``silent`` are entities with no value at all in it; ``by_peers`` those of hours of past that
    are forecast by their peers too.
    """

    repairs: Repairs
    coverage: Mapping[str, float]
    silent: tuple[str, ...]
    by_peers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """Everything a nightly run found.

    Attributes
    ----------
    created
        When the run took place, UTC.
    start, end
        The window searched for episodes; ``end`` is the end of the data and the origin of the forecasts.
    episodes, diagnoses
        What is alarmed; ``suppressed`` are the episodes that are not.
    verdicts
        What people said about episodes of this and earlier nights.
    maintenance
        Windows of maintenance between the start and the end: nothing in them is searched or learned from.
    shifts
        Levels that were accepted as usual, lately or in earlier nights.
    chronic
        Series that were beyond their limit for most of the window: crossing it is how they always are, and no news.
    skills
        Backtest of the forecaster by metric, and one with metric "" for all together.
    forecasts
        Charts of the breaches, most probable first, then of what comes nearest to its limit.
    charts
        By diagnosis id: the slowest console, what speaks for the cause, and what moved most.
    latency
        Console latency over the fleet by slot of the window: ``values`` is the median over consoles, ``low``
        and ``high``
        the 10 and 90 % quantile over them; ``None`` where no console is measured.
    series
        How many series were forecast.
    """

    source: str
    created: np.datetime64
    start: np.datetime64
    end: np.datetime64
    interval_s: int
    horizon_s: float
    topology: Topology
    metrics: Mapping[str, Metric]
    breaches: tuple[Breach, ...]
    chronic: tuple[Series, ...]
    skills: tuple[Skill, ...]
    episodes: tuple[Episode, ...]
    diagnoses: tuple[Diagnosis, ...]
    actions: tuple[Action, ...]
    forecasts: Mapping[Series, Chart]
    charts: Mapping[str, Mapping[Series, Chart]]
    models: tuple[ModelRecord, ...]
    quality: Quality
    latency: Chart | None = None
    series: int = 0
    suppressed: tuple[SuppressedEpisode, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    maintenance: tuple[Announced, ...] = ()
    shifts: tuple[Shift, ...] = ()
