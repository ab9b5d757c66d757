"""Send the alerts of a night: to Alertmanager, which keeps them, and to people, as few as the budget allows.

What was decided is on disk before anything is sent. A run that is killed has therefore forgotten nothing: the next one
sends the same alerts again, which Alertmanager takes as the same, and a notification that may not have gone out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from brownout.domain.calendar import Calendar
from brownout.domain.entities import EntityKind, Topology
from brownout.domain.errors import BrownoutError, DataError
from brownout.domain.night import Night
from brownout.domain.ports import AlertReceiver, NoticeChannel
from brownout.nightly.effects.alerting.alert_log import AlertLog, Damping, follow, timed_alerts
from brownout.nightly.effects.alerting.alert_log_file import read_alert_log, set_aside, write_alert_log
from brownout.nightly.effects.alerting.mailing import Mailing
from brownout.nightly.effects.alerting.night_alerts import alerts_of
from brownout.nightly.effects.side_effects import SideEffects
from brownout.settings import AlertSettings
from brownout.store.workspace import Workspace

__all__ = ["Alerting", "send_alerts"]

SENDING = "send the alerts"
OPENING = "open a way to people"
STALE = np.timedelta64(24, "h")
"""What was open at the end of older data may long be over: nothing begins or ends by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting:
    """Where alerts go, opened when it is needed; opening may raise what a side effect may.

    ``open_receiver`` gives what keeps alerts (Alertmanager), None where the settings name none; ``open_channels`` the
    ways to people, None where they name none: those that can be opened, with a complaint about each that cannot.
    """

    settings: AlertSettings
    open_receiver: Callable[[], AlertReceiver] | None = None
    open_channels: Callable[[Callable[[BrownoutError], None]], Sequence[NoticeChannel]] | None = None

    def channels(self, effects: SideEffects) -> Sequence[NoticeChannel]:
        """The ways to people that can be opened; what is wrong with each other one is kept in ``effects``."""
        open_channels = self.open_channels
        if open_channels is None:
            return ()
        opened = effects.run(OPENING, lambda _note: open_channels(partial(effects.fail, OPENING)))
        return opened or ()


def send_alerts(
    night: Night, alerting: Alerting, calendar: Calendar, workspace: Workspace, effects: SideEffects
) -> None:
    """Follow the alerts of a night and send them; what does not work is kept in ``effects``, and is sent next time."""
    settings = alerting.settings
    damping = Damping(hold_s=settings.hold_minutes * 60, resend_s=settings.resend_minutes * 60)
    if night.created - night.end > STALE:
        if alerting.open_receiver or alerting.open_channels:
            effects.run(SENDING, lambda note: note(f"not sent, for the data end at {night.end}Z, a day before now."))
        return
    before = _read(workspace, effects)
    log = effects.run("keep the alerts", lambda _note: _followed(before, night, settings, calendar, workspace))
    if log is not None and alerting.open_receiver is not None:
        open_receiver, firing = alerting.open_receiver, log
        sent = effects.run(
            SENDING, lambda note: _sent(firing, open_receiver(), night.created, damping, workspace, note)
        )
        log = sent or log
    if log is not None:
        guests = sum(entity.kind == EntityKind.VM for entity in night.topology)
        mailing = Mailing(workspace=workspace, effects=effects, now=night.created)
        mailing.run(log, alerting.channels(effects), guests=guests, per_shift=settings.notices_per_shift)


def _read(workspace: Workspace, effects: SideEffects) -> AlertLog:
    """The log of the runs before; a damaged one is told and set aside, for alerts must go out all the same."""
    try:
        return read_alert_log(workspace)
    except DataError as error:
        effects.fail("read who was told of which alert", error)
        effects.run("set the damaged file aside", lambda _note: set_aside(workspace))
    except OSError as error:
        effects.fail("read who was told of which alert", error)
    return AlertLog()


def _followed(
    before: AlertLog, night: Night, settings: AlertSettings, calendar: Calendar, workspace: Workspace
) -> AlertLog:
    log = follow(
        before,
        alerts_of(night, min_probability=settings.min_probability, report_url=settings.report_url),
        now=night.created,
        damping=Damping(hold_s=settings.hold_minutes * 60, resend_s=settings.resend_minutes * 60),
        in_maintenance=lambda entity: _in_maintenance(calendar, night.topology, entity, night.created),
    )
    write_alert_log(workspace, log)
    return log


def _sent(  # noqa: PLR0913, PLR0917 - one try of an effect
    log: AlertLog,
    receiver: AlertReceiver,
    now: np.datetime64,
    damping: Damping,
    workspace: Workspace,
    note: Callable[[str], None],
) -> AlertLog:
    """Send everything that fires, and what is over until that arrived once."""
    alerts = timed_alerts(log, now=now, damping=damping)
    receiver.send(alerts)
    over = sum(timed.ends <= now for timed in alerts)
    if alerts:
        note(f"{len(alerts) - over} firing, {over} over.")
    log = replace(log, alerts=tuple(replace(t, resolved=True) if not t.fires else t for t in log.alerts))
    write_alert_log(workspace, log)
    return log


def _in_maintenance(calendar: Calendar, topology: Topology, entity: str, now: np.datetime64) -> bool:
    """Whether an announced window covers an entity now."""
    after = now + np.timedelta64(1, "ms")
    return any(window.covers(entity, topology) and window.spans(now, after) for window in calendar.windows)
