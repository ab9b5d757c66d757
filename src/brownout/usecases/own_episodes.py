"""The product's own episodes on a data set: night after night, each with a detector that knows only the days before."""

from collections.abc import Iterator

import numpy as np

from brownout.detection.memory import Memory
from brownout.domain.findings import Episode
from brownout.domain.ports import Progress, SampleStore, no_progress
from brownout.settings import Settings
from brownout.telemetry.grid import plan_shards, read_shard
from brownout.usecases.horizon import LEARNED_SHARE, NightSpan, days
from brownout.usecases.search import search
from brownout.usecases.training import fit_detector
from brownout.usecases.watch import DETECTOR_PAST_DAYS

__all__ = ["nights_of", "own_episodes"]


def nights_of(store: SampleStore, settings: Settings, test_start: np.datetime64 | None) -> Iterator[NightSpan]:
    """Windows that follow each other from ``test_start`` on, else from where the learned share of the data ends."""
    whole = NightSpan.of(store, settings)
    window = whole.first + (whole.end - whole.first) * LEARNED_SHARE if test_start is None else test_start
    while window < whole.end:
        end = min(window + days(settings.detect.window_days), whole.end)
        yield NightSpan(first=whole.first, window=window, end=end)
        window = end


def own_episodes(
    store: SampleStore, settings: Settings, nights: tuple[NightSpan, ...], progress: Progress = no_progress
) -> tuple[Episode, ...]:
    """Episodes of all nights as a watch would have found them; what goes on from night to night is one episode."""
    found: dict[str, Episode] = {}
    memory = Memory()
    for done, night in enumerate(nights):
        detector = fit_detector(store, settings, night)
        start = max(night.first, night.window - days(DETECTOR_PAST_DAYS))
        shards = []
        for plan in plan_shards(store, size=settings.shard_size, start=start, end=night.end):
            panel = settings.calendar.without(read_shard(store, plan).panel, store.topology)
            first = min(max(panel.slot(night.window), 1), panel.values.shape[1])
            shards.append(search(store, panel, first, detector, memory, settings))
        episodes = tuple(episode for shard in shards for episode in shard.episodes)
        found |= {episode.id: episode for episode in episodes}
        memory = Memory(known=episodes, shifts=tuple(shift for shard in shards for shift in shard.shifts))
        progress("detect", (done + 1) / len(nights))
    return tuple(found.values())
