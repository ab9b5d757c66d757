"""Reading of a slice: which entities its series name, what was counted on the way, and when each was seen where."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from brownout.domain.entities import Entity, EntityKind
from brownout.domain.repairs import Repair, Repairs
from brownout.ingest.entity_registry import Registry, Sighting
from brownout.ingest.identity import LONGEST_MIGRATION_MS, Identity, overlap_ms
from brownout.ingest.mapping import MeasurementSource
from brownout.ingest.raw import Raw
from brownout.numerics.arrays import Index, Marks

__all__ = ["Reading", "Runs", "ahead", "runs_of", "sightings_of"]

Item = TypeVar("Item")
Result = TypeVar("Result")

Runs = list[tuple[int, int]]
"""First and last time (ms) of each run of rows of a series."""


@dataclass(eq=False)
class Reading:
    """State of reading one slice, which begins at ``first`` (ms): identities, entities and repairs."""

    registry: Registry
    identity: Identity
    first: int
    repairs: Repairs = field(default_factory=Repairs)
    foreign: dict[str, Raw] = field(default_factory=dict)

    def count(self, repair: Repair, name: str, number: int) -> None:
        """Count rows, if there are any."""
        if number:
            self.repairs += Repairs({(repair, name): int(number)})

    def leave_out(self, source: MeasurementSource, raw: Raw, measured: Marks) -> None:
        """Count the measured rows of a source that is recognised but not used."""
        rows = self.rows(raw, np.flatnonzero(measured))
        number = sum(count for series, count in rows.items() if source.takes(raw.tags[series]))
        self.count(Repair.LEFT_OUT, source.measurement, number)

    def rows(self, raw: Raw, some: Index) -> dict[int, int]:
        """How many of some rows lie in the slice, by series."""
        series, numbers = np.unique(raw.series[some[raw.times[some] >= self.first]], return_counts=True)
        return dict(zip(series.tolist(), numbers.tolist(), strict=True))

    def see(
        self,
        source: MeasurementSource,
        raw: Raw,
        written: Sequence[Mapping[str, str]],
        tags: Sequence[Mapping[str, str]],
    ) -> None:
        """Note which names of hosts and guests each series has, and from when to when.

        Whether a series is the source's is seen from the tags ``written``; ``tags`` have what is captured of them too.
        """
        if not len(raw):
            return
        starts = np.flatnonzero(np.concatenate(([True], np.diff(raw.series) != 0)))
        ends = np.append(starts[1:], len(raw)) - 1
        for series, *span in zip(
            raw.series[starts].tolist(), raw.times[starts].tolist(), raw.times[ends].tolist(), strict=True
        ):
            if source.takes(written[series]):
                self.identity.see(source, tags[series], (span[0], span[1]))

    def chains(self, plain: Sequence[tuple[Entity, ...]], rows: Mapping[int, int]) -> list[tuple[Entity, ...]]:
        """The entities of each series, names that mean two things told apart; ``rows`` by series are counted."""
        chains = []
        for series, chain in enumerate(plain):
            number = rows.get(series, 0)
            named = self.identity.named(chain)
            guest = self.identity.in_guest(named)
            if guest and named[0].kind == EntityKind.LINK:
                named = (replace(named[0], parent=guest),)
            elif guest:
                self.count(Repair.IN_GUEST, guest, number)
                named = ()
            if named and named[0].id != chain[0].id:
                self.count(Repair.TOLD_APART, named[0].id, number)
            chains.append(named)
        return chains

    def notice(self, runs: Mapping[int, Runs], chains: Sequence[tuple[Entity, ...]]) -> None:
        """Tell guests apart that two hosts run at once for longer than any migration takes."""
        guests = {series: spans for series, spans in runs.items() if chains[series][0].kind == EntityKind.VM}
        for name, sightings in sightings_of(guests, chains).items():
            if overlap_ms(sightings) > LONGEST_MIGRATION_MS:
                self.identity.apart.add(name)


def sightings_of(runs: Mapping[int, Runs], chains: Sequence[tuple[Entity, ...]]) -> dict[str, list[Sighting]]:
    """When each entity was seen at which parent."""
    sightings: dict[str, list[Sighting]] = {}
    for series, spans in runs.items():
        entity = chains[series][0]
        sightings.setdefault(entity.id, []).extend(Sighting(first, last, entity.parent) for first, last in spans)
    return sightings


def runs_of(series: Index, times: Index, apart: int, chains: Sequence[tuple[Entity, ...]]) -> dict[int, Runs]:
    """First and last times of each series; where an entity has several parents, of its runs of rows.

    Rows that are no more than ``apart`` ms from each other are of one run.
    """
    if not len(series):
        return {}
    there = {(chains[code][0].id, chains[code][0].parent) for code in np.unique(series).tolist()}
    if len(there) == len({name for name, _ in there}):
        apart = np.iinfo(np.int64).max
    starts = np.flatnonzero(np.concatenate(([True], (np.diff(series) != 0) | (np.diff(times) > apart))))
    ends = np.append(starts[1:], len(series)) - 1
    runs: dict[int, Runs] = {}
    for code, first, last in zip(series[starts].tolist(), times[starts].tolist(), times[ends].tolist(), strict=True):
        runs.setdefault(code, []).append((first, last))
    return runs


def ahead(work: Callable[[Item], Result], items: Sequence[Item], number: int) -> Iterator[Result]:
    """Results in the order of the items, with the work on a few items ahead going on meanwhile."""
    with ThreadPoolExecutor(number) as pool:
        waiting = deque(pool.submit(work, item) for item in items[:number])
        for item in items[number:]:
            yield waiting.popleft().result()
            waiting.append(pool.submit(work, item))
        while waiting:
            yield waiting.popleft().result()
