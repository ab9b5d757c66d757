"""The document of ``report.json``: everything of a night, and what is worked out of it for people.

A view is a subclass of the result that it is about and adds only what is computed for the page; what the result holds
is not repeated here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

from brownout.domain.encoding import Instant, Number, Seconds
from brownout.domain.findings import Action, Diagnosis, Mover
from brownout.domain.forecasts import Breach, Series
from brownout.domain.night import Chart, ChartsBySeries, Night, Quality
from brownout.domain.verdicts import Verdict
from brownout.reporting.messages import Language
from brownout.reporting.views.capacity import HostCapacity
from brownout.reporting.views.changes import Changes
from brownout.reporting.views.first_screen import FirstLine
from brownout.reporting.views.fleet_overview import Root
from brownout.reporting.views.judgement import Judgement
from brownout.reporting.views.objectives import Objective
from brownout.reporting.views.summary import Summary

__all__ = [
    "READABLE_VERSIONS",
    "SCHEMA_ID",
    "SCHEMA_VERSION",
    "ActionView",
    "BreachView",
    "ChronicSeries",
    "Incident",
    "QualityView",
    "Report",
    "VerdictView",
    "Window",
    "extended",
]

SCHEMA_VERSION = 3
"""Raised when a field changes its meaning or goes; a new field does not raise it."""
READABLE_VERSIONS = (2, SCHEMA_VERSION)
"""A night of version 2 lacks what came with 3, which has no bearing on what it found."""
SCHEMA_ID = f"urn:brownout:report:{SCHEMA_VERSION}"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What the report is about.

    Attributes
    ----------
    start
        Begin of the window that was searched for incidents.
    end
        End of the data and origin of the forecasts.
    interval_s
        Seconds between samples.
    horizon_s
        How far the forecasts reach, in seconds.
    """

    start: Instant
    end: Instant
    interval_s: int
    horizon_s: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class BreachView(Breach):
    """A limit that will probably be crossed, or is already, and how sure that is.

    Attributes
    ----------
    link
        Anchor of the breach in the page.
    outlook
        exceeded: beyond the limit now; probable: at least an even chance within the horizon of the night, and skill;
        possible: a lower chance, or one without skill; later: in the weeks after.
    incident
        Id of the open incident that it is part of; empty where there is none with a known cause.
    skill
        Brier skill of the chances of its metric on held-out windows, over the share of windows that was known to cross;
        1 is perfect, null where nothing could be judged.
    told
        Whether people are shown the probability: chances of the metric had skill, or a trend that is going on says it.
    """

    outlook: Literal["exceeded", "probable", "possible", "later"]
    link: str = ""
    incident: str = ""
    skill: Number | None = None
    told: bool = True


@dataclass(frozen=True, slots=True)
class ChronicSeries(Series):
    """A series that was beyond its limit for most of the window: no breach is forecast for it.

    Attributes
    ----------
    limit
        The limit of its metric; None without one.
    """

    limit: Number | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionView(Action):
    """Something to do, with what must be known to do it.

    Attributes
    ----------
    state
        What it is for: an open incident, a forecast breach, or an incident that is over.
    link
        Anchor of the action in the page.
    """

    state: Literal["open", "forecast", "over"]
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident(Diagnosis):
    """Episodes of related entities at one time, what caused them, and what to do.

    Attributes
    ----------
    severity
        Severity of its worst episode; 1.0 is the alarm boundary.
    abnormal
        Entities that were abnormal: the one that moved first, then worst first.
    first
        The metric that moved first, over all of them; None where none moved far enough by itself.
    actions
        What to do about it.
    charts
        The slowest console, what speaks for the cause, and what moved most.
    """

    severity: Number
    abnormal: Annotated[tuple[str, ...], Field(alias="entities")]
    first: Mover | None
    actions: tuple[ActionView, ...]
    charts: tuple[Chart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictView(Verdict):
    """What someone said about an episode, and what follows for like ones.

    Attributes
    ----------
    entity
        The entity of the episode.
    metric
        The metric that led; empty where none did.
    effect
        What follows for like episodes, as a sentence.
    muted
        How many episodes of this night it keeps from being alarmed.
    """

    entity: str
    metric: str
    effect: str
    muted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityView(Quality):
    """How good the data was.

    Attributes
    ----------
    repaired_most
        Repairs of the ten entities with the most.
    """

    repaired_most: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Report(Night):
    """Everything that a nightly run found, and what is worked out of it for people.

    Times are ISO 8601 in UTC, except in charts, where they are seconds since 1970. What is not known is null. Every
    object that names a metric carries the metric's title and unit.

    Attributes
    ----------
    schema
        ``$id`` of the schema that this document follows.
    schema_version
        Raised when a field changes its meaning or goes.
    version
        Version of brownout.
    window
        What the report is about.
    language
        Language of the sentences: en or zh.
    summary
        The report in a few figures and sentences.
    who
        The first screen: who hurts now and who will, a line each.
    changes
        What changed since the last report; null where there was none.
    objectives
        What was promised about consoles, and what came.
    capacity
        How full each host is, the fullest first.
    fleet
        One line for each host or entity without a parent, worst first.
    breaches
        Limits that will probably be crossed, or are already and will probably still be, most probable first.
    incidents
        Incidents, open ones first, then the most severe.
    first
        What to do first: for open incidents, then for breaches; of what is over only what keeps it from coming back.
    actions
        What to do about breaches that no open incident explains; an incident carries its own.
    judgement
        What the held-out windows say about intervals and chances, and where the LSTM lost.
    """

    schema: Annotated[str, Field(alias="$schema")] = SCHEMA_ID
    schema_version: int = SCHEMA_VERSION
    version: str
    window: Window
    language: Language = "en"
    summary: Summary
    who: tuple[FirstLine, ...]
    changes: Changes | None = None
    objectives: tuple[Objective, ...] = ()
    capacity: tuple[HostCapacity, ...] = ()
    fleet: tuple[Root, ...]
    breaches: tuple[BreachView, ...]
    chronic: tuple[ChronicSeries, ...]
    incidents: tuple[Incident, ...]
    first: tuple[ActionView, ...]
    actions: tuple[ActionView, ...]
    verdicts: tuple[VerdictView, ...] = ()
    quality: QualityView
    judgement: Judgement
    # Written within the window and the incidents.
    start: Annotated[Instant, Field(exclude=True)]
    end: Annotated[Instant, Field(exclude=True)]
    interval_s: Annotated[int, Field(exclude=True)]
    horizon_s: Annotated[Seconds, Field(exclude=True)]
    diagnoses: Annotated[tuple[Diagnosis, ...], Field(exclude=True)]
    charts: Annotated[Mapping[str, ChartsBySeries], Field(exclude=True)]


def extended(kind: type[T], result: object, **computed: object) -> T:
    """A view of a result: all that the result holds, and what was computed, which may replace it."""
    held: dict[str, Any] = {field.name: getattr(result, field.name) for field in fields(result)}  # type: ignore[arg-type]
    return kind(**{**held, **computed})
