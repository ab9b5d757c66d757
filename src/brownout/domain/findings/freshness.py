"""Freshness: how old the newest telemetry is, and what was measured regularly and has fallen silent."""

from dataclasses import dataclass

from brownout.domain.encoding import Instant, Number, Seconds

__all__ = ["Freshness", "Silence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Something that was measured regularly and is not any more.

    Attributes
    ----------
    entity
        Id of the entity.
    since
        Begin of the first interval without a sample.
    families
        Families of the metrics that fell silent.
    metrics
        Names of the metrics that fell silent; empty where that was not asked.
    whole
        Whether nothing at all of the entity is measured any more.
    below
        Entities below it that fell silent with it.
    expected
        Why the silence is expected, as a sentence; empty where it is unexpected.
    """

    entity: str
    since: Instant
    families: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    whole: bool = True
    below: tuple[str, ...] = ()
    expected: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How fresh the telemetry was when the night was made.

    Attributes
    ----------
    at
        The time that the age is counted to: now over a live source, the time of a replay, else the end of the data.
    newest
        Time of the newest sample of all.
    age_s
        Seconds from the newest sample to ``at``.
    stale
        Whether telemetry as a whole has stopped: nothing is known about now, and nothing is forecast.
    silences
        Silences: unexpected ones before expected ones, whole entities before single metrics of others.
    regular
        How many entities are measured regularly.
    share
        Share of them that fell silent unexpectedly within one hour.
    withdrawn
        Forecasts that are left out, because they are about something silent or about times that are over.
    """

    at: Instant
    newest: Instant
    age_s: Seconds
    stale: bool
    silences: tuple[Silence, ...] = ()
    regular: int = 0
    share: Number = 0.0
    withdrawn: int = 0

    @property
    def unexpected(self) -> tuple[Silence, ...]:
        """Silences that nobody announced and nothing explains."""
        return tuple(silence for silence in self.silences if not silence.expected)
