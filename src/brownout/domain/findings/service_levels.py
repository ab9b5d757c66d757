"""Service levels: how well each console answered, and how much of each resource was in use."""

from dataclasses import dataclass, field

from brownout.domain.encoding import Instant, MetricResult, Number, Number32
from brownout.domain.findings.experience import Experience
from brownout.domain.forecasts import Series

__all__ = ["BURN_WINDOWS_S", "ConsoleHistory", "ConsoleService", "Level"]

BURN_WINDOWS_S = (300, 1800, 3600, 6 * 3600, 3 * 86_400)
"""Windows of burn rates: pairs of a long and a short one raise an alarm (Google's SRE workbook, chapter 5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleService:
    """How well a console answered.

    Attributes
    ----------
    console
        Id of the console.
    mean_ms
        Mean of its latency over the day before the end of the data; null where it was not measured.
    crisp
        Share of the day's samples below 150 ms: an answer that feels immediate.
    annoying
        Share of them from one second on.
    frames_per_s
        Median of its frame rate over the day; null where it was not measured.
    failed
        Share of attempts to open it that failed, in the last 5 minutes, 30 minutes, hour, 6 hours and 3 days; null
        where none was made. Empty where the attempts are not counted.
    experience
        How it was to work at it on that day.
    """

    console: str
    mean_ms: Number
    crisp: Number
    annoying: Number
    frames_per_s: Number
    failed: tuple[Number, ...] = ()
    experience: Experience = field(default_factory=Experience)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level(MetricResult):
    """How much of a resource was in use.

    Attributes
    ----------
    series
        The entity and the metric.
    now
        Median of the half hour before the end of the data.
    usual
        Median of the day before the end of the data.
    busy
        The level that only one twentieth of the day was beyond, in the direction of worse.
    limit
        The line whose crossing is a breach; null without one.
    """

    series: Series
    now: Number
    usual: Number
    busy: Number
    limit: Number | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConsoleHistory:
    """Latency of a console in the window, for the page about it.

    Attributes
    ----------
    console
        Id of the console.
    start
        Begin of the first slot.
    step_s
        Seconds of a slot.
    values
        Mean of each slot in milliseconds; null where nothing was measured.
    """

    console: str
    start: Instant
    step_s: int
    values: Number32
