"""The truth that nightly reports are judged by: incidents with every name that is right, and harmless events."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from brownout.domain.entities import Topology
from brownout.domain.truth import Incident

__all__ = ["Harmless", "Labelled", "NightTruth"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """An incident with every name that is right for it.

    ``entities`` and ``causes`` name it as well as its own (a disk and its host, a leak and the swapping it leads to),
    ``roots`` are the hosts that it is of, ``family`` is its cause's; ``ongoing`` where it had not ended with the data.
    ``seen_from`` is when it can be seen, where that is later than it begins.
    ``shows`` are the (entity, metric) that the fault moves; empty where that is not known.
    """

    incident: Incident
    roots: frozenset[str]
    family: str = ""
    entities: frozenset[str] = frozenset()
    causes: frozenset[str] = frozenset()
    ongoing: bool = False
    seen_from: np.datetime64 | None = None
    shows: frozenset[tuple[str, str]] = frozenset()

    @property
    def onset(self) -> np.datetime64:
        """When it began to act, as far as that is known."""
        return self.incident.start if self.incident.onset is None else self.incident.onset

    def start_error_s(self, start: np.datetime64) -> float:
        """Seconds from a start that was told to the time between its onset and when it can be seen; 0 within."""
        visible = self.incident.start if self.seen_from is None else max(self.seen_from, self.incident.start)
        early, late = self.onset - start, start - visible
        return float(max(early, late, np.timedelta64(0, "ms")) / np.timedelta64(1000, "ms"))

    def names(self, entity: str) -> bool:
        """Whether an entity is right."""
        return entity == self.incident.entity or entity in self.entities

    def explains(self, cause: str) -> bool:
        """Whether a cause is right."""
        return cause == self.incident.cause or cause in self.causes

    def moves(self, entity: str, metric: str) -> bool:
        """Whether a metric of an entity is one that the fault moves, or is of it where nobody knows which are."""
        return (entity, metric) in self.shows if self.shows else self.names(entity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Harmless:
    """An event that is no fault; telling one of ``causes`` of it without an alarm is right.

    ``kind`` and ``entity`` say what it is and where, for people.
    """

    root: str
    start: np.datetime64
    end: np.datetime64
    causes: frozenset[str] = frozenset()
    kind: str = ""
    entity: str = ""


@dataclass(frozen=True, kw_only=True)
class NightTruth:
    """Incidents, harmless events, the host of each entity (``roots``) and the family of each cause (``families``)."""

    labels: Sequence[Labelled]
    roots: Mapping[str, str]
    harmless: Sequence[Harmless] = ()
    families: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, incidents: Iterable[Incident], topology: Topology, *, families: Mapping[str, str], end: np.datetime64
    ) -> Self:
        """Build the truth from the labels of a dataset folder whose last sample is before ``end``.

        A part that belongs to a host (a disk, an interface) may be named by it, a console and its guest by each other.
        """
        labels = tuple(
            Labelled(
                incident=incident,
                roots=frozenset([topology.root(incident.entity, incident.start)]),
                family=families.get(incident.cause, incident.cause),
                entities=_same(incident, topology),
                ongoing=bool(incident.end >= end),
            )
            for incident in incidents
        )
        return cls(labels=labels, roots={e.id: topology.root(e.id) for e in topology}, families=families)

    def root(self, entity: str) -> str:
        """The host of an entity; itself where it has none."""
        return self.roots.get(entity, entity)


def _same(incident: Incident, topology: Topology) -> frozenset[str]:
    """Entities that count as an incident's own: the host of a part, the console of a guest, and the reverse."""
    entity = topology[incident.entity]
    if entity.kind == "vm":
        return frozenset(child for child in topology.children.get(entity.id, ()) if topology[child].kind == "console")
    parent = entity.parent_at(incident.start)
    return frozenset([parent] if parent else [])
