"""What the next run would send, and to whom, by what the last one left."""

from collections.abc import Sequence

import numpy as np

from brownout.domain.entities import EntityKind
from brownout.domain.errors import BrownoutError
from brownout.nightly.effects.alerting import read_alert_log
from brownout.nightly.effects.alerting.alert_log import AlertLog, TrackedAlert
from brownout.nightly.effects.alerting.notices import may_send, room, untold
from brownout.operate.checks import Check, State
from brownout.operate.receivers_seen.receiver_checks import Receiver
from brownout.settings import AlertSettings
from brownout.store.workspace import Workspace

__all__ = ["alerts_to_send"]

ABOUT = "alerts that fire"
HEADINGS = ("severity", "alert", "goes to")


def alerts_to_send(
    workspace: Workspace, settings: AlertSettings, receivers: Sequence[Receiver], now: np.datetime64
) -> Check:
    """A row for each firing alert, with the receivers that will get it if it still fires at the next run."""
    try:
        log = read_alert_log(workspace)
        guests = sum(entity.kind == EntityKind.VM for entity in workspace.open_history().topology)
    except BrownoutError as error:
        return Check(state=State.BAD, about=ABOUT, found=error.what, do=error.remedy)
    if not log.firing:
        return Check(state=State.GOOD, about=ABOUT, found="none: the next run sends nothing but what is new by then")
    left = room(log, now=now, guests=guests, per_shift=settings.notices_per_shift)
    waiting = untold(log)
    fits = bool(waiting) and may_send(waiting[0].alert.severity, left, per_shift=settings.notices_per_shift)
    keepers = [receiver.name for receiver in receivers if receiver.keeps]
    people = [receiver.name for receiver in receivers if receiver.tells]
    rows = tuple(
        (
            str(t.alert.severity),
            t.alert.annotations.get("summary", t.alert.entity),
            _to(t, log, keepers, people, fits=fits),
        )
        for t in log.firing
    )
    finding = f"{len(rows)}, of which people were told of {len(rows) - len(waiting)}"
    return Check(state=State.GOOD, about=ABOUT, found=finding, table=(HEADINGS, *rows))


def _to(tracked: TrackedAlert, log: AlertLog, keepers: Sequence[str], people: Sequence[str], *, fits: bool) -> str:
    """Who gets an alert at the next run, or has got it."""
    names = list(keepers)
    if not people:
        return ", ".join(names) or "nobody"
    if not tracked.notice:
        return ", ".join([*names, *people]) if fits else ", ".join([*names, "people later: their messages are used up"])
    late = next((sent.waiting for sent in log.notices if sent.notice.id == tracked.notice), ())
    names += [f"{name} (it did not take it yet)" for name in late] or ["people were told"]
    return ", ".join(names)
