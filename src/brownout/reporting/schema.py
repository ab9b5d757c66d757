"""The schema of ``report.json``. HTML and Markdown are made from the same data."""

from typing import Literal

from pydantic import Field

from brownout.reporting.episode_schema import Episode, Maintenance, Mover, Part, Shift, SuppressedEpisode, Verdict
from brownout.reporting.skill_schema import Driver, Judgement, Skill

__all__ = [
    "FORMAT",
    "Action",
    "Breach",
    "Cause",
    "Chart",
    "Chronic",
    "Effect",
    "Episode",
    "Evidence",
    "Incident",
    "Maintenance",
    "Model",
    "Mover",
    "Quality",
    "Repair",
    "Report",
    "Root",
    "Shift",
    "Skill",
    "Summary",
    "SuppressedEpisode",
    "Verdict",
    "Window",
]

FORMAT = 1
"""Raised when a field changes its meaning or goes; a new field does not raise it."""


class Window(Part):
    """What the report is about."""

    start: str
    """Begin of the window searched for incidents."""
    end: str
    """End of the data and origin of the forecasts."""
    interval_s: int
    """Seconds between samples."""
    horizon_s: float
    """How far the forecasts reach, in seconds."""


class Summary(Part):
    """The report in a few figures."""

    headline: str
    """What an operator must know first."""
    sentences: list[str]
    """What comes next."""
    incidents_open: int
    incidents_over: int
    suppressed: int = 0
    """Episodes that are not alarmed."""
    breaches: int
    exceeded: int
    """Those of ``breaches`` whose last value is beyond the limit already."""
    consoles_at_risk: int
    """Consoles that will probably cross a limit or hang on an entity that will, or take part in an open incident."""
    consoles: int
    latency_ms: float | None
    """Median console latency over the fleet and the window; null without consoles."""
    latency_p90_ms: float | None
    """90 % quantile of the same."""


class Root(Part):
    """A host with all that hangs on it, or an entity without a parent."""

    entity: str
    kind: str
    below: dict[str, int]
    """Number of entities below it by kind."""
    status: Literal["incident", "breach", "over", "fine", "silent"]
    """Worst first: an open incident, a forecast breach, an incident that is over, nothing, no data."""
    incidents: int
    open: int
    breaches: int
    note: str
    """What is worst about it."""


class Chart(Part):
    """Measured values and, where there is one, the forecast. Times are seconds since 1970 UTC."""

    id: str
    entity: str
    metric: str
    title: str
    unit: str
    limit: float | None
    """The line whose crossing is a breach."""
    maker: str
    """Which model made the forecast; empty without one."""
    times: list[int]
    values: list[float | None]
    future: list[int]
    low: list[float | None]
    """10 % quantile of the forecast; of the fleet's latency the 10 % quantile over consoles."""
    middle: list[float | None]
    """Median of the forecast."""
    high: list[float | None]
    """90 % quantile."""
    naive: list[float | None]
    """Median of the seasonal-naive forecast."""
    marks: list[tuple[int, int]]
    """Spans to shade."""


class Breach(Part):
    """A limit that will probably be crossed within the horizon, or is already and will probably be still."""

    entity: str
    metric: str
    title: str
    unit: str
    limit: float
    now: float | None
    probability: float
    earliest: str | None
    """When the chance of having crossed reaches 10 %; null where it does not within the horizon."""
    likely: str | None
    """The same for 50 %."""
    latest: str | None
    """The same for 90 %."""
    duration_s: float
    """Expected time beyond the limit within the horizon."""
    maker: str
    exceeded: bool
    """Whether ``now`` is beyond the limit already."""
    drivers: list[Driver] | None = None
    """Which loads drive it, the largest share first; null where that is not asked, empty where none does."""


class Evidence(Part):
    """One step from measurements to a cause."""

    symptom: str
    role: Literal["necessary", "strong", "supporting", "excluding"]
    state: Literal["present", "absent", "missing"]
    strength: float
    entity: str | None
    metric: str | None
    statement: str
    source: str


class Cause(Part):
    """A candidate explanation, ``unknown`` included."""

    id: str
    title: str
    family: str
    entity: str
    probability: float
    evidence: list[Evidence]
    counter_evidence: str = ""
    """Why it is not likelier; empty for those that are told."""
    contributing: bool = False
    """At work beside the first cause; the probability is that given what the first accounts for."""
    artefact: bool = False
    """Whether it looks like a fault and is none."""


class Effect(Part):
    """Predicted effect in milliseconds of console latency, median over the consoles reached."""

    metric: str
    """The console latency that rose most."""
    now_ms: float
    low_ms: float
    high_ms: float
    consoles: int


class Action(Part):
    """Something to do."""

    about: str
    """Id of the incident, or entity and metric of the breach."""
    cause: str
    entity: str
    title: str
    command: str
    confirm: str
    """The command that shows whether the cause is what was said, to be run first."""
    verify: str
    """The metric that shows whether it helped."""
    risk: str
    rollback: str
    effect: Effect | None
    reason: str


class Incident(Part):
    """Episodes of related entities at one time, and what caused them."""

    id: str
    start: str
    end: str
    open: bool
    severity: float
    entities: list[str]
    """Those that were abnormal: the one that moved first, then worst first."""
    first: Mover | None = None
    """The metric that moved first, over all of them."""
    episodes: list[str]
    causes: list[Cause]
    summary: str = ""
    """The answer in sentences."""
    decider: str = ""
    """What to measure to decide between the first two causes; empty where nothing needs to be."""
    actions: list[Action]
    charts: list[Chart]


class Repair(Part):
    """A kind of repair made to the data."""

    kind: str
    meaning: str
    rows: int


class Quality(Part):
    """How good the data was."""

    coverage: dict[str, float]
    """Share of the window's slots with a value, by metric, over the entities that carry it."""
    repairs: list[Repair]
    repaired_most: dict[str, int]
    """Repairs of the ten entities with the most."""
    silent: list[str]
    """Entities without a value in the window."""
    by_peers: list[str] = Field(default_factory=list)
    """Entities of less than a day of past that are forecast by their peers too."""


class Model(Part):
    """A model that took part, as MLflow knows it."""

    name: str
    uri: str
    trained_from: str
    trained_to: str
    seed: int
    lock: str
    """Hash of the versions it was trained with."""
    parameters: dict[str, str]
    scores: dict[str, float]


class Chronic(Part):
    """A series that was beyond its limit for most of the window: no breach is forecast for it."""

    entity: str
    metric: str
    title: str
    unit: str
    limit: float | None


class Report(Part):
    """Everything that a nightly run found."""

    format: int
    source: str
    created: str
    version: str
    window: Window
    summary: Summary
    fleet: list[Root]
    breaches: list[Breach]
    chronic: list[Chronic]
    forecasts: list[Chart]
    incidents: list[Incident]
    actions: list[Action]
    """What to do about breaches that no open incident explains; an incident carries its own."""
    episodes: list[Episode]
    suppressed: list[SuppressedEpisode] = Field(default_factory=list)
    verdicts: list[Verdict] = Field(default_factory=list)
    maintenance: list[Maintenance] = Field(default_factory=list)
    shifts: list[Shift] = Field(default_factory=list)
    """Levels accepted as usual in the window or in earlier nights."""
    latency: Chart | None
    """Console latency of the fleet: median (values), 10 and 90 % quantile (low, high) over consoles."""
    skills: list[Skill]
    judgement: Judgement
    """What the same windows say about intervals and chances, and where the LSTM lost."""
    series: int
    """How many series were forecast."""
    quality: Quality
    models: list[Model]
