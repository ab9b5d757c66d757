"""State kept from night to night: episodes that continue, and what people said about similar ones."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from brownout.domain.findings import Diagnosis, Episode, Shift, SuppressedEpisode, SuppressionReason
from brownout.domain.night import Night
from brownout.domain.verdicts import ABOUT, Said, Verdict
from brownout.numerics.slots import days

__all__ = ["AlertState", "ReviewedEpisodes", "with_known_ids"]

GAP = np.timedelta64(30 * 60_000, "ms")
"""An episode that begins so soon after the end of a known open one continues it."""
NONE = np.timedelta64(0, "ms")
DAY = days(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedEpisodes:
    """Episodes to look into, and those that verdicts on similar episodes suppress."""

    episodes: tuple[Episode, ...]
    suppressed: tuple[SuppressedEpisode, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertState:
    """What is known from earlier nights.

    Attributes
    ----------
    known
        Episodes of the last night.
    verdicts
        All verdicts, in the order they were given.
    incidents
        Ids of the episodes of each incident of the last night.
    shifts
        Level shifts that were accepted as normal.
    alarmed
        Ids of the episodes that raised an alarm in the last night.
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
        """Whether people called this episode, or a similar one that was no more severe, true."""
        return any(
            verdict.said is Said.TRUE
            and (verdict.episode.id == episode.id or _similar(verdict.episode, episode))
            and verdict.episode.severity <= episode.severity
            for verdict in self.verdicts
        )

    def settle(self, episodes: Sequence[Episode]) -> ReviewedEpisodes:
        """Continue open episodes, and suppress those whose similar ones have been called false or expected."""
        shown, suppressed = list[Episode](), list[SuppressedEpisode]()
        free = list(self.known)
        for episode in (_continued(item, free) for item in episodes):
            verdict = self._suppressed_by(episode)
            if verdict is None:
                shown.append(episode)
            else:
                suppressed.append(_suppressed(episode, verdict))
        return ReviewedEpisodes(episodes=tuple(shown), suppressed=tuple(suppressed))

    def _suppressed_by(self, episode: Episode) -> Verdict | None:
        """The verdict that suppresses an episode, or None; of each similar episode the last verdict counts."""
        last = {verdict.episode.id: verdict for verdict in self.verdicts}
        on_itself = last.get(episode.id)
        if on_itself is not None:
            return on_itself if on_itself.said is not Said.TRUE else None
        bar = 0.0
        reason = None
        for verdict in last.values():
            if not _similar(verdict.episode, episode):
                continue
            if verdict.said is Said.TRUE and verdict.episode.severity <= episode.severity:
                return None
            if verdict.said is Said.EXPECTED and _same_time(verdict.episode.start, episode.start):
                return verdict
            if verdict.said is Said.FALSE and verdict.bar > max(bar, episode.severity):
                bar, reason = verdict.bar, verdict
        return reason


def with_known_ids(diagnoses: Sequence[Diagnosis], known: Mapping[str, tuple[str, ...]]) -> tuple[Diagnosis, ...]:
    """Incidents under the ids of those of the last night with the same episodes; each id is given once.

    ``known`` are the ids of the episodes of each incident. What shares the largest part comes first; where nothing is
    shared, the id stays the incident's own, and one that belongs to another incident is not taken from it.
    """
    shared = sorted(
        (
            (len(own & old) / len(own | old), place, name)
            for place, own in enumerate(set(diagnosis.episodes) for diagnosis in diagnoses)
            for name, old in ((name, set(members)) for name, members in known.items())
            if own & old
        ),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )
    given: dict[int, str] = {}
    for _, place, name in shared:
        if place not in given and name not in given.values():
            given[place] = name
    taken = {*known, *given.values()}
    return tuple(
        replace(diagnosis, id=given.get(place) or _free(diagnosis.id, taken))
        for place, diagnosis in enumerate(diagnoses)
    )


def _free(name: str, taken: set[str]) -> str:
    """An id that no other incident has, which is then taken."""
    while name in taken:
        name = hashlib.sha256(name.encode()).hexdigest()[:12]
    taken.add(name)
    return name


def _continued(episode: Episode, free: list[Episode]) -> Episode:
    """The episode under the id and start of the known one that it continues, which is removed from the list."""
    for known in free:
        overlaps = episode.start <= known.end + (GAP if known.open else NONE) and episode.end >= known.start
        if known.entity == episode.entity and overlaps and _same_metrics(known, episode):
            free.remove(known)
            start = min(known.start, episode.start)
            return replace(episode, id=known.id, start=start, severity=max(known.severity, episode.severity))
    return episode


def _same_metrics(known: Episode, episode: Episode) -> bool:
    """Whether a metric moved in both, as far as anybody knows which did: else they are of different faults."""
    own, other = ({mover.series.metric for mover in one.movers} for one in (known, episode))
    return not own or not other or bool(own & other)


def _similar(episode: Episode, other: Episode) -> bool:
    """Whether two episodes are similar: the same metric of the same entity moved most."""
    return (episode.entity, episode.lead) == (other.entity, other.lead)


def _suppressed(episode: Episode, verdict: Verdict) -> SuppressedEpisode:
    called, date = verdict.said.value, str(verdict.at)[:10]
    on_itself = verdict.episode.id == episode.id
    reason = f"called {called} on {date}"
    if not on_itself:
        reason = f"episode {verdict.episode.id} was called {called} on {date}: {verdict.effect}"
    return SuppressedEpisode(episode=episode, why=SuppressionReason.FEEDBACK, reason=reason, because=verdict.episode.id)


def _same_time(time: np.datetime64, other: np.datetime64) -> bool:
    """Whether two times are about the same time of day."""
    distance = abs(time - other) % DAY
    return bool(min(distance, DAY - distance) <= ABOUT)
