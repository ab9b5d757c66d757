"""The alert log: which alerts fire, which are over, and who was told; what one run leaves to the next.

An alert begins when a run finds it, keeps its labels and its start while it fires, and ends when it has not been found
for a while: a finding that flickers between runs does not make an alert flap.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from brownout.domain.encoding import Instant
from brownout.domain.findings import Alert, Notice, TimedAlert

__all__ = ["AlertLog", "Damping", "SentNotice", "TrackedAlert", "follow", "timed_alerts"]

LOG_VERSION = 1
KEEP = np.timedelta64(7 * 24, "h")
"""So long alerts that are over are remembered."""
RECALL = np.timedelta64(24, "h")
"""An alert that comes back within this time is the same one: people are not told again, and it is held longer."""
LONGEST_HOLD = np.timedelta64(24, "h")


@dataclass(frozen=True, slots=True, kw_only=True)
class Damping:
    """How alerts are kept from flapping.

    ``hold_s`` is how long an alert fires on after it was last found, doubled each time that it came back within a day;
    ``resend_s`` how long after this run the next one comes.
    """

    hold_s: float
    resend_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedAlert:
    """An alert from run to run.

    Attributes
    ----------
    alert
        As it was last found, with the labels and the start that it had first.
    seen
        When a run last found it.
    gone
        When it was found to be over; None while it fires.
    resolved
        Whether Alertmanager has been told that it is over.
    notice
        Id of the notification that told people; "" before.
    returns
        How often it came back within a day of its end.
    """

    alert: Alert
    seen: Instant
    gone: Instant | None = None
    resolved: bool = False
    notice: str = ""
    returns: int = 0

    @property
    def fires(self) -> bool:
        """Whether it is not over."""
        return self.gone is None


@dataclass(frozen=True, slots=True, kw_only=True)
class SentNotice:
    """A notification and what became of it.

    Attributes
    ----------
    notice
        What is told.
    alerts
        Identities of the alerts that it is about.
    tries
        When it was sent, or may have been: these count against the budget.
    waiting
        Names of the channels that have yet to take it.
    delivered
        Names of the channels that took it.
    resolved
        Names of the channels that were told that it is over.
    """

    notice: Notice
    alerts: tuple[str, ...]
    made: Instant
    waiting: tuple[str, ...] = ()
    tries: tuple[Instant, ...] = ()
    delivered: tuple[str, ...] = ()
    resolved: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLog:
    """All that a run must know of the runs before it."""

    alerts: tuple[TrackedAlert, ...] = ()
    notices: tuple[SentNotice, ...] = ()
    version: int = field(default=LOG_VERSION)

    @property
    def firing(self) -> tuple[TrackedAlert, ...]:
        """The alerts that are not over, the most severe first."""
        firing = [tracked for tracked in self.alerts if tracked.fires]
        return tuple(sorted(firing, key=lambda t: (-t.alert.severity.rank, -t.alert.weight, t.alert.identity)))


def follow(
    log: AlertLog,
    alerts: Iterable[Alert],
    *,
    now: np.datetime64,
    damping: Damping,
    in_maintenance: Callable[[str], bool] = lambda _entity: False,
) -> AlertLog:
    """The log after a run with these alerts, each identity once; ``in_maintenance`` takes the id of an entity.

    Nothing begins or goes on in maintenance. An alert that becomes more severe gets its labels of now, and ends under
    the former ones: that can happen once.
    """
    wanted = [alert for alert in alerts if not in_maintenance(alert.entity)]
    latest = {tracked.alert.identity: tracked for tracked in log.alerts}
    firing = {tracked.alert.source: tracked for tracked in log.alerts if tracked.fires}
    updated: dict[str, TrackedAlert] = {}
    for alert in wanted:
        by_labels = latest.get(alert.identity)
        prior = firing.get(alert.source) or (by_labels if by_labels and by_labels.fires else None)
        if prior is None:
            if alert.begins:
                updated.setdefault(alert.identity, _begun(alert, by_labels, now))
        elif alert.severity.rank > prior.alert.severity.rank:
            updated.setdefault(alert.identity, _begun(alert, None, now))
        else:
            updated.setdefault(prior.alert.identity, _gone_on(prior, alert, now))
    for identity, tracked in latest.items():
        if identity not in updated and (remaining := _not_found(tracked, updated, now, damping, in_maintenance)):
            updated[identity] = remaining
    about = {tracked.notice for tracked in updated.values() if tracked.fires}
    notices = tuple(sent for sent in log.notices if sent.notice.id in about or now - sent.made < KEEP)
    return replace(log, alerts=tuple(updated.values()), notices=notices)


def timed_alerts(log: AlertLog, *, now: np.datetime64, damping: Damping) -> tuple[TimedAlert, ...]:
    """Alerts for Alertmanager: firing ones, valid for four runs, and ended ones until their end has been sent."""
    second = np.timedelta64(1, "s")
    until = now + np.timedelta64(round(4 * damping.resend_s * 1000), "ms")

    def all_of() -> Iterator[TimedAlert]:
        for tracked in log.alerts:
            if tracked.gone is None or not tracked.resolved:
                ends = until if tracked.gone is None else tracked.gone
                starts = min(tracked.alert.starts, now - second, ends - second)
                yield TimedAlert(alert=tracked.alert, starts=starts, ends=ends)

    return tuple(all_of())


def _begun(alert: Alert, before: TrackedAlert | None, now: np.datetime64) -> TrackedAlert:
    if before is None or before.gone is None or now - before.gone > RECALL:
        return TrackedAlert(alert=alert, seen=now)
    return TrackedAlert(alert=alert, seen=now, notice=before.notice, returns=before.returns + 1)


def _gone_on(prior: TrackedAlert, alert: Alert, now: np.datetime64) -> TrackedAlert:
    same = replace(alert, labels=prior.alert.labels, starts=prior.alert.starts, severity=prior.alert.severity)
    return replace(prior, alert=same, seen=now)


def _not_found(
    tracked: TrackedAlert,
    updated: Mapping[str, TrackedAlert],
    now: np.datetime64,
    damping: Damping,
    in_maintenance: Callable[[str], bool],
) -> TrackedAlert | None:
    """What becomes of an alert that this run did not find; None where it is forgotten."""
    if tracked.gone is not None:
        return tracked if now - tracked.gone < KEEP else None
    hold = min(np.timedelta64(round(damping.hold_s * 1000), "ms") * 2 ** min(tracked.returns, 10), LONGEST_HOLD)
    replaced = any(other.alert.source == tracked.alert.source for other in updated.values())
    if replaced or in_maintenance(tracked.alert.entity) or now - tracked.seen >= hold:
        return replace(tracked, gone=now)
    return tracked
