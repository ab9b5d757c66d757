"""What is remembered from night to night: episodes that go on, and what people said about like ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from brownout.domain.findings import Episode
from brownout.domain.panel import as_time

__all__ = ["Known", "Memory", "Said", "Settled", "Verdict", "known_of"]

GAP = np.timedelta64(30 * 60_000, "ms")
"""An episode that begins so soon after a known open one goes on with it."""
MARGIN = 1.15
"""How much more severe than one called false an episode of its kind must be to be shown again."""
ABOUT = np.timedelta64(2 * 3_600_000, "ms")
"""How far from the time of day of an expected episode its like are expected."""
NONE = np.timedelta64(0, "ms")
DAY = np.timedelta64(86_400_000, "ms")


class Said(StrEnum):
    """What someone said about an episode."""

    FALSE = "false"
    TRUE = "true"
    EXPECTED = "expected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is kept of an episode; ``lead`` is the metric that moved most, "" where none moved by itself."""

    id: str
    entity: str
    start: np.datetime64
    end: np.datetime64
    open: bool
    severity: float
    lead: str

    def like(self, other: "Known") -> bool:
        """Whether two episodes are of a kind: the same metric of the same entity led."""
        return (self.entity, self.lead) == (other.entity, other.lead)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What someone said about an episode, and when; later verdicts on an episode replace earlier ones."""

    episode: Known
    said: Said
    at: np.datetime64


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Episodes to show, and those that verdicts on their like mute, with the id of the episode judged."""

    episodes: tuple[Episode, ...]
    muted: tuple[tuple[Episode, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Episodes known from the last night and all verdicts, in the order they were given."""

    known: tuple[Known, ...] = ()
    verdicts: tuple[Verdict, ...] = ()

    def settle(self, found: Sequence[Episode]) -> Settled:
        """Continue what was open, and mute what its like have been called false or expected for."""
        shown, muted = [], []
        free = list(self.known)
        for episode in (_continued(item, free) for item in found):
            reason = self._muted_by(known_of(episode))
            if reason is None:
                shown.append(episode)
            else:
                muted.append((episode, reason.episode.id))
        return Settled(episodes=tuple(shown), muted=tuple(muted))

    def _muted_by(self, episode: Known) -> Verdict | None:
        """The verdict that mutes an episode, None where nothing does; the last word on a like episode counts."""
        last = {verdict.episode.id: verdict for verdict in self.verdicts}
        own = last.get(episode.id)
        if own is not None:
            return own if own.said is not Said.TRUE else None
        bar = 0.0
        reason = None
        for verdict in last.values():
            if not verdict.episode.like(episode):
                continue
            if verdict.said is Said.TRUE and verdict.episode.severity <= episode.severity:
                return None
            if verdict.said is Said.EXPECTED and _same_time(verdict.episode.start, episode.start):
                return verdict
            if verdict.said is Said.FALSE and MARGIN * verdict.episode.severity > max(bar, episode.severity):
                bar, reason = MARGIN * verdict.episode.severity, verdict
        return reason


def _continued(episode: Episode, free: list[Known]) -> Episode:
    """The episode under the id and start that it had the night before; takes what it goes on with from the list."""
    for known in free:
        overlaps = episode.start <= known.end + (GAP if known.open else NONE) and episode.end >= known.start
        if known.entity == episode.entity and overlaps:
            free.remove(known)
            start = min(known.start, episode.start)
            return replace(episode, id=known.id, start=start, severity=max(known.severity, episode.severity))
    return episode


def known_of(episode: Episode) -> Known:
    """What is kept of an episode."""
    return Known(
        id=episode.id,
        entity=episode.entity,
        start=as_time(episode.start),
        end=as_time(episode.end),
        open=episode.open,
        severity=episode.severity,
        lead=episode.movers[0].series.metric if episode.movers else "",
    )


def _same_time(one: np.datetime64, other: np.datetime64) -> bool:
    distance = abs(one - other) % DAY
    return bool(min(distance, DAY - distance) <= ABOUT)
