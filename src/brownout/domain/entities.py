"""Entities and how they hang together."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

from brownout.domain.errors import DataError

__all__ = ["Entity", "Topology"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """Something that is measured: a host, vm, console, disk, interface, link, or a service of a generic data set.

    Attributes
    ----------
    id
        Stable identity: the UUID of a guest, else the name its collector uses.
    parent
        Id of what it runs on or belongs to: a console's vm, a vm's host, a disk's host; "" for none.
    group
        A diagnosis sees only entities of one group at a time; "" for all in one.
    labels
        Further static columns, e.g. ``site``, ``vantage``, ``medium``, ``cores``.
    named_by
        Labels that name it in its source, such as the tags ``host`` and ``domain_name``; none where nothing says.
    """

    id: str
    kind: str = "entity"
    parent: str = ""
    site: str = ""
    group: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    named_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Topology:
    """Entities by id with their parents and children."""

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

    def ancestors(self, entity: str) -> tuple[str, ...]:
        """Ids from the parent upwards; a cycle ends where it closes."""
        found: list[str] = []
        parent = self[entity].parent
        while parent and parent not in found and parent != entity:
            found.append(parent)
            parent = self[parent].parent
        return tuple(found)

    def descendants(self, entity: str) -> tuple[str, ...]:
        """Ids of everything below, breadth first."""
        found: list[str] = []
        queue = list(self.children.get(entity, ()))
        while queue:
            child = queue.pop(0)
            if child not in found and child != entity:
                found.append(child)
                queue.extend(self.children.get(child, ()))
        return tuple(found)

    def root(self, entity: str) -> str:
        """The topmost ancestor, usually the host; the entity itself where it has none."""
        return (self.ancestors(entity) or (entity,))[-1]

    def related(self, entity: str) -> tuple[str, ...]:
        """The entity, everything above and below it, and what else hangs on the same root."""
        root = self.root(entity)
        return (root, *self.descendants(root))
