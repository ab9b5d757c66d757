"""Findings: episodes, their causes with evidence, and what to do."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

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
class Mover:
    """A metric that moved during an episode.

    ``usual`` is its median before, ``peak`` its most deviating value within, ``deviation`` that value's distance in
    usual spreads (signed), ``onset`` when it first left its usual band, ``share`` how much of the highest level it
    has made, 0 … 1; NaN where nobody asked.
    """

    series: Series
    usual: float
    peak: float
    deviation: float
    onset: np.datetime64
    share: float = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A level of a metric that was accepted as the new usual one ``at`` a time: from ``usual`` to ``level``.

    What lay before the onset differs by their ratio where ``factor`` is set, else by their difference.
    """

    series: Series
    onset: np.datetime64
    at: np.datetime64
    usual: float
    level: float
    factor: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A span in which an entity was abnormal.

    Attributes
    ----------
    id
        Stable from night to night: made from entity and start.
    end
        Exclusive; with ``open`` the end of the data, not of the episode.
    severity
        Highest score within; 1.0 = alarm boundary.
    movers
        Metrics that moved, strongest first.
    shape
        Kind of movement of the strongest mover.
    onset
        When the first metric left its usual band; ``onset_slack_s`` seconds before that it was surely within. None
        where no metric moved far enough by itself.
    rules
        Ids of the threshold rules that were raised on the entity within.
    shifts
        Levels that shifted within and were accepted as the new usual ones since.
    """

    id: str
    entity: str
    start: np.datetime64
    end: np.datetime64
    open: bool
    severity: float
    movers: tuple[Mover, ...]
    shape: Shape | None = None
    onset: np.datetime64 | None = None
    onset_slack_s: float = 0.0
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
    """An episode that is kept but not alarmed.

    ``reason`` is the sentence a report shows; ``because`` the id of the artefact among the causes, of the episode whose
    verdict mutes it, of the guest that moved, or the metric that had an outlier or moved first.
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
class Evidence:
    """One step of the path from measurements to a cause.

    ``strength`` is how clearly the symptom is present, 0 … 1; ``statement`` is the sentence a report shows.
    """

    symptom: str
    role: EvidenceRole
    state: EvidenceState
    strength: float
    series: Series | None
    statement: str
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A candidate explanation of an incident; ``unknown`` is one too.

    ``counter_evidence`` says why it is not more probable, "" for the causes that are reported as the answer.
    ``contributing`` marks a cause that is at work beside the first: its probability is that of what the first leaves
    unexplained. ``artefact`` marks what looks like a fault and is none.
    """

    id: str
    title: str
    family: str
    entity: str
    probability: float
    evidence: tuple[Evidence, ...] = ()
    counter_evidence: str = ""
    contributing: bool = False
    artefact: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Ranked causes of an incident: one or several episodes of related entities at one time.

    ``causes`` are never empty and have ``unknown`` among them: the most probable, those at work beside it, then all
    others, most probable first; without those beside the first they sum to at most 1. ``summary`` says
    in sentences why; ``decider`` what to measure to decide between the first two, "" where nothing needs to be.
    """

    id: str
    start: np.datetime64
    end: np.datetime64
    open: bool
    entities: tuple[str, ...]
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

    ``metric`` is the console latency that rose most, ``now_ms`` its level during the incident,
    ``low_ms`` and ``high_ms`` bound it after the action.
    """

    metric: str

    now_ms: float
    low_ms: float
    high_ms: float
    consoles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something an operator can do about a diagnosis or a forecast breach."""

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
