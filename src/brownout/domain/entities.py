"""Entities and their topology: what runs on or belongs to what, now and at earlier times."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import Self

import numpy as np

from brownout.domain.encoding import Instant
from brownout.domain.errors import DataError

__all__ = ["NAMED_KINDS", "Entity", "EntityKind", "Topology"]


class EntityKind(StrEnum):
    """The kinds of entities that brownout knows; a generic data set may have others."""

    HOST = "host"
    VM = "vm"
    CONSOLE = "console"
    DISK = "disk"
    """A block device or pool of a host."""
    PATH = "path"
    """A mounted file system of a host."""
    INTERFACE = "interface"
    """A network interface of a host."""
    LINK = "link"
    """A network path from a place of measurement to a host."""
    ENTITY = "entity"
    """Anything whose kind nobody stated."""


NAMED_KINDS = tuple(kind for kind in EntityKind if kind is not EntityKind.ENTITY)
"""Kinds of entities that definitions can name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """Something that is measured: a host, vm, console, disk, interface, link, or a service of a generic data set.

    Attributes
    ----------
    id
        Stable identity: the name by which the history knew it first.
    kind
        What it is: host, vm, console, disk, path, interface, link, another text, or entity where nothing says.
    parent
        Id of what it runs on or belongs to: a console's vm, a vm's host, a disk's host; "" for none. The latest one.
    site
        Where it stands; empty where nothing says.
    group
        A diagnosis sees only entities of one group at a time; "" for all in one.
    labels
        Further static columns, e.g. ``site``, ``vantage``, ``medium``, ``cores``.
    named_by
        Labels that name it in its source, such as the tags ``host`` and ``domain_name``; none where nothing says.
    former
        Earlier parents, in order, each with the time (UTC) until which it was the parent.
    """

    id: str
    kind: str = EntityKind.ENTITY
    parent: str = ""
    site: str = ""
    group: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    named_by: tuple[str, ...] = ()
    former: tuple[tuple[Instant, str], ...] = ()

    def parent_at(self, time: np.datetime64 | None) -> str:
        """The parent at a time; the time None means now."""
        if time is not None:
            for until, parent in self.former:
                if time < until:
                    return parent
        return self.parent

    def placed(self, placements: Sequence[tuple[np.datetime64, str]]) -> "Entity":
        """The entity with its parents, in order, each from a time on; the first one counts for all time before too."""
        former: list[tuple[np.datetime64, str]] = []
        for (_, before), (start, after) in pairwise(placements):
            if before != after:
                former.append((start, before))
        return replace(self, parent=placements[-1][1], former=tuple(former))


