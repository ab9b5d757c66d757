"""Moves: on another host a guest does what it did, but what is usual of it is something else; that is no brownout."""

from collections.abc import Mapping, Sequence

import numpy as np

from brownout.domain.findings import Episode, SuppressedEpisode, SuppressionReason
from brownout.domain.metrics import Metric
from brownout.domain.panel import Float, Panel
from brownout.numerics.order_statistics import median

__all__ = ["relocation_episodes"]

BEFORE, AFTER = np.timedelta64(30, "m"), np.timedelta64(60, "m")
"""An episode is of a move when it begins so long before the guest runs elsewhere (it is copied), or so long after."""


def relocation_episodes(
    found: Sequence[Episode], panel: Panel, moves: Mapping[str, Mapping[np.datetime64, str]]
) -> tuple[SuppressedEpisode, ...]:
    """Episodes that began when something moved, with no rule raised and no mover beyond its limit within.

    ``moves`` are times of moves and who moved, by the entities that feel them; ``panel`` holds the episodes.
    """
    quiet = []
    for episode in found:
        near = [
            (time, mover)
            for time, mover in moves.get(episode.entity, {}).items()
            if time - BEFORE <= episode.start <= time + AFTER
        ]
        if near and not episode.rules and not _harmful(episode, panel):
            time, mover = min(near, key=lambda one: abs(one[0] - episode.start))
            reason = f"{mover} moved to another host at {time.astype('datetime64[m]')}Z, and no limit is crossed"
            quiet.append(SuppressedEpisode(episode=episode, why=SuppressionReason.MOVED, reason=reason, because=mover))
    return tuple(quiet)


def _harmful(episode: Episode, panel: Panel) -> bool:
    """Whether a metric that moved is beyond its limit for most of the episode."""
    row = panel.entity_ids.index(episode.entity)
    span = slice(max(panel.slot(episode.start), 0), panel.slot(episode.end) + 1)
    columns = {metric.name: place for place, metric in enumerate(panel.metrics)}
    places = {columns[mover.series.metric] for mover in episode.movers if mover.series.metric in columns}
    return any(_beyond(panel.values[row, span, place], panel.metrics[place]) for place in places)


def _beyond(values: Float, metric: Metric) -> bool:
    """Whether the median of what was measured is beyond the metric's limit."""
    return bool(metric.exceeds(median(values)))
