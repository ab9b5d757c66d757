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
    deviations
        float32 ``[entity, time, metric]``: robust deviation of each metric from what its past leads to
        expect, signed, in units of its usual spread; what an explanation is made of.
    """

    entities: tuple[str, ...]
    metrics: tuple[str, ...]
    times: Times
    interval_s: int
    scores: Float
    deviations: Float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mover:
    """A metric that moved during an episode.

    ``usual`` is its median before, ``peak`` its most deviating value within, ``deviation`` that value's distance in
    usual spreads (signed), ``onset`` when it first left its usual band.
    """

    series: Series
    usual: float
    peak: float
    deviation: float
    onset: np.datetime64


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
    """

    id: str
    entity: str
    start: np.datetime64
    end: np.datetime64
    open: bool
    severity: float
    movers: tuple[Mover, ...]


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
    """A candidate explanation, ``unknown`` included; ``against`` says why it is not likelier, "" for the first."""

    id: str
    title: str
    family: str
    entity: str
    probability: float
    evidence: tuple[Evidence, ...] = ()
    against: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Ranked causes of an incident: one or several episodes of related entities at one time.

    ``causes`` sum to at most 1 with ``unknown`` among them, most probable first, and are never empty. ``summary`` says
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
