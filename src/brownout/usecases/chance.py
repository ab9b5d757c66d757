"""Chance: what a fleet of this size shows every day without anything being wrong is kept, but not alarmed."""

from collections.abc import Sequence
from dataclasses import dataclass

from brownout.detection.forest import IsolationForestDetector
from brownout.detection.memory import Memory
from brownout.diagnosis.grouping import group_episodes
from brownout.diagnosis.observation import IncidentWindow
from brownout.domain.findings import Episode, Quiet, Why
from brownout.domain.ports import SampleStore
from brownout.settings import Settings

__all__ = ["Sorted", "sort_by_chance"]

TOGETHER = 3
"""Entities of one host that deviate at one time: so many are no chance, however little each of them does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """Episodes that raise an alarm, and those that chance explains."""

    episodes: tuple[Episode, ...]
    quiet: tuple[Quiet, ...] = ()


def sort_by_chance(
    store: SampleStore,
    found: Sequence[Episode],
    detector: IsolationForestDetector,
    settings: Settings,
    memory: Memory | None = None,
) -> Sorted:
    """Keep incidents that ordinary days of all entities together reach at most ``detect.false_alarms_a_day`` times.

    How often that is comes from the tail of ordinary peaks that the detector has learned for each kind of entity. An
    incident counts by the episode that chance explains least. Kept are also incidents of several entities, what was
    alarmed the night before, and what people called true.
    """
    memory = memory or Memory()
    topology = store.topology
    kinds = {name: topology[name].kind for name in store.spans()}
    quiet: list[Quiet] = []
    for window in group_episodes(found, topology):
        if len({episode.entity for episode in window.episodes}) >= TOGETHER or _known(window, memory):
            continue
        often = min(len(kinds) * detector.ordinary(kinds.get(e.entity, ""), e.severity) for e in window.episodes)
        if often > settings.detect.false_alarms_a_day:
            reason = f"{len(kinds):,} entities show as much {often:,.0f} times a day by chance"
            quiet += [Quiet(episode=e, why=Why.CHANCE, reason=reason, because=e.lead) for e in window.episodes]
    muted = {one.episode.id for one in quiet}
    return Sorted(episodes=tuple(e for e in found if e.id not in muted), quiet=tuple(quiet))


def _known(window: IncidentWindow, memory: Memory) -> bool:
    """Whether an episode was alarmed the night before, or one like it has been called true."""
    return any(episode.id in memory.alarmed or memory.vouched(episode) for episode in window.episodes)
