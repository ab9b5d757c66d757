"""Mailing: send what people must know within the budget, and again what has not arrived.

A try is on disk before it is made. Where a run was killed in the middle nobody knows whether the message went out: it
is sent again, and both tries count against the budget.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from brownout.domain.errors import AlertError
from brownout.domain.ports import NoticeChannel
from brownout.nightly.effects.alerting.alert_log import AlertLog, SentNotice
from brownout.nightly.effects.alerting.alert_log_file import write_alert_log
from brownout.nightly.effects.alerting.notices import may_send, room, untold, with_notice
from brownout.nightly.effects.side_effects import SideEffects
from brownout.store.workspace import Workspace

__all__ = ["Mailing"]

WORTH_SENDING = np.timedelta64(24, "h")
"""A notification that could not be delivered for so long is old news: the next one tells what is new."""


@dataclass(slots=True, kw_only=True)
class Mailing:
    """The notifications of one run; every change of the log is written at once."""

    workspace: Workspace
    effects: SideEffects
    now: np.datetime64

    def run(self, log: AlertLog, channels: Sequence[NoticeChannel], *, guests: int, per_shift: int) -> AlertLog:
        """Resolve what is over, send again what has not arrived, then one notification about what is new."""
        for channel in channels:
            log = self._resolve(log, channel)
        for sent in log.notices:
            left = room(log, now=self.now, guests=guests, per_shift=per_shift)
            if self._worth_another_try(log, sent) and may_send(sent.notice.severity, left, per_shift=per_shift):
                log = self._deliver(log, sent, channels)
        waiting = untold(log)
        left = room(log, now=self.now, guests=guests, per_shift=per_shift)
        if channels and waiting and may_send(waiting[0].alert.severity, left, per_shift=per_shift):
            log = with_notice(log, waiting, [channel.name for channel in channels], now=self.now)
            log = self._deliver(log, log.notices[-1], channels)
        return log

    def _worth_another_try(self, log: AlertLog, sent: SentNotice) -> bool:
        firing = {tracked.alert.identity for tracked in log.firing}
        return bool(sent.waiting) and bool(firing & set(sent.alerts)) and bool(self.now - sent.made < WORTH_SENDING)

    def _deliver(self, log: AlertLog, sent: SentNotice, channels: Sequence[NoticeChannel]) -> AlertLog:
        """Send a notification on the channels that wait for it; a try that surely failed on all costs no budget."""
        before = sent.tries
        sent = replace(sent, tries=(*before, self.now))
        log = self._written(log, sent)
        may_have_arrived = False
        for channel in channels:
            if channel.name not in sent.waiting:
                continue
            arrived, uncertain = self._send(channel, sent)
            may_have_arrived |= arrived or uncertain
            if arrived:
                left = tuple(name for name in sent.waiting if name != channel.name)
                sent = replace(sent, waiting=left, delivered=(*sent.delivered, channel.name))
                log = self._written(log, sent)
        return log if may_have_arrived else self._written(log, replace(sent, tries=before))

    def _send(self, channel: NoticeChannel, sent: SentNotice) -> tuple[bool, bool]:
        """Whether it arrived, and whether it may have though no answer says so."""
        uncertain = False

        def send(_note: object) -> bool:
            nonlocal uncertain
            try:
                channel.send(sent.notice)
            except AlertError as error:
                uncertain = error.uncertain
                raise
            return True

        return bool(self.effects.run(f"tell people by {channel.name}", send)), uncertain

    def _resolve(self, log: AlertLog, channel: NoticeChannel) -> AlertLog:
        """Tell a channel of what it was told and is over by now."""
        firing = {tracked.alert.identity for tracked in log.firing}
        for sent in log.notices:
            over = not firing & set(sent.alerts)
            if over and channel.name in sent.delivered and channel.name not in sent.resolved:

                def resolve(_note: object, notice: SentNotice = sent) -> bool:
                    channel.resolve(notice.notice)
                    return True

                if self.effects.run(f"resolve by {channel.name}", resolve):
                    log = self._written(log, replace(sent, resolved=(*sent.resolved, channel.name)))
        return log

    def _written(self, log: AlertLog, sent: SentNotice) -> AlertLog:
        notices = tuple(sent if other.notice.id == sent.notice.id else other for other in log.notices)
        log = replace(log, notices=notices)
        self.effects.run("keep who was told", lambda _note: write_alert_log(self.workspace, log))
        return log
