"""Checks of the receivers of alerts: reachable and configured; on request a test alert is sent to each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from brownout.domain.errors import BrownoutError
from brownout.domain.findings import Alert, Notice, Severity, TimedAlert
from brownout.domain.ports import AlertReceiver, NoticeChannel
from brownout.operate.checks import Check, State
from brownout.settings import AlertSettings

__all__ = ["Receiver", "receiver_checks"]

ABOUT = "alerts"
TEST_LASTS = np.timedelta64(5, "m")
"""A test alert ends by itself after so long."""
TEST = "Test of brownout's alerts: nothing is wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Somebody that alerts go to, opened when it is needed: what ``keeps`` alerts, or a way that ``tells`` people.

    Opening raises a BrownoutError where a secret is missing or an address cannot be understood.
    """

    name: str
    keeps: Callable[[], AlertReceiver] | None = None
    tells: Callable[[], NoticeChannel] | None = None


def receiver_checks(
    settings: AlertSettings,
    receivers: Callable[[AlertSettings], Sequence[Receiver]],
    now: np.datetime64,
    *,
    send_test: bool = False,
) -> Iterator[Check]:
    """Which receivers get which alerts, and whether each works; a test is sent only with ``send_test``."""
    try:
        configured = receivers(settings)
    except BrownoutError as error:
        yield Check(state=State.BAD, about=ABOUT, found=error.what, do=error.remedy)
        return
    yield Check(state=State.GOOD, about=ABOUT, found=_who_is_told(configured, settings))
    for receiver in configured:
        yield _checked(receiver, now, send_test=send_test)
    if configured and not settings.report_url:
        do = "Set alerts.report_url to where report/index.html can be opened."
        yield Check(state=State.WARNING, about=ABOUT, found="they have no link to the report", do=do)


def _who_is_told(receivers: Sequence[Receiver], settings: AlertSettings) -> str:
    if not receivers:
        return "nobody is told: [alerts] names no receiver; the report and `brownout alerts` list them"
    parts = []
    if any(receiver.keeps for receiver in receivers):
        again = f"anew with each run, for {4 * settings.resend_minutes:g} minutes (4 x resend_minutes)"
        parts.append(f"Alertmanager gets all that fires, {again}")
    people = [receiver.name for receiver in receivers if receiver.tells]
    if people:
        few = f"at most {settings.notices_per_shift} messages in eight hours for each started thousand of guests"
        parts.append(f"{', '.join(people)} get {few}, about what is new")
    chance = f"forecast breaches begin an alert from {settings.min_probability:.0%} on"
    return "; ".join([*parts, chance])


def _checked(receiver: Receiver, now: np.datetime64, *, send_test: bool) -> Check:
    """The finding about one receiver, under its full name where that is known."""
    name = receiver.name
    try:
        if receiver.keeps is not None:
            keeper = receiver.keeps()
            finding = keeper.check()
            if send_test:
                keeper.send([_test_alert(now)])
        elif receiver.tells is not None:
            channel = receiver.tells()
            name = channel.name
            finding = channel.check()
            if send_test:
                _tell_and_resolve(channel, now)
    except BrownoutError as error:
        return Check(state=State.BAD, about=name, found=error.what, do=error.remedy)
    return Check(state=State.GOOD, about=name, found=f"{finding}; a test was sent" if send_test else finding)


def _tell_and_resolve(channel: NoticeChannel, now: np.datetime64) -> None:
    stamp = np.datetime_as_string(now, unit="s").replace("-", "").replace(":", "")
    text = "Sent by brownout doctor, as asked. Real messages name what is wrong, the evidence and what to do first."
    notice = Notice(
        id=f"brownout-test-{stamp}", severity=Severity.WARNING, title=TEST, text=text, entity="brownout doctor"
    )
    channel.send(notice)
    channel.resolve(notice)


def _test_alert(now: np.datetime64) -> TimedAlert:
    labels = {"alertname": "BrownoutTest", "entity": "brownout doctor", "severity": Severity.WARNING}
    alert = Alert(
        source="test",
        entity="brownout doctor",
        labels=labels,
        annotations={"summary": TEST},
        severity=Severity.WARNING,
        weight=0.0,
        starts=now,
    )
    return TimedAlert(alert=alert, starts=now - np.timedelta64(1, "s"), ends=now + TEST_LASTS)
