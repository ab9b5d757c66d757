"""A run that failed before it could tell anybody: one message to the people whom alerts go to."""

import numpy as np

from brownout.domain.encoding import visible
from brownout.domain.findings import Notice, Severity
from brownout.domain.ports import NoticeChannel
from brownout.nightly.effects.alerting.send_alerts import Alerting
from brownout.nightly.effects.side_effects import SideEffects

__all__ = ["tell_failure"]

LONGEST = 2000
"""Characters of what a run said that are passed on."""


def tell_failure(alerting: Alerting, run: str, message: str, now: np.datetime64, effects: SideEffects) -> int:
    """Tell people by every channel that a run failed, and what it said; returns how many took it."""
    stamp = np.datetime_as_string(now, unit="s").replace("-", "").replace(":", "")
    notice = Notice(
        id=f"brownout-failure-{stamp}",
        severity=Severity.CRITICAL,
        title=visible(f"[failed] the run {run} of brownout"),
        text=visible(f"{message or 'It said nothing.'}")[:LONGEST],
        entity="brownout",
    )
    alerted = 0
    for channel in alerting.channels(effects):

        def send(_note: object, channel: NoticeChannel = channel) -> bool:
            channel.send(notice)
            return True

        alerted += bool(effects.run(f"tell people by {channel.name}", send))
    return alerted
