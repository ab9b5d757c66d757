"""From episodes to incidents: what happens at one time on one host is one incident."""

import hashlib
from collections.abc import Sequence

import numpy as np

from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.domain.entities import Topology
from brownout.domain.findings import Episode

__all__ = ["group_episodes"]

GAP = np.timedelta64(20 * 60_000, "ms")
"""Episodes closer than this on one host belong together."""


def group_episodes(episodes: Sequence[Episode], topology: Topology) -> tuple[IncidentWindow, ...]:
    """Incidents in order of their start; their entities are all that hung on the same root then."""
    roots: dict[str, list[Episode]] = {}
    for episode in sorted(episodes, key=lambda e: (e.start, e.entity)):
        roots.setdefault(topology.root(episode.entity, episode.start), []).append(episode)
    windows = []
    for root, members in roots.items():
        group: list[Episode] = []
        for episode in members:
            if group and episode.start > max(e.end for e in group) + GAP:
                windows.append(_window(root, group, topology))
                group = []
            group.append(episode)
        windows.append(_window(root, group, topology))
    return tuple(sorted(windows, key=lambda window: (window.start, window.id)))


def _window(root: str, group: list[Episode], topology: Topology) -> IncidentWindow:
    start = min(episode.start for episode in group)
    return IncidentWindow(
        id=hashlib.sha256(f"{root}\n{start}".encode()).hexdigest()[:12],
        start=start,
        end=max(episode.end for episode in group),
        entities=topology.at(start).related(root),
        episodes=tuple(group),
        open=any(episode.open for episode in group),
    )
