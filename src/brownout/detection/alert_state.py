"""What is remembered from night to night: episodes that go on, and what people said about like ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from brownout.domain.findings import Episode, Shift, SuppressedEpisode, SuppressionReason
from brownout.domain.night import Night
from brownout.domain.verdicts import ABOUT, Said, Verdict
from brownout.numerics.slots import days

__all__ = ["AlertState", "ReviewedEpisodes"]

GAP = np.timedelta64(30 * 60_000, "ms")
"""An episode that begins so soon after a known open one goes on with it."""
NONE = np.timedelta64(0, "ms")
DAY = days(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedEpisodes:
    """Episodes to look into, and those that verdicts on their like mute."""

    episodes: tuple[Episode, ...]
    suppressed: tuple[SuppressedEpisode, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertState:
    """Episodes known from the last night and all verdicts, in the order they were given.

    ``incidents`` are the ids of the episodes of each incident of the last night, ``shifts`` the levels that were
    accepted as usual, ``alarmed`` the ids of episodes that raised an alarm in the last night.
    """

    known: tuple[Episode, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    incidents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    shifts: tuple[Shift, ...] = ()
    alarmed: frozenset[str] = frozenset()

    @classmethod
    def after(cls, night: Night) -> Self:
        """What the next night must know of a night."""
        return cls(
            known=(*night.episodes, *(suppressed.episode for suppressed in night.suppressed)),
            verdicts=night.verdicts,
            incidents={diagnosis.id: diagnosis.episodes for diagnosis in night.diagnoses},
            shifts=night.shifts,
            alarmed=frozenset(episode.id for episode in night.episodes),
        )

    def vouched(self, episode: Episode) -> bool:
        """Whether people called this episode, or a like one that was no more severe, true."""
        return any(
            verdict.said is Said.TRUE
            and (verdict.episode.id == episode.id or _alike(verdict.episode, episode))
            and verdict.episode.severity <= episode.severity
            for verdict in self.verdicts
        )

    def settle(self, found: Sequence[Episode]) -> ReviewedEpisodes:
        """Continue what was open, and mute what its like have been called false or expected for."""
        shown, quiet = list[Episode](), list[SuppressedEpisode]()
        free = list(self.known)
        for episode in (_continued(item, free) for item in found):
            verdict = self._muted_by(episode)
            if verdict is None:
                shown.append(episode)
            else:
                quiet.append(_quiet(episode, verdict))
        return ReviewedEpisodes(episodes=tuple(shown), suppressed=tuple(quiet))

    def _muted_by(self, episode: Episode) -> Verdict | None:
        """The verdict that mutes an episode, None where nothing does; the last word on a like episode counts."""
        last = {verdict.episode.id: verdict for verdict in self.verdicts}
        own = last.get(episode.id)
        if own is not None:
            return own if own.said is not Said.TRUE else None
        bar = 0.0
        reason = None
        for verdict in last.values():
            if not _alike(verdict.episode, episode):
                continue
            if verdict.said is Said.TRUE and verdict.episode.severity <= episode.severity:
                return None
            if verdict.said is Said.EXPECTED and _same_time(verdict.episode.start, episode.start):
                return verdict
            if verdict.said is Said.FALSE and verdict.bar > max(bar, episode.severity):
                bar, reason = verdict.bar, verdict
        return reason


def _continued(episode: Episode, free: list[Episode]) -> Episode:
    """The episode under the id and start that it had the night before; takes what it goes on with from the list."""
    for known in free:
        overlaps = episode.start <= known.end + (GAP if known.open else NONE) and episode.end >= known.start
        if known.entity == episode.entity and overlaps:
            free.remove(known)
            start = min(known.start, episode.start)
            return replace(episode, id=known.id, start=start, severity=max(known.severity, episode.severity))
    return episode


def _alike(one: Episode, other: Episode) -> bool:
    """Whether two episodes are of a kind: the same metric of the same entity led."""
    return (one.entity, one.lead) == (other.entity, other.lead)


def _quiet(episode: Episode, verdict: Verdict) -> SuppressedEpisode:
    called, date = verdict.said.value, str(verdict.at)[:10]
    own = verdict.episode.id == episode.id
    reason = f"called {called} on {date}"
    if not own:
        reason = f"episode {verdict.episode.id} was called {called} on {date}: {verdict.effect}"
    return SuppressedEpisode(episode=episode, why=SuppressionReason.FEEDBACK, reason=reason, because=verdict.episode.id)


def _same_time(one: np.datetime64, other: np.datetime64) -> bool:
    distance = abs(one - other) % DAY
    return bool(min(distance, DAY - distance) <= ABOUT)
