"""Findings: episodes, their causes with evidence, and what to do."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from brownout.domain.encoding import Instant, MetricResult, Number, Seconds
from brownout.domain.forecasts import Series
from brownout.domain.panel import Float, Times

__all__ = [
    "UNKNOWN",
    "Action",
    "AnomalyScores",
    "Cause",
    "Diagnosis",
    "Effect",
    "Episode",
    "Evidence",
    "EvidenceRole",
    "EvidenceState",
    "Mover",
    "Risk",
    "Shape",
    "Shift",
    "SuppressedEpisode",
    "SuppressionReason",
]

UNKNOWN = "unknown"
"""The cause of an incident that nothing known explains."""


@dataclass(frozen=True, slots=True, eq=False)
class AnomalyScores:
    """How abnormal each slot of each entity was.

    Attributes
    ----------
    scores
        float32 ``[entity, time]``: higher = more abnormal, 1.0 = the alarm boundary; NaN = nothing was measured.
        How surprising a slot is: an alarm is above the boundary once, and just below it while it goes on.
    deviations
        float32 ``[entity, time, metric]``: robust deviation of each metric from what its past leads to
        expect, signed, in units of its usual spread; what an explanation is made of.
    levels
        float32 ``[entity, time]``: how far a slot deviates, news or not, 1.0 = the boundary; what episodes are made of.
        None = the same as ``scores``.
    """

    entities: tuple[str, ...]
    metrics: tuple[str, ...]
    times: Times
    interval_s: int
    scores: Float
    deviations: Float
    levels: Float | None = None


class Shape(StrEnum):
    """How a metric moved."""

    SPIKE = "spike"
    STEP = "step"
    RAMP = "ramp"
    BURST = "burst"
    PERIODIC = "periodic"
    FLAT = "flat-line"
    DROPOUT = "dropout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mover(MetricResult):
    """A metric that moved during an episode.

    Attributes
    ----------
    series
        The metric and the entity that it is of.
    usual
        Median of the metric before the episode.
    peak
        The value within the episode that deviates most.
    deviation
        Signed distance of the peak from what was expected, in usual spreads of the metric.
    onset
        When the metric first left its usual band.
    share
        How much of the highest score this metric has made, 0 … 1; NaN where that was not asked.
    """

    series: Series
    usual: Number
    peak: Number
    deviation: Number
    onset: Instant
    share: Number = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift(MetricResult):
    """A level of a metric that was accepted as the new usual one.

    Attributes
    ----------
    series
        The metric and the entity that it is of.
    onset
        When the level changed.
    at
        When the new level had lasted long enough to be accepted.
    usual
        The level before the onset.
    level
        The level since.
    factor
        Whether what lay before the onset differs by the ratio of both levels; else it differs by their difference.
    """

    series: Series
    onset: Instant
    at: Instant
    usual: Number
    level: Number
    factor: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A span in which an entity was abnormal.

    Attributes
    ----------
    id
        Stable from night to night: made from entity and start.
    entity
        Id of the entity.
    start
        When it began.
    end
        When it was over (exclusive); of an open episode the end of the data.
    open
        Whether it was still going on at the end of the data.
    severity
        Highest score within; 1.0 is the alarm boundary.
    movers
        Metrics that moved, strongest first.
    shape
        How the strongest metric moved: spike, step, ramp, burst, periodic, flat-line or dropout; None where unknown.
    onset
        When the first metric left its usual band; None where no metric moved far enough by itself.
    onset_slack_s
        So many seconds before the onset every metric was surely within its usual band.
    rules
        Ids of the threshold rules that were raised on the entity within.
    shifts
        Levels that shifted within and were accepted as the new usual ones since.
    """

    id: str
    entity: str
    start: Instant
    end: Instant
    open: bool
    severity: Number
    movers: tuple[Mover, ...]
    shape: Shape | None = None
    onset: Instant | None = None
    onset_slack_s: Seconds = 0.0
    rules: tuple[str, ...] = ()
    shifts: tuple[Shift, ...] = ()

    @property
    def first(self) -> Mover | None:
        """The metric that moved first, None where none moved far enough by itself."""
        return min(self.movers, key=lambda mover: mover.onset, default=None)

    @property
    def lead(self) -> str:
        """The metric that moved most, "" where none moved by itself."""
        return self.movers[0].series.metric if self.movers else ""


class SuppressionReason(StrEnum):
    """Why an episode raises no alarm."""

    ARTEFACT = "artefact"
    CHANCE = "chance"
    MOVED = "moved"
    FEEDBACK = "feedback"
    OUTLIER = "outlier"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressedEpisode:
    """An episode that is kept but raises no alarm.

    Attributes
    ----------
    episode
        The episode.
    why
        Kind of reason: artefact, chance, moved, feedback or outlier.
    reason
        The reason as a sentence.
    because
        Id of the artefact among the causes, of the episode whose verdict counts or of the guest that moved; or the
        metric that had an outlier or moved first.
    """

    episode: Episode
    why: SuppressionReason
    reason: str
    because: str


