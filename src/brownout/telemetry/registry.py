"""Registry: the entities that tags name while a slice is read, and what is configured for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from brownout.domain.entities import Entity

__all__ = ["Registry", "merged"]


@dataclass(eq=False)
class Registry:
    """Entities seen so far; what an entity's own measurement says wins over what another mentions, then the latest."""

    found: dict[str, tuple[tuple[int, int], Entity]] = field(default_factory=dict)
    facts: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)

    def add(self, chain: Sequence[Entity], last: int, facts: Mapping[str, str]) -> None:
        """Enter an entity and its ancestors, seen last at a time, with labels that hold for the entity since then.

        A label of no text says that the entity no longer has it.
        """
        for depth, entity in enumerate(chain):
            rank = (-depth, last)
            known = self.found.get(entity.id)
            if known is None or rank >= known[0]:
                self.found[entity.id] = (rank, entity)
        for label, value in facts.items():
            key = (chain[0].id, label)
            if key not in self.facts or last >= self.facts[key][0]:
                self.facts[key] = (last, value)

    def entities(self) -> tuple[Entity, ...]:
        """All of them by kind and id."""
        labels: dict[str, dict[str, str]] = {}
        for (entity, label), (_, value) in self.facts.items():
            labels.setdefault(entity, {})[label] = value
        whole = (replace(e, labels={**labels.get(e.id, {}), **e.labels}) for _, e in self.found.values())
        return tuple(sorted(whole, key=lambda e: (e.kind, e.id)))


def merged(known: Entity | None, found: Entity) -> Entity:
    """What is known of an entity with what was found later: labels, and a parent where one is named.

    Labels stay until they are found with another value; one found without any text goes.
    """
    if known is None:
        return replace(found, labels={name: value for name, value in found.labels.items() if value})
    labels = {name: value for name, value in {**known.labels, **found.labels}.items() if value}
    return replace(found, parent=found.parent or known.parent, labels=labels)
