"""What episodes are in ``report.json``, and what keeps some of them from being alarmed."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Episode", "Maintenance", "Mover", "Part", "Shift", "SuppressedEpisode", "Verdict"]


class Part(BaseModel):
    """Times are ISO 8601 in UTC; a number that is not known is null."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Mover(Part):
    """A metric that moved during an episode."""

    entity: str
    metric: str
    title: str
    unit: str
    usual: float | None
    peak: float | None
    deviation: float | None
    """Distance of the peak from what was expected, in usual spreads."""
    onset: str
    share: float | None = None
    """How much of the severity this metric has made, 0 … 1."""


class Shift(Part):
    """A level of a metric that was accepted as the new usual one."""

    entity: str
    metric: str
    title: str
    unit: str
    onset: str
    at: str
    """When it had lasted long enough."""
    usual: float
    level: float


class Episode(Part):
    """A span in which an entity was abnormal."""

    id: str
    entity: str
    start: str
    end: str
    open: bool
    severity: float
    """Highest score within; 1 is the alarm boundary."""
    movers: list[Mover]
    shape: str = ""
    """spike, step, ramp, burst, periodic, flat-line or dropout."""
    onset: str = ""
    """When the first metric left its usual band."""
    onset_slack_s: float = 0.0
    """So many seconds before the onset it was surely within its band."""
    rules: list[str] = Field(default_factory=list)
    """Threshold rules raised on the entity within."""
    shifts: list[Shift] = Field(default_factory=list)
    """Levels that shifted within and were accepted as usual since."""


class SuppressedEpisode(Part):
    """An episode that is not alarmed, and why."""

    why: Literal["artefact", "chance", "moved", "feedback", "outlier"]
    reason: str
    because: str
    """Id of the artefact among the causes, of the episode whose verdict counts, or the metric with an outlier."""
    episode: Episode


class Maintenance(Part):
    """A window of maintenance: nothing in it was searched for incidents or learned from."""

    name: str
    start: str
    end: str
    entities: int
    """How many entities it covers."""
    unknown: list[str]
    """Its patterns that no entity has."""


class Verdict(Part):
    """What someone said about an episode, and what follows for like ones."""

    episode: str
    entity: str
    metric: str
    """The metric that led; empty where none did."""
    said: Literal["false", "true", "expected"]
    at: str
    effect: str
    muted: int
    """Episodes of this night that it keeps from being alarmed."""