class EvidenceRole(StrEnum):
    """What a piece of evidence means for a cause."""

    NECESSARY = "necessary"
    STRONG = "strong"
    SUPPORTING = "supporting"
    EXCLUDING = "excluding"


class EvidenceState(StrEnum):
    """Missing is not absent: what was not measured speaks neither way."""

    PRESENT = "present"
    ABSENT = "absent"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence(MetricResult):
    """One step of the path from measurements to a cause.

    Attributes
    ----------
    symptom
        Id of the symptom.
    role
        What it means for the cause: necessary, strong, supporting or excluding.
    state
        Whether it was present, absent or missing (not measured, which speaks neither way).
    strength
        How clearly it is present, 0 … 1.
    series
        The metric that shows it and the entity it is of; None where nothing was measured.
    statement
        What was seen, as a sentence.
    source
        Where its threshold comes from.
    """

    symptom: str
    role: EvidenceRole
    state: EvidenceState
    strength: Number
    series: Series | None
    statement: str
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A candidate explanation of an incident; ``unknown`` is one too.

    Attributes
    ----------
    id
        Id of the cause in the knowledge base.
    title
        What it is called, for people.
    family
        Resource that it belongs to.
    entity
        Entity at which it sits; empty for an unknown cause.
    probability
        Chance that it is at work; of a contributing cause given what the first one accounts for.
    evidence
        What speaks for and against it.
    counter_evidence
        Why it is not more probable; empty for causes that are reported as the answer.
    contributing
        Whether it is at work beside the first cause.
    artefact
        Whether it looks like a fault and is none.
    """

    id: str
    title: str
    family: str
    entity: str
    probability: Number
    evidence: tuple[Evidence, ...] = ()
    counter_evidence: str = ""
    contributing: bool = False
    artefact: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Ranked causes of an incident: one or several episodes of related entities at one time.

    Attributes
    ----------
    id
        Stable from night to night.
    start
        When the first episode began.
    end
        When the last episode was over (exclusive); of an open incident the end of the data.
    open
        Whether it was still going on at the end of the data.
    entities
        Entities that the diagnosis looked at, the first one abnormal.
    episodes
        Ids of its episodes.
    causes
        Never empty and with ``unknown`` among them: the most probable, those at work beside it, then all others, most
        probable first. Without those beside the first they sum to at most 1.
    summary
        Cause and evidence in sentences.
    decider
        What to measure to decide between the first two causes; empty where nothing needs to be.
    """

    id: str
    start: Instant
    end: Instant
    open: bool
    entities: Annotated[tuple[str, ...], Field(alias="involved")]
    episodes: tuple[str, ...]
    causes: tuple[Cause, ...]
    summary: str = ""
    decider: str = ""

    @property
    def top(self) -> Cause:
        """The most probable cause."""
        return self.causes[0]

    @property
    def told(self) -> tuple[Cause, ...]:
        """The causes that are told: the most probable, and those at work beside it."""
        return (self.top, *(cause for cause in self.causes if cause.contributing))


class Risk(StrEnum):
    """What an action can break."""

    LIVE = "live and reversible"
    RESTART = "needs a cold restart of the guest"
    MAINTENANCE = "maintenance window or data risk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Predicted effect of an action in milliseconds of console latency, as medians over the consoles it reaches.

    Attributes
    ----------
    metric
        The console latency that rose most.
    now_ms
        Its level during the incident.
    low_ms
        Its lowest level to expect after the action.
    high_ms
        Its highest level to expect after the action.
    consoles
        How many consoles the action reaches.
    """

    metric: str
    now_ms: Number
    low_ms: Number
    high_ms: Number
    consoles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something an operator can do about a diagnosis or a forecast breach.

    Attributes
    ----------
    about
        Id of the incident, or entity and metric of the breach.
    cause
        Id of the cause that it acts on.
    entity
        Where to do it.
    title
        What to do, for people.
    command
        The command that does it; words in capitals are to be filled in.
    confirm
        The command that shows whether the cause is what was said, to be run first.
    verify
        The metric that shows whether it helped.
    risk
        What it can break.
    rollback
        How to undo it.
    effect
        What it changes in console latency; None where that is not known.
    reason
        Why it is proposed, where the incident does not say it.
    prevention
        Whether it keeps a fault from coming back: then it is still worth doing when the incident is over.
    """

    about: str
    cause: str
    entity: str
    title: str
    command: str
    confirm: str
    verify: str
    risk: Risk
    rollback: str
    effect: Effect | None
    reason: str = ""
    prevention: bool = False
