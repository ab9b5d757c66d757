"""What one nightly run found: the one input of every report."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from brownout.domain.calendar import Announced
from brownout.domain.encoding import (
    Instant,
    MetricResult,
    Number,
    Number32,
    OmitDefaults,
    Second,
    Seconds,
    TextValue,
    TimeAxis,
    WrittenAs,
)
from brownout.domain.entities import Entity, Topology
from brownout.domain.findings import Action, Diagnosis, Episode, Freshness, Shift, SuppressedEpisode
from brownout.domain.findings.capacity_plan import HardwareOutlook, MovePlan, SizeAdvice
from brownout.domain.findings.earlier_night import EarlierNight
from brownout.domain.findings.model_drift import ModelDrift
from brownout.domain.findings.past_scores import PastScores
from brownout.domain.findings.service_levels import ConsoleHistory, ConsoleService, Level
from brownout.domain.forecasts import Breach, Series, Skill
from brownout.domain.metrics import Metric
from brownout.domain.repairs import Repair, Repairs
from brownout.domain.verdicts import Verdict

__all__ = ["Chart", "ChartsBySeries", "ConsoleLevel", "ModelRecord", "Night", "Quality", "RepairCount"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chart(MetricResult):
    """Measured values of a series and, where there is one, its forecast. Times are seconds since 1970 UTC.

    Attributes
    ----------
    series
        The metric and the entity that it is of.
    times
        Times of the measured values.
    values
        Measured values; NaN = not measured.
    future
        Times of the forecast; empty where there is none, as are the next four.
    low
        10 % quantile of the forecast; of the latency of all consoles the 10 % quantile over them.
    middle
        Median of the forecast.
    high
        90 % quantile, as ``low``.
    naive
        Median of the seasonal-naive forecast.
    limit
        The line whose crossing is a breach; None without one.
    maker
        Which forecaster made the forecast; empty without one.
    marks
        Spans to shade, start and end (exclusive).
    id
        Anchor of the chart within a report; empty outside of one.
    """

    series: Series
    times: TimeAxis
    values: Number32
    future: TimeAxis
    low: Number32
    middle: Number32
    high: Number32
    naive: Number32
    limit: Number | None = None
    maker: str = ""
    marks: tuple[tuple[Second, Second], ...] = ()
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleLevel(MetricResult):
    """How slow a console is now.

    Attributes
    ----------
    series
        The console and the metric of its latency.
    now
        Median of the last half hour before the end of the data, in the unit of the metric.
    limit
        The line beyond which it is too slow; None without one.
    exceeded
        Whether ``now`` is beyond the limit.
    """

    series: Series
    now: Number
    limit: Number | None
    exceeded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """A model that took part, as MLflow knows it.

    Attributes
    ----------
    name
        Name of the registered model.
    uri
        Where MLflow has it.
    trained_from
        Begin of the data that it learned from.
    trained_to
        End of the data that it learned from.
    seed
        Seed of its training.
    lock
        Hash of the versions of the packages that it was trained with.
    parameters
        Settings of its training, as text.
    scores
        Scores on windows kept from training.
    card
        Name of the page that tells how it was trained and compared, in ``cards/`` beside the report; empty without one.
    """

    name: str
    uri: str
    trained_from: Instant
    trained_to: Instant
    seed: int
    lock: str
    parameters: Mapping[str, TextValue] = field(default_factory=dict)
    scores: Mapping[str, Number] = field(default_factory=dict)
    card: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairCount:
    """How often one kind of repair was made.

    Attributes
    ----------
    kind
        Name of the kind.
    meaning
        What was wrong and what was done about it, as a sentence.
    rows
        How often.
    by_entity
        How often at each entity.
    """

    kind: str
    meaning: str
    rows: int
    by_entity: Mapping[str, int]

    @classmethod
    def each_of(cls, repairs: Repairs) -> tuple["RepairCount", ...]:
        """One for each kind that was made, in the order of the kinds."""
        table: dict[Repair, dict[str, int]] = {repair: {} for repair in repairs.by_kind()}
        for (repair, entity), number in repairs.counts.items():
            if number:
                table[repair][entity] = number
        return tuple(
            cls(kind=repair.name, meaning=repair.value, rows=sum(counts.values()), by_entity=counts)
            for repair, counts in table.items()
        )

    @staticmethod
    def total_of(counts: Iterable["RepairCount"]) -> Repairs:
        """All of them together."""
        return Repairs({(Repair[part.kind], name): n for part in counts for name, n in part.by_entity.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How good the data was.

    Attributes
    ----------
    repairs
        What was repaired, by kind.
    coverage
        Share of the window's slots with a value, by metric, over the entities that carry it.
    silent
        Entities without a value in the window.
    by_peers
        Entities of less than a day of past that are forecast by their peers too.
    waiting
        What parts of the night still wait for, and from when on they speak: sentences for people.
    judged_from
        From when on each entity is judged that has no day of past yet, and no peers that have one: until then only
        what is beyond a limit is alarmed.
    seldom
        Seconds between two samples of each entity that is measured more seldom than the slot of the data.
    """

    repairs: Annotated[
        Repairs,
        WrittenAs(tuple[RepairCount, ...], lambda repairs, _: RepairCount.each_of(repairs), RepairCount.total_of),
    ]
    coverage: Mapping[str, Number]
    silent: tuple[str, ...]
    by_peers: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    judged_from: Mapping[str, Instant] = field(default_factory=dict)
    seldom: Mapping[str, Seconds] = field(default_factory=dict)


