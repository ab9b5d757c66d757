"""Sources of a sync: a dataset folder, or a database that Telegraf writes to."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from brownout.domain.entities import Entity
from brownout.domain.errors import DataError
from brownout.domain.metrics import Metric, MetricKind
from brownout.domain.ports import SampleStore
from brownout.domain.repairs import Repairs
from brownout.ingest.canonical import Canonicaliser
from brownout.ingest.counters import LONGEST_GAP_MS
from brownout.ingest.named_samples import NamedSamples
from brownout.ingest.raw import MeasurementSchema
from brownout.numerics.slots import epoch_ms
from brownout.operate.late_rows import of_an_age
from brownout.store.history import HOURS, WEEK, slice_of

LISTED = 5
"""Names that a sentence has room for."""
CELLS = 2**24
"""Values of a data set that are read at a time: 64 MB of float32."""

__all__ = ["DatabaseSource", "DatasetSource", "DatasetTables", "Slice", "Source"]


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """The rows of a slice, with its entities and repairs; rows before its start serve the first rates only.

    ``tables`` have columns ``time``, ``entity`` and metrics, each with entities of its own; they may be read only when
    iterated, and may be gone through twice.
    """

    tables: Iterable[pa.Table]
    entities: tuple[Entity, ...]
    repairs: Repairs


class Source(Protocol):
    """Where a history is made from."""

    @property
    def name(self) -> str:
        """What the history is made from; another name is another history."""

    @property
    def interval_s(self) -> int | None:
        """Seconds between samples where the source states one."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All metrics."""

    @property
    def slice_length(self) -> np.timedelta64:
        """How much is read at a time."""

    @property
    def lookback(self) -> np.timedelta64:
        """How far before the watermark a late point may still arrive."""

    def described(self) -> tuple[Entity, ...]:
        """Entities that are known before any slice is read."""

    def range(self) -> tuple[np.datetime64, np.datetime64] | None:
        """The span from the first time that may have samples until before the end; None where there is none."""

    def read(self, start: np.datetime64, end: np.datetime64, known: Sequence[Entity] = ()) -> Slice:
        """Everything from start until before end; ``known`` are the entities of the history."""

    def unread(self) -> Repairs:
        """Rows that are in no slice: without a time or an entity, or far away from all others."""

    def late(
        self, rows: Mapping[np.datetime64, int], *, since: np.datetime64, before: np.datetime64
    ) -> Sequence[np.datetime64]:
        """Starts of slices that may have rows which came after they were read.

        ``rows`` were read of each slice, by its start; ``since`` is the end of the last sync, ``before`` of this one.
        """


@runtime_checkable
class CountsRows(Protocol):
    """A store that counts its rows without reading them."""

    def rows_between(self, bounds: Sequence[tuple[np.datetime64, np.datetime64]]) -> Sequence[int]:
        """How many rows lie in each of some spans."""

    def unread(self) -> Repairs:
        """Rows that no reading of entities and times gives."""


