"""Which entities are most similar to a newcomer: their history stands in for the history that it lacks."""

from collections.abc import Sequence

from brownout.domain.entities import Entity

__all__ = ["PEERS", "most_similar"]

PEERS = 7
"""Most peers of a newcomer: for detection, one for each day of the baseline."""


def most_similar(newcomer: Entity, candidates: Sequence[Entity]) -> list[Entity]:
    """The candidates most similar to a newcomer: by group, site and parent, then by labels, then by id."""

    def likeness(other: Entity) -> float:
        shared = sum((other.group == newcomer.group, other.site == newcomer.site, other.parent == newcomer.parent))
        names = {*newcomer.labels, *other.labels}
        equal_labels = sum(newcomer.labels.get(name) == other.labels.get(name) for name in names)
        return shared + equal_labels / max(len(names), 1)

    return sorted(candidates, key=lambda other: (-likeness(other), other.id))[:PEERS]