ChartsBySeries = Annotated[
    Mapping[Series, Chart],
    WrittenAs(
        tuple[Chart, ...],
        lambda charts, _: tuple(charts.values()),
        lambda charts: {chart.series: chart for chart in charts},
    ),
]
"""Charts by their series, written as a list."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Night:
    """Everything a nightly run found.

    Attributes
    ----------
    source
        Name of the data.
    created
        When the run took place.
    start
        Begin of the window that was searched for episodes.
    end
        End of the data and origin of the forecasts.
    interval_s
        Seconds between samples.
    horizon_s
        How far the forecasts reach, in seconds.
    topology
        All entities; fields that have their usual value are left out.
    metrics
        All metrics by name, with the limits of this site; fields that have their usual value are left out.
    breaches
        Limits that will probably be crossed, or are already and will probably still be, most probable first.
    chronic
        Series that were beyond their limit for most of the window: no breach is forecast for them.
    skills
        Backtest of the forecaster by metric, and one with an empty metric for all together.
    episodes
        Spans in which an entity was abnormal, in the order of their start, without the suppressed ones.
    diagnoses
        Incidents, open ones first, then the most severe.
    actions
        What to do, most urgent first.
    forecasts
        Charts of the breaches, most probable first, then of what comes nearest to its limit.
    charts
        By id of the diagnosis: the slowest console, what speaks for the cause, and what moved most.
    models
        Models that took part.
    waiting
        Newer models that wait for a person to decide; they took no part.
    drift
        How far the last days lie from what the forecaster learned; null where nothing could be compared.
    quality
        How good the data was.
    latency
        Latency of all consoles: median (``values``), 10 and 90 % quantile (``low``, ``high``) over them; None where no
        console is measured.
    series
        How many series were forecast.
    suppressed
        Episodes that are kept but raise no alarm.
    verdicts
        What people said about episodes of this and earlier nights.
    maintenance
        Windows of maintenance between start and end: nothing in them is searched or learned from.
    shifts
        Levels accepted as usual in the window or in earlier nights.
    consoles
        How slow each console is now, the slowest first.
    services
        How well each console answered.
    histories
        Latency of each console in the window.
    levels
        How much of each resource was in use.
    moves
        What to move to another host before the coming day; null in reports of earlier releases.
    sizes
        Guests that have too much or too little CPU or memory.
    roadmap
        When hosts of each size run out, the soonest first; empty before four weeks are measured.
    past
        What came of earlier nights' warnings and advice; null where that was not asked.
    before
        The night of the last report, in short; null where there was none.
    freshness
        How old the newest telemetry was, and what had fallen silent; None where that was not asked.
    """

    source: str
    created: Instant
    start: Instant
    end: Instant
    interval_s: int
    horizon_s: Seconds
    topology: Annotated[
        Topology,
        WrittenAs(
            tuple[Annotated[Entity, OmitDefaults(Entity)], ...], lambda topology, _: tuple(topology), Topology.of
        ),
    ]
    metrics: Mapping[str, Annotated[Metric, OmitDefaults(Metric)]]
    breaches: tuple[Breach, ...]
    chronic: tuple[Series, ...]
    skills: tuple[Skill, ...]
    episodes: tuple[Episode, ...]
    diagnoses: tuple[Diagnosis, ...]
    actions: tuple[Action, ...]
    forecasts: ChartsBySeries
    charts: Mapping[str, ChartsBySeries]
    models: tuple[ModelRecord, ...]
    quality: Quality
    latency: Chart | None = None
    series: int = 0
    suppressed: tuple[SuppressedEpisode, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    maintenance: tuple[Announced, ...] = ()
    shifts: tuple[Shift, ...] = ()
    consoles: tuple[ConsoleLevel, ...] = ()
    services: tuple[ConsoleService, ...] = ()
    histories: tuple[ConsoleHistory, ...] = ()
    levels: tuple[Level, ...] = ()
    moves: MovePlan | None = None
    sizes: tuple[SizeAdvice, ...] = ()
    roadmap: tuple[HardwareOutlook, ...] = ()
    past: PastScores | None = None
    before: EarlierNight | None = None
    freshness: Freshness | None = None
    waiting: tuple[ModelRecord, ...] = ()
    drift: ModelDrift | None = None