@dataclass(frozen=True)
class DatasetSource:
    """A dataset folder, week by week."""

    dataset: SampleStore
    slice_length: np.timedelta64 = WEEK
    lookback: np.timedelta64 = field(default=np.timedelta64(0, "ms"))

    @property
    def name(self) -> str:
        """Name of the data set."""
        return self.dataset.name

    @property
    def interval_s(self) -> int | None:
        """Seconds between samples where the data set states one."""
        return self.dataset.interval_s

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All columns."""
        return self.dataset.metrics

    def described(self) -> tuple[Entity, ...]:
        """All entities."""
        return tuple(self.dataset.topology)

    def range(self) -> tuple[np.datetime64, np.datetime64] | None:
        """The span from the first sample until just after the last."""
        spans = self.dataset.spans().values()
        if not spans:
            return None
        return min(s.first for s in spans), max(s.last for s in spans) + np.timedelta64(1, "ms")

    def read(self, start: np.datetime64, end: np.datetime64, known: Sequence[Entity] = ()) -> Slice:  # noqa: ARG002 - a data set names its entities itself
        """Tables of a few entities of one kind; where there are counters they begin an hour early."""
        repairs = self.dataset.repairs(start, end) if isinstance(self.dataset, NamedSamples) else Repairs()
        return Slice(DatasetTables(self.dataset, start - self._lead, end), (), repairs)

    @cached_property
    def _lead(self) -> np.timedelta64:
        counters = any(metric.kind is MetricKind.COUNTER for metric in self.metrics)
        return np.timedelta64(LONGEST_GAP_MS if counters else 0, "ms")

    def unread(self) -> Repairs:
        """Rows without a time or an entity, and those that a clock jump put far away."""
        samples = self.dataset.samples if isinstance(self.dataset, NamedSamples) else self.dataset
        return samples.unread() if isinstance(samples, CountsRows) else Repairs()

    def late(
        self, rows: Mapping[np.datetime64, int], *, since: np.datetime64, before: np.datetime64
    ) -> Sequence[np.datetime64]:
        """Slices of which the data set has another number of rows than were read, by counting all of them."""
        samples: SampleStore = self.dataset
        if isinstance(self.dataset, NamedSamples) and not self.dataset.inside:  # what is left out cannot be counted
            samples = self.dataset.samples
        if not isinstance(samples, CountsRows):
            return ()
        span = self.range()
        first = slice_of(since if span is None else min(span[0], since), self.slice_length)
        starts: list[np.datetime64] = list(np.arange(first, min(since, before), self.slice_length))
        bounds = [(start - self._lead, min(start + self.slice_length, before)) for start in starts]
        counts = samples.rows_between(bounds)
        return [start for start, count in zip(starts, counts, strict=True) if count != rows.get(start, 0)]


@dataclass(frozen=True)
class DatasetTables:
    """Samples of a data set, some entities at a time in its own order, read anew by each iteration.

    A table has entities of one kind and only columns with a value: a fleet's columns are mostly those of other kinds.
    """

    dataset: SampleStore
    start: np.datetime64
    end: np.datetime64

    def __iter__(self) -> Iterator[pa.Table]:
        kinds = {entity.id: entity.kind for entity in self.dataset.topology}
        for names in self._batches():
            table = self.dataset.read(names, start=self.start, end=self.end)
            entities = table["entity"].cast(pa.string())
            for kind in sorted({kinds[name] for name in names}):
                own = pc.is_in(entities, pa.array([name for name in names if kinds[name] == kind]))
                part = table.filter(own)
                if part.num_rows:
                    yield part.drop_columns(_empty_columns(part))

    def _batches(self) -> Iterator[tuple[str, ...]]:
        """Names of entities that have at most ``CELLS`` values together, or of one that has more."""
        names: list[str] = []
        cells = 0
        for name, span in self.dataset.spans().items():
            slots = int((self.end - self.start) / np.timedelta64(span.interval_s, "s")) + 1
            own = min(span.rows, slots) * len(self.dataset.metrics)
            if names and cells + own > CELLS:
                yield tuple(names)
                names, cells = [], 0
            names.append(name)
            cells += own
        if names:
            yield tuple(names)


def _empty_columns(table: pa.Table) -> list[str]:
    """Metrics without any value; of a table of nothing else, all."""
    return [
        name
        for name in table.column_names
        if name not in ("time", "entity") and pc.all(pc.is_null(table[name], nan_is_null=True)).as_py()
    ]


@dataclass(frozen=True)
class DatabaseSource:
    """A database, six hours at a time, until now.

    ``since`` is where a history without a watermark begins, ``reread`` the ages at which each slice is read again.
    """

    reader: Canonicaliser
    since: np.datetime64
    now: np.datetime64
    lookback: np.timedelta64
    reread: tuple[np.timedelta64, ...] = ()
    slice_length: np.timedelta64 = HOURS

    @property
    def name(self) -> str:
        """The database, wherever its server is."""
        return self.reader.database.name

    @property
    def interval_s(self) -> int:
        """Seconds of a slot."""
        return self.reader.interval_s

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that the mapping computes from the measurements of the database."""
        there = {name for source in self.reader.mapping.sources for name in source.makes(self._schemas)}
        return tuple(metric for metric in self.reader.mapping.metrics if metric.name in there)

    @cached_property
    def _schemas(self) -> dict[str, MeasurementSchema]:
        return dict(self.reader.database.schemas())

    def described(self) -> tuple[Entity, ...]:
        """None: tags name them."""
        return ()

    def range(self) -> tuple[np.datetime64, np.datetime64] | None:
        """The span until the end of the last complete slot; raises DataError where nothing can be read."""
        if not self.metrics:
            names = ", ".join(sorted(self._schemas)[:LISTED])
            raise DataError(
                f"Nothing that is known writes to {self.name}: found {names or 'no measurement'}.",
                remedy="`brownout doctor --config FILE` says what it is; describe it in a file, influxdb.mapping.",
            )
        step = self.interval_s * 1000
        until = epoch_ms(self.now) // step * step
        return self.since, np.datetime64(until, "ms")

    def read(self, start: np.datetime64, end: np.datetime64, known: Sequence[Entity] = ()) -> Slice:
        """A table for each kind of entity."""
        canonical = self.reader.read(start, end, self._schemas, known)
        return Slice(canonical.tables, canonical.entities, canonical.repairs)

    def unread(self) -> Repairs:
        """None: a point has a time and tags, and what the tags do not name is counted with its slice."""
        return Repairs()

    def late(
        self, rows: Mapping[np.datetime64, int], *, since: np.datetime64, before: np.datetime64
    ) -> Sequence[np.datetime64]:
        """Slices that reached one of the ages of ``reread``: counting all points would cost as much as reading them."""
        del rows
        return of_an_age(self.reread, self.slice_length, since=since, before=before)
