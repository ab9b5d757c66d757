"""Notifications for people: few, the most severe first, what is over not at all.

A budget bounds them: so many in any eight hours for each started thousand of guests. The last one is kept for what is
critical. What finds no room waits, and goes into the next one.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from brownout.domain.findings import Alert, Notice, Severity
from brownout.nightly.effects.alerting.alert_log import AlertLog, SentNotice, TrackedAlert

__all__ = ["SHIFT", "may_send", "room", "untold", "with_notice"]

SHIFT = np.timedelta64(8, "h")
GUESTS = 1000
"""The budget is for so many guests."""
GROUPS = 5
"""Causes that a notification names; the rest are counted in its last line."""
NAMED = 4
"""Entities that are named of a cause."""


def room(log: AlertLog, *, now: np.datetime64, guests: int, per_shift: int) -> int:
    """How many notifications may still be sent now."""
    allowed = per_shift * max(1, math.ceil(guests / GUESTS))
    return allowed - sum(bool(now - time < SHIFT) for sent in log.notices for time in sent.tries)


def may_send(severity: Severity, left: int, *, per_shift: int) -> bool:
    """Whether the budget allows a notification; the last one of several is reserved for critical alerts."""
    return left > (0 if severity is Severity.CRITICAL or per_shift == 1 else 1)


def untold(log: AlertLog) -> tuple[TrackedAlert, ...]:
    """What fires and nobody was told of, the most severe first."""
    return tuple(tracked for tracked in log.firing if not tracked.notice)


def with_notice(
    log: AlertLog, waiting: Sequence[TrackedAlert], channels: Sequence[str], *, now: np.datetime64
) -> AlertLog:
    """The log with a notification about what waits, for channels of those names, as its last one."""
    worst = waiting[0].alert
    stamp = np.datetime_as_string(now, unit="s").replace("-", "").replace(":", "")
    notice = Notice(
        id=f"brownout-{worst.identity}-{stamp}",
        severity=worst.severity,
        title=_title(waiting),
        text=_text(waiting),
        entity=worst.entity,
        link=worst.link,
    )
    identities = tuple(tracked.alert.identity for tracked in waiting)
    sent = SentNotice(notice=notice, alerts=identities, made=now, waiting=tuple(channels))
    notified = set(sent.alerts)
    alerts = tuple(
        replace(tracked, notice=notice.id) if tracked.fires and tracked.alert.identity in notified else tracked
        for tracked in log.alerts
    )
    return replace(log, alerts=alerts, notices=(*log.notices, sent))


def _title(waiting: Sequence[TrackedAlert]) -> str:
    worst = waiting[0].alert
    more = f", and {len(waiting) - 1} more" if len(waiting) > 1 else ""
    return f"[{worst.severity}] {worst.annotations.get('summary', worst.entity)}{more}"


def _text(waiting: Sequence[TrackedAlert]) -> str:
    """The worst in full, one line for each further cause, and how many are left."""
    worst, *others = (tracked.alert for tracked in waiting)
    lines = [
        f"{name.capitalize()}: {worst.annotations[name]}" if name != "summary" else worst.annotations[name]
        for name in worst.annotations
    ]
    if worst.link:
        lines.append(f"Report: {worst.link}")
    groups: dict[tuple[str, str], list[Alert]] = {}
    for alert in others:
        groups.setdefault((alert.labels.get("alertname", ""), alert.labels.get("cause", "")), []).append(alert)
    if groups:
        lines += ["", "Also:", *(_line(alerts) for alerts in list(groups.values())[:GROUPS])]
    rest = list(groups.values())[GROUPS:]
    if rest:
        lines.append(f"- and {sum(map(len, rest))} more with {len(rest)} other causes")
    return "\n".join(lines)


def _line(alerts: Sequence[Alert]) -> str:
    """One cause: the worst in a sentence, and where else."""
    first, *others = alerts
    names = [alert.labels.get("entity", "") for alert in others]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    likewise = f"; likewise {', '.join(names[:NAMED])}{more}" if names else ""
    return f"- {first.annotations.get('summary', first.entity)}{likewise}"
