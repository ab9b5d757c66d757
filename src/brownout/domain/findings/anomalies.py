"""Scores and episodes: when which entity was abnormal, what moved, and why some episodes raise no alarm."""

from dataclasses import dataclass
from enum import StrEnum

from brownout.domain.encoding import Instant, MetricResult, Number, Seconds
from brownout.domain.forecasts import Series
from brownout.domain.panel import Float, Times

__all__ = ["AnomalyScores", "Episode", "Mover", "Shape", "Shift", "SuppressedEpisode", "SuppressionReason"]


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
    EVIDENCE = "no evidence"
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
        Kind of reason: artefact, chance, no evidence, moved, feedback or outlier.
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