@dataclass(frozen=True)
class Topology:
    """Entities by id with their parents and children; those of now unless a time is given."""

    entities: Mapping[str, Entity]

    @classmethod
    def of(cls, entities: Iterable[Entity]) -> Self:
        """Build from entities; two with one id are an error, a parent without a row of its own is kept as a name."""
        table: dict[str, Entity] = {}
        for entity in entities:
            if entity.id in table:
                msg = f"Entity {entity.id!r} is described twice."
                raise DataError(msg, remedy="Keep one row for each entity in entities.csv.")
            table[entity.id] = entity
        return cls(table)

    def __len__(self) -> int:
        return len(self.entities)

    def __iter__(self) -> Iterator[Entity]:
        return iter(self.entities.values())

    def __getitem__(self, entity: str) -> Entity:
        return self.entities.get(entity) or Entity(id=entity)

    @cached_property
    def children(self) -> Mapping[str, tuple[str, ...]]:
        """Ids of the direct children by parent id."""
        table: dict[str, list[str]] = {}
        for entity in self:
            if entity.parent:
                table.setdefault(entity.parent, []).append(entity.id)
        return {parent: tuple(ids) for parent, ids in table.items()}

    def at(self, time: np.datetime64) -> "Topology":
        """The topology at a time; an entity that moved since then has the group of the parent that it had."""
        return self._then(time, past=False)

    def as_of(self, time: np.datetime64) -> "Topology":
        """What was known by a time: the topology then, with where each entity had been before."""
        return self._then(time, past=True)

    def _then(self, time: np.datetime64, *, past: bool) -> "Topology":
        if not self._movers:
            return self
        if past:
            return self._placed(time, past=True)
        parents = tuple(mover.parent_at(time) for mover in self._movers)
        if parents not in self._known:
            self._known[parents] = self._placed(time, past=False)
        return self._known[parents]

    @cached_property
    def _known(self) -> dict[tuple[str, ...], "Topology"]:
        """Topologies of other times by the parents of all that moved."""
        return {}

    def _placed(self, time: np.datetime64, *, past: bool) -> "Topology":
        table = dict(self.entities)
        for mover in self._movers:
            parent = mover.parent_at(time)
            former = tuple((until, before) for until, before in mover.former if past and until <= time)
            table[mover.id] = replace(mover, parent=parent, former=former)
            if parent != mover.parent:
                own = (mover.id, *self.descendants(mover.id))
                table |= {name: replace(table[name], group=self[parent].group) for name in own}
        return Topology(table)

    @cached_property
    def moves(self) -> Mapping[str, Mapping[np.datetime64, str]]:
        """Migrations by each entity that one may be felt at: the times, and the guest that migrated.

        A migration is felt at the guest and everything below it, at the host that it left and the one it went to, and
        at the parts of these hosts (disks, interfaces), but not at their other guests.
        """
        table: dict[str, dict[np.datetime64, str]] = {}
        for mover in self._movers:
            below = (mover.id, *self.descendants(mover.id))
            parents = [*(parent for _, parent in mover.former), mover.parent]
            for (time, _), hosts in zip(mover.former, pairwise(parents), strict=True):
                parts = [part for host in hosts for part in self.children.get(host, ()) if part not in self._movable]
                for name in (*below, *hosts, *parts):
                    table.setdefault(name, {})[time] = mover.id
        return table

    @cached_property
    def _movable(self) -> frozenset[str]:
        """Ids of all entities of a kind of which any ever moved."""
        kinds = {mover.kind for mover in self._movers}
        return frozenset(entity.id for entity in self if entity.kind in kinds)

    def ever(self, entity: str) -> tuple[str, ...]:
        """Ids of all present and earlier ancestors of an entity, from its parents upwards."""
        line = [entity]
        for name in line:
            above = (self[name].parent, *(parent for _, parent in self[name].former))
            line += [parent for parent in dict.fromkeys(above) if parent and parent not in line]
        return tuple(line[1:])

    def groups(self, entity: str) -> tuple[str, ...]:
        """The present group of an entity, and the groups of former parents of it and of its ancestors."""
        line = (entity, *self.ever(entity))
        former = (self[parent].group for name in line for _, parent in self[name].former)
        return tuple(dict.fromkeys((self[entity].group, *former)))

    def stays(
        self, entity: str, start: np.datetime64, end: np.datetime64
    ) -> tuple[tuple[np.datetime64, np.datetime64], ...]:
        """Spans from start until end within which an entity had the same ancestors; one where it never moved."""
        moves = [until for name in (entity, *self.ever(entity)) for until, _ in self[name].former]
        return tuple(pairwise(sorted({start, end, *(until for until in moves if start < until < end)})))

    @cached_property
    def _movers(self) -> tuple[Entity, ...]:
        return tuple(entity for entity in self if entity.former)

    def ancestors(self, entity: str, time: np.datetime64 | None = None) -> tuple[str, ...]:
        """Ids of all ancestors, from the parent upwards; where parents form a cycle each is named once."""
        above: list[str] = []
        parent = self[entity].parent_at(time)
        while parent and parent not in above and parent != entity:
            above.append(parent)
            parent = self[parent].parent_at(time)
        return tuple(above)

    def descendants(self, entity: str) -> tuple[str, ...]:
        """Ids of everything below, breadth first."""
        below: list[str] = []
        queue = list(self.children.get(entity, ()))
        while queue:
            child = queue.pop(0)
            if child not in below and child != entity:
                below.append(child)
                queue.extend(self.children.get(child, ()))
        return tuple(below)

    def root(self, entity: str, time: np.datetime64 | None = None) -> str:
        """The topmost ancestor, usually the host; the entity itself where it has none."""
        return (self.ancestors(entity, time) or (entity,))[-1]

    def related(self, entity: str) -> tuple[str, ...]:
        """Ids of everything with the same topmost ancestor, which itself comes first."""
        root = self.root(entity)
        return (root, *self.descendants(root))

    def related_during(self, entity: str, start: np.datetime64, end: np.datetime64) -> tuple[str, ...]:
        """Ids of what hung on the topmost ancestor that an entity had at ``start``, at any time until ``end``."""
        root = self.root(entity, start)
        moved = sorted({until for mover in self._movers for until, _ in mover.former if start < until <= end})
        return tuple(dict.fromkeys(name for time in (start, *moved) for name in self.at(time).related(root)))
