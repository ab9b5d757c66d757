"""Which entities are most like another one: whose past stands in for that of what is new."""

from collections.abc import Sequence

from brownout.domain.entities import Entity

__all__ = ["PEERS", "most_similar"]

PEERS = 7
"""Peers that a newcomer is given at most: for detection one for each day that is looked back."""


def most_similar(newcomer: Entity, candidates: Sequence[Entity]) -> list[Entity]:
    """The candidates most like a newcomer: of its group, site and parent, with its labels, then by id."""

    def likeness(other: Entity) -> float:
        place = sum((other.group == newcomer.group, other.site == newcomer.site, other.parent == newcomer.parent))
        names = {*newcomer.labels, *other.labels}
        same = sum(newcomer.labels.get(name) == other.labels.get(name) for name in names)
        return place + same / max(len(names), 1)

    return sorted(candidates, key=lambda other: (-likeness(other), other.id))[:PEERS]
