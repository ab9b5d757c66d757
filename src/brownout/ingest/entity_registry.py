"""Registry: the entities that tags name while a slice is read, their parents over time, and their labels."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from brownout.domain.entities import Entity

__all__ = ["Registry", "Sighting", "merged", "placements_of"]


@dataclass(frozen=True, slots=True, order=True)
class Sighting:
    """An entity seen at a parent from ``first`` to ``last``, ms."""

    first: int
    last: int
    parent: str


@dataclass(eq=False)
class Registry:
    """Entities seen so far; an entity's own measurement outranks one that only mentions it, then the latest wins.

    ``slot_ms`` is the width of a slot: an entity that moves is at its new parent from the first slot on that it shares
    with no row of the old one.
    """

    slot_ms: int
    ranked_entities: dict[tuple[str, str], tuple[tuple[int, int], Entity]] = field(default_factory=dict)
    sightings: dict[str, dict[int, list[Sighting]]] = field(default_factory=dict)
    facts: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)

    def add(
        self,
        chain: Sequence[Entity],
        runs: Sequence[tuple[int, int]],
        facts: Mapping[str, str],
        *,
        configured_only: bool = False,
    ) -> None:
        """Enter an entity and its ancestors, seen in runs of first to last time, with labels that hold since then.

        A label of no text says that the entity no longer has it. ``configured_only`` places an entity
        only where nothing else does: configurations also describe guests that are not running.
        """
        last = runs[-1][1]
        for depth, entity in enumerate(chain):
            rank = (-depth, last)
            known = self.ranked_entities.get((entity.id, entity.parent))
            if known is None or rank >= known[0]:
                self.ranked_entities[entity.id, entity.parent] = (rank, entity)
            own_sightings = self.sightings.setdefault(entity.id, {}).setdefault(
                len(chain) if configured_only else depth, []
            )
            own_sightings += [Sighting(first, until, entity.parent) for first, until in runs]
        for label, value in facts.items():
            key = (chain[0].id, label)
            if key not in self.facts or last >= self.facts[key][0]:
                self.facts[key] = (last, value)

    def note(self, entity: str, label: str, value: str) -> None:
        """A label that holds from now on."""
        self.facts[entity, label] = (np.iinfo(np.int64).max, value)

    def entities(self) -> tuple[Entity, ...]:
        """All of them by kind and id, with the parents that each had one after the other."""
        labels: dict[str, dict[str, str]] = {}
        for (entity, label), (_, value) in self.facts.items():
            labels.setdefault(entity, {})[label] = value
        placed = (self._placed(name, _best(by_depth)) for name, by_depth in self.sightings.items())
        whole = (replace(e, labels={**labels.get(e.id, {}), **e.labels}) for e in placed)
        return tuple(sorted(whole, key=lambda e: (e.kind, e.id)))

    def _placed(self, name: str, sightings: Iterable[Sighting]) -> Entity:
        placements = placements_of(sightings, self.slot_ms)
        times = [(np.datetime64(start, "ms"), parent) for start, parent in placements]
        return self.ranked_entities[name, placements[-1][1]][1].placed(times)


def _best(by_depth: Mapping[int, list[Sighting]]) -> list[Sighting]:
    """Sightings by the entity's own measurements, of those that name a parent where any does."""
    named = {depth: [sighting for sighting in sightings if sighting.parent] for depth, sightings in by_depth.items()}
    depth = min((depth for depth, sightings in named.items() if sightings), default=None)
    return by_depth[min(by_depth)] if depth is None else named[depth]


def placements_of(sightings: Iterable[Sighting], slot_ms: int) -> list[tuple[int, str]]:
    """Parents with the start (ms) of the slot that each is the parent from, in order.

    A parent goes on until it is no longer seen: what is seen elsewhere meanwhile takes over then, or never does. While
    a guest migrates, its old host and its new one write about it.
    """
    first, *others = sorted(sightings)
    placements, last = [(first.first // slot_ms * slot_ms, first.parent)], first.last
    for sighting in others:
        if sighting.parent != placements[-1][1] and sighting.last > last:
            start = max(sighting.first // slot_ms, last // slot_ms + 1) * slot_ms
            placements.append((start, sighting.parent))
        if sighting.parent == placements[-1][1]:
            last = max(last, sighting.last)
    return placements


def merged(known: Entity | None, newer: Entity, since: np.datetime64 | None = None) -> Entity:
    """A known entity, updated from its newer description: the labels, and the parent where one is named.

    A label stays until it is seen with another value, and is removed when it is seen empty. The parents that were seen
    hold from the time ``since`` on; without such a time they replace all known ones.
    """
    if known is None:
        return replace(newer, labels={name: value for name, value in newer.labels.items() if value})
    labels = {name: value for name, value in {**known.labels, **newer.labels}.items() if value}
    if not newer.parent:
        return replace(newer, parent=known.parent, former=known.former, labels=labels)
    if since is None:
        return replace(newer, labels=labels)
    moment = np.timedelta64(1, "ms")
    placements = [(since - moment, known.parent_at(since - moment)), (since, newer.parent_at(since))]
    placements += [(until, newer.parent_at(until)) for until, _ in newer.former if until > since]
    before = tuple((until, parent) for until, parent in known.former if until < since)
    later = newer.placed([(start, parent) for start, parent in placements if parent])
    return replace(later, former=before + later.former, labels=labels)
