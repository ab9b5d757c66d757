"""Repairs: what was wrong with the data and what was done about it, counted."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

__all__ = ["Repair", "Repairs"]


class Repair(StrEnum):
    """A kind of repair; its value is the sentence a report shows."""

    DUPLICATE = "rows with a time seen before: the last row was kept"
    UNORDERED = "rows older than the row before: sorted"
    NON_FINITE = "infinite values: treated as not measured"
    OUT_OF_RANGE = "values outside the metric's valid range: treated as not measured"
    COUNTER_RESET = "counter resets: the rate across the reset was dropped"
    TWICE = "rows of an hour that came twice, since times without a zone were set back: the later ones were kept"
    HELD = "values of what is gathered more seldom than a slot (named here: its source): each held until the next one"
    MERGED = "further rows within one interval: averaged"
    NO_TIME = "rows without a time or an entity: dropped"
    NO_ENTITY = "samples whose tags name no entity (named here: their source): dropped"
    IN_GUEST = "samples of an agent inside a guest, whose host is the guest itself: left out"
    LEFT_OUT = "samples of containers, which share their host's kernel (named here: their source): left out"
    NOT_OWN = "samples of interfaces and disks that are guests' or no real ones (named here: their source): left out"
    OTHER_NAME = "samples under another name of the same host or guest (named here): told as one"
    TOLD_APART = "samples of guests of one name: told apart by host or number"
    ELSEWHERE = "samples of a guest from a host that it was not on: left out"
    DAMAGED = "files of the history that are damaged on disk: left out until the next sync brings their time again"
    RESTORED = "files of the history that were damaged on disk (check the disk): read again from the source"
    LATE = "rows that arrived after their time had been read: added"
    AHEAD = "rows long after everything else that is measured, from a clock that is ahead: left out"
    CLOCK_JUMP = "rows more than 60 days away from the rest of the entity's data: dropped"


@dataclass(frozen=True, slots=True)
class Repairs:
    """How often each repair was made, by entity."""

    counts: Mapping[tuple[Repair, str], int] = field(default_factory=dict)
    rows: int = 0

    @classmethod
    def count(cls, repair: Repair, entities: Iterable[str]) -> Self:
        """Repairs of one kind, one for each mention of an entity."""
        return cls({(repair, entity): number for entity, number in Counter(entities).items()})

    def __add__(self, other: "Repairs") -> "Repairs":
        total = Counter(self.counts)
        total.update(other.counts)
        return Repairs(dict(total), self.rows + other.rows)

    def by_kind(self) -> dict[Repair, int]:
        """Total of each kind that occurred, in the order of the kinds."""
        totals = Counter[Repair]()
        for (repair, _), number in self.counts.items():
            totals[repair] += number
        return {repair: totals[repair] for repair in Repair if totals[repair]}

    def by_entity(self) -> dict[str, int]:
        """Total of each entity, most first."""
        totals = Counter[str]()
        for (_, entity), number in self.counts.items():
            totals[entity] += number
        return dict(totals.most_common())
