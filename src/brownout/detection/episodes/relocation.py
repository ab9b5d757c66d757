"""Episodes that a migration made: on another host a guest's metrics have other usual values, which is no brownout."""

from collections.abc import Mapping, Sequence

import numpy as np

from brownout.domain.findings import Episode, SuppressedEpisode, SuppressionReason
from brownout.domain.metrics import Metric
from brownout.domain.panel import Float, Panel
from brownout.numerics.order_statistics import median

__all__ = ["relocation_episodes"]

BEFORE, AFTER = np.timedelta64(30, "m"), np.timedelta64(60, "m")
"""An episode belongs to a migration that ends at most so long after it begins (the guest is copied), or before."""


def relocation_episodes(
    episodes: Sequence[Episode], panel: Panel, moves: Mapping[str, Mapping[np.datetime64, str]]
) -> tuple[SuppressedEpisode, ...]:
    """Episodes that began at a migration, with no rule raised and none of their metrics beyond its limit.

    ``moves`` are, by each entity that a migration affects, the times of migrations and the guests that migrated;
    ``panel`` holds the slots of the episodes.
    """
    suppressed = []
    for episode in episodes:
        near = [
            (time, mover)
            for time, mover in moves.get(episode.entity, {}).items()
            if time - BEFORE <= episode.start <= time + AFTER
        ]
        if near and not episode.rules and not _harmful(episode, panel):
            time, mover = min(near, key=lambda move: abs(move[0] - episode.start))
            reason = f"{mover} moved to another host at {time.astype('datetime64[m]')}Z, and no limit is crossed"
            suppressed.append(
                SuppressedEpisode(episode=episode, why=SuppressionReason.MOVED, reason=reason, because=mover)
            )
    return tuple(suppressed)


def _harmful(episode: Episode, panel: Panel) -> bool:
    """Whether a metric of the episode is beyond its limit for most of it."""
    row = panel.entity_ids.index(episode.entity)
    span = slice(max(panel.slot(episode.start), 0), panel.slot(episode.end) + 1)
    columns = {metric.name: column for column, metric in enumerate(panel.metrics)}
    moved = {columns[mover.series.metric] for mover in episode.movers if mover.series.metric in columns}
    return any(_beyond(panel.values[row, span, column], panel.metrics[column]) for column in moved)


def _beyond(values: Float, metric: Metric) -> bool:
    """Whether the median of what was measured is beyond the metric's limit."""
    return bool(metric.exceeds(median(values)))
