"""From episodes to incidents: what happens at one time on one host is one incident."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.domain.entities import Topology
from brownout.domain.findings import Episode

__all__ = ["group_episodes", "overlapping", "parts_by_onset", "window_of"]

GAP = np.timedelta64(20 * 60_000, "ms")
"""Episodes closer than this on one host belong together."""
APART = np.timedelta64(3_600_000, "ms")
"""Episodes of unrelated entities that begin so long after each other are different incidents."""


def group_episodes(episodes: Sequence[Episode], topology: Topology) -> tuple[IncidentWindow, ...]:
    """Incidents in order of their start; their entities are all that hung on the same root meanwhile."""
    roots: dict[str, list[Episode]] = {}
    for episode in sorted(episodes, key=lambda e: (e.start, e.entity)):
        roots.setdefault(topology.root(episode.entity, episode.start), []).append(episode)
    windows = []
    for members in roots.values():
        group: list[Episode] = []
        for episode in members:
            if group and episode.start > max(e.end for e in group) + GAP:
                windows.append(window_of(group, topology))
                group = []
            group.append(episode)
        windows.append(window_of(group, topology))
    return tuple(sorted(windows, key=lambda window: (window.start, window.id)))


def parts_by_onset(window: IncidentWindow, topology: Topology) -> tuple[IncidentWindow, ...]:
    """An incident in parts that began at different times at entities of which none hangs on the other."""
    groups: list[list[Episode]] = []
    for episode in sorted(window.episodes, key=lambda e: (e.start, e.entity)):
        related = {episode.entity, *topology.ancestors(episode.entity), *topology.descendants(episode.entity)}
        own = [
            group
            for group in groups
            if episode.start - group[-1].start <= APART
            or any(other.entity in related and overlapping(other, episode) for other in group)
        ]
        groups = [group for group in groups if group not in own]
        groups.append(sorted((e for group in (*own, [episode]) for e in group), key=lambda e: (e.start, e.entity)))
    return tuple(
        replace(window_of(group, topology), entities=window.entities, explained=window.explained) for group in groups
    )


def overlapping(one: Episode | IncidentWindow, other: Episode | IncidentWindow) -> bool:
    """Whether two spans overlap, or nearly."""
    return bool(one.start <= other.end + GAP and other.start <= one.end + GAP)


def window_of(group: Sequence[Episode], topology: Topology) -> IncidentWindow:
    """The incident of some episodes of one host; its entities are all that hung on the host meanwhile."""
    first = min(group, key=lambda episode: (episode.start, episode.entity))
    start, end = first.start, max(episode.end for episode in group)
    return IncidentWindow(
        id=hashlib.sha256(f"{first.entity}\n{start}".encode()).hexdigest()[:12],
        start=start,
        end=end,
        entities=topology.related_during(first.entity, start, end),
        episodes=tuple(group),
        open=any(episode.open for episode in group),
    )
