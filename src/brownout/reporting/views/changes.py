"""What changed since the last report."""

from collections.abc import Iterable
from dataclasses import dataclass

from brownout.domain.encoding import Instant
from brownout.domain.findings.earlier_night import EarlierIncident, EarlierNight
from brownout.domain.forecasts import Series
from brownout.domain.night import Night

__all__ = ["Changes", "changes_of", "shortened"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What changed since the last report.

    Attributes
    ----------
    since
        End of the data of that report.
    began
        Ids of incidents that it did not have.
    ended
        Incidents that were going on then and are over, or gone, now.
    crossed
        Limits forecast to be crossed, or exceeded, that it did not have.
    cleared
        Limits of that report that are none of this one.
    slower
        Consoles that have become too slow.
    recovered
        Consoles that were too slow and are not, or are not measured any more.
    """

    since: Instant
    began: tuple[str, ...]
    ended: tuple[EarlierIncident, ...]
    crossed: tuple[Series, ...]
    cleared: tuple[Series, ...]
    slower: tuple[str, ...]
    recovered: tuple[str, ...]

    @property
    def none(self) -> bool:
        """Whether nothing changed."""
        return not (self.began or self.ended or self.crossed or self.cleared or self.slower or self.recovered)


def shortened(night: Night) -> EarlierNight:
    """A night as the next one compares itself with it."""
    return EarlierNight(
        end=night.end,
        incidents=tuple(
            EarlierIncident(id=d.id, title=d.top.title, entity=d.top.entity or d.entities[0], open=d.open)
            for d in night.diagnoses
        ),
        breaches=tuple(breach.series for breach in night.breaches),
        slow=_slow(night),
    )


def changes_of(night: Night) -> Changes | None:
    """What changed; None where there was no report before."""
    before = night.before
    if before is None:
        return None
    ongoing = {diagnosis.id for diagnosis in night.diagnoses if diagnosis.open}
    known = {incident.id for incident in before.incidents}
    series, slow = [breach.series for breach in night.breaches], _slow(night)
    return Changes(
        since=before.end,
        began=tuple(diagnosis.id for diagnosis in night.diagnoses if diagnosis.id not in known),
        ended=tuple(one for one in before.incidents if one.open and one.id not in ongoing),
        crossed=_without(series, before.breaches),
        cleared=_without(before.breaches, series),
        slower=tuple(name for name in slow if name not in before.slow),
        recovered=tuple(name for name in before.slow if name not in slow),
    )


def _slow(night: Night) -> tuple[str, ...]:
    return tuple(console.series.entity for console in night.consoles if console.exceeded)


def _without(some: Iterable[Series], others: Iterable[Series]) -> tuple[Series, ...]:
    known = set(others)
    return tuple(series for series in some if series not in known)
