"""One slice of a source, cleaned and written to the history a few entities at a time."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from brownout.domain.metrics import Metric, MetricKind
from brownout.domain.repairs import Repairs
from brownout.ingest.clean import clean
from brownout.numerics.slots import epoch_ms
from brownout.operate.late_rows import add_to_week
from brownout.operate.sources import Slice, Source
from brownout.store.history import WEEK, Description, file_of, samples_schema, week_of, write_samples
from brownout.store.integrity import DamagedFileError, check_file, set_aside

__all__ = ["SliceWriter"]


@dataclass(frozen=True)
class SliceWriter:
    """Writes slices of a source into a history folder; never holds more than one of the source's tables."""

    source: Source
    folder: Path

    def write(self, start: np.datetime64, source_slice: Slice, description: Description) -> tuple[int, Repairs]:
        """Clean and write one slice; rows that the source no longer has are kept. Returns rows and repairs.

        A slice without rows leaves the history as it is. One whose week is joined already is joined with it.
        """
        target = file_of(self.folder, start, self.source.slice_length)
        week = file_of(self.folder, week_of(start), WEEK)
        if target == week or not week.exists():
            return self._write(target, start, source_slice)
        written, repairs = self._write(target, start, source_slice)
        if written:
            add_to_week(week, target, description)
        target.unlink(missing_ok=True)
        return written, repairs

    def _write(self, target: Path, start: np.datetime64, source_slice: Slice) -> tuple[int, Repairs]:
        parts = self._parts(start, source_slice, _old_rows(target, source_slice.tables, start))
        total_repairs = source_slice.repairs
        for part, repairs in parts:
            total_repairs += repairs
            if part.num_rows:
                return write_samples(target, samples_schema(self.source.metrics), chain([(part, total_repairs)], parts))
        return 0, total_repairs

    def _parts(
        self, start: np.datetime64, source_slice: Slice, old: pa.Table | None
    ) -> Iterator[tuple[pa.Table, Repairs]]:
        for table in source_slice.tables:
            rows, repairs = clean(table, self._in_order(table), self._carried(table))
            part = rows.between(start, start + self.source.slice_length).to_table()
            if old is not None:
                own = pc.is_in(old["entity"].cast(pa.string()), pc.unique(table["entity"].cast(pa.string())))
                part, old = self._merged(old.filter(own), part), old.filter(pc.invert(own))
            yield part, replace(repairs, rows=0) if source_slice.repairs.rows else repairs
        if old is not None and old.num_rows:
            yield old, Repairs()

    def _merged(self, old: pa.Table, fresh: pa.Table) -> pa.Table:
        both = pa.concat_tables([old, fresh], promote_options="default").unify_dictionaries()
        gauges = [replace(metric, kind=MetricKind.GAUGE) for metric in self._carried(both)]
        return clean(both, self._in_order(both), gauges)[0].to_table()

    def _carried(self, table: pa.Table) -> list[Metric]:
        return [metric for metric in self.source.metrics if metric.name in table.column_names]

    @cached_property
    def _positions(self) -> Mapping[str, int]:
        return {entity.id: number for number, entity in enumerate(self.source.described())}

    def _in_order(self, table: pa.Table) -> tuple[str, ...]:
        """Entities of a table in the order that the source describes them in, others by name."""
        names = pc.unique(table["entity"].cast(pa.string())).drop_null().to_pylist()
        return tuple(sorted(names, key=lambda name: (self._positions.get(name, len(self._positions)), name)))


def _old_rows(path: Path, tables: Iterable[pa.Table], start: np.datetime64) -> pa.Table | None:
    """Rows of the file from before the first row that the source still has; None where there are none."""
    if not path.exists():
        return None
    since = pa.scalar(epoch_ms(start), pa.timestamp("ms", "UTC"))
    firsts = [first for table in tables if (first := _first_from(table, since)).is_valid]
    if not firsts:
        return None
    try:
        check_file(path)
        old = pq.read_table(path, page_checksum_verification=True)
    except DamagedFileError:
        set_aside(path)
        return None
    old = old.filter(pc.less(old["time"], min(firsts, key=lambda first: first.value)))
    return old if old.num_rows else None


def _first_from(table: pa.Table, since: pa.Scalar) -> pa.Scalar:
    zone = "UTC" if table["time"].type.tz else None
    times = table["time"].cast(pa.timestamp("ms", zone), safe=False).cast(pa.timestamp("ms", "UTC"))
    return pc.min(times.filter(pc.greater_equal(times, since)))
