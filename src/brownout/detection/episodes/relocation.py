"""Episodes that a migration or a new guest made: other usual values of a guest and its host, which is no brownout."""

from collections.abc import Mapping, Sequence

import numpy as np

from brownout.domain.entities import EntityKind, Topology
from brownout.domain.findings import Episode, SuppressedEpisode, SuppressionReason
from brownout.domain.metrics import Metric
from brownout.domain.panel import Float, Panel
from brownout.domain.ports import Span
from brownout.numerics.order_statistics import median

__all__ = ["first_starts", "relocation_episodes"]

BEFORE, AFTER = np.timedelta64(30, "m"), np.timedelta64(60, "m")
"""An episode belongs to a migration that ends at most so long after it begins (the guest is copied), or before."""
LATER = np.timedelta64(12 * 60, "m")
"""A guest that was first measured so long after its host is new; before, the measurements themselves began."""

Changes = Mapping[str, Mapping[np.datetime64, str]]
"""By each entity that a change is felt at: its times, and the guest that it was made with."""


def first_starts(topology: Topology, spans: Mapping[str, Span]) -> Changes:
    """When guests that are new were first measured, by what feels it: the guest, its host, and the parts of both.

    A new guest takes memory of its host for good; ``spans`` are when each entity was measured.
    """
    guests = {entity.id for entity in topology if entity.kind == EntityKind.VM}
    table: dict[str, dict[np.datetime64, str]] = {}
    for guest in sorted(guests & spans.keys()):
        host = topology.root(guest, spans[guest].first)
        if host in spans and host != guest and spans[guest].first - spans[host].first >= LATER:
            parts = [part for part in topology.children.get(host, ()) if part not in guests]
            for name in (guest, *topology.descendants(guest), host, *parts):
                table.setdefault(name, {})[spans[guest].first] = guest
    return table


def relocation_episodes(
    episodes: Sequence[Episode], panel: Panel, moves: Changes, starts: Changes | None = None
) -> tuple[SuppressedEpisode, ...]:
    """Episodes that began at a migration or with a new guest, without a rule raised or a metric beyond its limit.

    ``moves`` are migrations, ``starts`` the first starts of new guests; ``panel`` holds the slots of the episodes.
    """
    changes = [(moves, "moved to another host"), ({} if starts is None else starts, "is new, and was first measured")]
    suppressed = []
    for episode in episodes:
        near = [
            (time, mover, what)
            for table, what in changes
            for time, mover in table.get(episode.entity, {}).items()
            if any(time - BEFORE <= begun <= time + AFTER for begun in _begun(episode))
        ]
        if near and not episode.rules and not _harmful(episode, panel):
            time, mover, what = min(near, key=lambda change: abs(change[0] - episode.start))
            reason = f"{mover} {what} at {time.astype('datetime64[m]')}Z, and no limit is crossed"
            suppressed.append(
                SuppressedEpisode(episode=episode, why=SuppressionReason.MOVED, reason=reason, because=mover)
            )
    return tuple(suppressed)


def _begun(episode: Episode) -> tuple[np.datetime64, ...]:
    """When an episode began, and when what moved most in it did: that takes a while to be noticed."""
    return (episode.start, *(mover.onset for mover in episode.movers[:1]))


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
