"""Incidents: their candidate causes, ranked, each with its evidence."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from brownout.domain.encoding import Instant, MetricResult, Number
from brownout.domain.forecasts import Series

__all__ = ["UNKNOWN", "Cause", "Diagnosis", "Evidence", "EvidenceRole", "EvidenceState"]

UNKNOWN = "unknown"
"""The cause of an incident that nothing known explains."""


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
