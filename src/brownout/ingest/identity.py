"""Identity: names that mean two things at once, told apart by kind and by place.

An agent inside a guest writes the guest's name as its ``host``; two hosts may each run a guest of one name; a guest may
itself be a hypervisor. Which is which is seen from what stands below what, never from the names themselves.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from brownout.domain.entities import Entity, EntityKind
from brownout.ingest.entity_registry import Sighting

__all__ = ["LONGEST_MIGRATION_MS", "Identity", "overlap_ms"]

LONGEST_MIGRATION_MS = 3_600_000
"""Two hosts that write about one guest for longer than this do not hand it over: they run two guests."""


@dataclass(eq=False)
class Identity:
    """Guests and hypervisors seen so far.

    Attributes
    ----------
    apart
        Names of guests that are called by their host too: ``kvm1/web01``.
    guests
        Ids of guests by their name without regard to case.
    hypervisors
        Hosts that have guests.
    """

    apart: set[str] = field(default_factory=set)
    guests: dict[str, str] = field(default_factory=dict)
    hypervisors: set[str] = field(default_factory=set)

    @classmethod
    def recalled(cls, known: Iterable[Entity]) -> "Identity":
        """What the entities of a history say."""
        found = cls()
        for entity in known:
            if entity.kind == EntityKind.VM:
                plain = entity.id.removeprefix(f"{entity.parent}/") if entity.parent else entity.id
                found.guests[plain.casefold()] = entity.id
                found.apart |= {plain} - {entity.id}
                found.hypervisors |= {entity.parent} - {""}
        return found

    def named(self, chain: Sequence[Entity]) -> tuple[Entity, ...]:
        """An entity and its ancestors, with the host in the ids of a guest that is told apart and of what is in it."""
        guest = next((place for place, entity in enumerate(chain) if entity.kind == EntityKind.VM), None)
        if guest is None:
            return tuple(chain)
        host = chain[guest].parent
        self.guests.setdefault(chain[guest].id.casefold(), chain[guest].id)
        if host:
            self.hypervisors.add(host)
        if not host or chain[guest].id not in self.apart:
            return tuple(chain)
        below = [
            replace(e, id=f"{host}/{e.id}", parent=e.parent if place == guest else f"{host}/{e.parent}")
            for place, e in enumerate(chain[: guest + 1])
        ]
        return (*below, *chain[guest + 1 :])

    def in_guest(self, chain: Sequence[Entity]) -> str:
        """Id of the guest that the host of a chain really is; "" where it is a host."""
        kinds = {entity.kind for entity in chain}
        if not chain or chain[-1].kind != EntityKind.HOST or EntityKind.VM in kinds:
            return ""
        return "" if chain[-1].id in self.hypervisors else self.guests.get(chain[-1].id.casefold(), "")

    def both(self) -> set[str]:
        """Names of guests that are hypervisors themselves and not told apart yet."""
        return {plain for plain in self.guests.values() if plain in self.hypervisors} - self.apart


def overlap_ms(sightings: Sequence[Sighting]) -> int:
    """How long an entity was seen at two parents at once, in all."""
    by_parent: dict[str, list[Sighting]] = {}
    for sighting in sightings:
        by_parent.setdefault(sighting.parent, []).append(sighting)
    return max((_shared(by_parent, parent) for parent in by_parent), default=0) if len(by_parent) > 1 else 0


def _shared(by_parent: Mapping[str, Sequence[Sighting]], parent: str) -> int:
    return sum(
        max(0, min(own.last, other.last) - max(own.first, other.first))
        for name, others in by_parent.items()
        if name != parent
        for own in by_parent[parent]
        for other in others
    )
