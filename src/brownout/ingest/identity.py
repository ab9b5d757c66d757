"""Identity: names that mean two things at once, told apart by kind and by place.

An agent inside a guest writes the guest's name as its ``host``; two hosts may each run a guest of one name; a guest may
itself be a hypervisor. Which is which is seen from what stands below what, never from the names themselves.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from brownout.domain.entities import Entity, EntityKind
from brownout.domain.repairs import Repair
from brownout.ingest.entity_registry import Sighting
from brownout.ingest.mapping import MeasurementSource
from brownout.ingest.other_names import NAMES, TITLE, GuestName, OtherNames, short_name

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
        Ids of guests by their names without regard to case.
    hypervisors
        Hosts that have guests.
    recalled_apart
        What was in ``apart`` before anything was read.
    declared
        Patterns of hosts that a site says are hosts, whatever guests are called.
    others
        Further names of hosts and guests.
    """

    apart: set[str] = field(default_factory=set)
    guests: dict[str, str] = field(default_factory=dict)
    hypervisors: set[str] = field(default_factory=set)
    recalled_apart: frozenset[str] = frozenset()
    declared: tuple[str, ...] = ()
    others: OtherNames = field(default_factory=OtherNames)
    _before: frozenset[str] = frozenset()

    @classmethod
    def recalled(cls, known: Sequence[Entity], keys: Sequence[str] = ()) -> "Identity":
        """The names known from the entities of a history; ``keys`` are the labels that outlast a guest's name."""
        identity = cls(others=OtherNames.recalled(known, keys))
        for entity in known:
            if entity.kind == EntityKind.VM:
                plain = entity.id.removeprefix(f"{entity.parent}/") if entity.parent else entity.id
                named = (entity.labels.get(label, "") for label in (*NAMES, TITLE))
                identity.guests |= {name.casefold(): entity.id for name in (*named, plain) if name}
                identity.apart |= {plain} - {entity.id}
                identity.hypervisors |= {entity.parent} - {""}
        identity._before = identity.recalled_apart = frozenset(identity.apart)
        return identity

    def see(self, source: MeasurementSource, tags: Mapping[str, str], span: tuple[int, int]) -> None:
        """The names in the tags of a series of the source that was written from a first to a last time (ms)."""
        host = next((rule.name(tags) for rule in source.entity if rule.kind == EntityKind.HOST), "")
        if host:
            measures = source.entity[0].kind not in (EntityKind.LINK, EntityKind.CONSOLE)
            self.others.see_host(host, source.measurement if measures else "", span)
        guest = next((rule.name(tags) for rule in source.entity if rule.kind == EntityKind.VM), "")
        if guest and tags.get(source.key):
            title, owner, *_ = [tags.get(tag, "") for tag in source.title] + ["", ""]
            key = (source.key, tags[source.key])
            name = GuestName(key=key, name=guest, measurement=source.measurement, title=title, owner=owner)
            self.others.see_guest(name, span)
        elif guest:
            self.others.see_keyless(guest)

    def renamed(
        self, source: MeasurementSource, tags: Mapping[str, str], host_tags: frozenset[str]
    ) -> Mapping[str, str]:
        """Tags with one name for each host and guest."""
        if not self.others.guests and not self.others.hosts and not self.others.apart:
            return tags
        guest_tags = source.naming(EntityKind.VM)
        own = self._apart_by_key(source, tags)
        if own:
            guests = guest_tags - {source.key} or guest_tags
            return {
                tag: own if tag in guests else self.others.hosts.get(value, value) if tag in host_tags else value
                for tag, value in tags.items()
            }
        return {
            tag: self.others.guests.get(value, value)
            if tag in guest_tags
            else self.others.hosts.get(value, value)
            if tag in host_tags
            else value
            for tag, value in tags.items()
        }

    def repaired(
        self, source: MeasurementSource, written: Mapping[str, str], named: Mapping[str, str]
    ) -> Iterator[tuple[Repair, str]]:
        """What is counted of a series whose names stand for others; names given by owners are no repair."""
        own = self._apart_by_key(source, written)
        changed = {tag: name for tag, name in written.items() if named[tag] != name}
        if own:
            yield Repair.TOLD_APART, own
            changed = {tag: name for tag, name in changed.items() if named[tag] != own}
        yield from ((Repair.OTHER_NAME, name) for name in changed.values() if name not in self.others.titled)

    def _apart_by_key(self, source: MeasurementSource, tags: Mapping[str, str]) -> str:
        """Id of a guest that shares its name with others but has a key of its own; "" for every other guest."""
        return self.others.apart.get((source.key, tags.get(source.key, "")), "")

    def learn(self) -> bool:
        """Learn from the names seen; returns whether the meaning of any name has changed."""
        new = self.others.learn(self.hypervisors)
        if new:
            self.apart = set(self.recalled_apart)  # of hosts that are one now, no two run a guest of one name
            self.guests |= {name.casefold(): guest for name, guest in self.others.guests.items()}
        self.apart |= self.both()
        before, self._before = self._before, frozenset(self.apart)
        return new or self._before != before

    def named(self, chain: Sequence[Entity]) -> tuple[Entity, ...]:
        """An entity and its ancestors, with the host in the ids of a guest that is told apart and of what is in it."""
        guest = next((position for position, entity in enumerate(chain) if entity.kind == EntityKind.VM), None)
        if guest is None:
            return tuple(chain)
        host = chain[guest].parent
        self.guests.setdefault(chain[guest].id.casefold(), chain[guest].id)
        if host:
            self.hypervisors.add(host)
        if not host or chain[guest].id not in self.apart:
            return tuple(chain)
        below = [
            replace(e, id=f"{host}/{e.id}", parent=e.parent if position == guest else f"{host}/{e.parent}")
            for position, e in enumerate(chain[: guest + 1])
        ]
        return (*below, *chain[guest + 1 :])

    def in_guest(self, chain: Sequence[Entity]) -> str:
        """Id of the guest that the host of a chain really is; "" where it is a host."""
        kinds = {entity.kind for entity in chain}
        if not chain or chain[-1].kind != EntityKind.HOST or EntityKind.VM in kinds:
            return ""
        host = chain[-1].id
        if host in self.hypervisors or any(fnmatchcase(host, pattern) for pattern in self.declared):
            return ""
        for name in (host.casefold(), short_name(host).casefold()):
            if name in self.guests:
                return self.guests[name]
        alike = {guest for name, guest in self.guests.items() if short_name(name) == host.casefold()}
        return alike.pop() if len(alike) == 1 else ""

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
