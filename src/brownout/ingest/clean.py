"""Cleaning: rows become sorted, distinct, finite and in range, counters become rates; every repair is counted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from brownout.domain.metrics import Metric, MetricKind
from brownout.domain.panel import Float, Marks
from brownout.domain.repairs import Repair, Repairs
from brownout.ingest.counters import misread, rates
from brownout.ingest.spans import column_ms, entity_codes
from brownout.numerics.arrays import Doubles, Index
from brownout.numerics.slots import epoch_ms

__all__ = ["Rows", "clean"]

HOUR_MS = 3_600_000
THURSDAY, SUNDAY, LAST_SET_BACK = 3, 6, 3
"""Day of the week of 1 January 1970, the one on which clocks are set, and the last hour that comes twice."""
WIDEST = 64
"""Bits of whole numbers that float64 cannot hold all of."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Samples as arrays, sorted by entity and time, distinct.

    Attributes
    ----------
    codes
        int64 ``[row]``: index into ``entities``.
    times
        int64 ``[row]``: milliseconds since the epoch, UTC.
    values
        float32 ``[row, metric]``; NaN = not measured.
    """

    entities: tuple[str, ...]
    metrics: tuple[Metric, ...]
    codes: Index
    times: Index
    values: Float

    def between(self, start: np.datetime64, end: np.datetime64) -> "Rows":
        """Rows from start until before end."""
        first, last = (epoch_ms(time) for time in (start, end))
        keep = (self.times >= first) & (self.times < last)
        if keep.all():
            return self
        return replace(self, codes=self.codes[keep], times=self.times[keep], values=self.values[keep])

    def to_table(self) -> pa.Table:
        """Columns ``time`` (ms, UTC), ``entity`` (dictionary) and one float32 column a metric; NaN becomes null."""
        columns: dict[str, pa.Array] = {
            "time": pa.array(self.times, pa.timestamp("ms", "UTC")),
            "entity": pa.DictionaryArray.from_arrays(
                pa.array(self.codes, pa.int32()), pa.array(self.entities, pa.string())
            ),
        }
        for column, metric in enumerate(self.metrics):
            columns[metric.name] = pa.array(np.ascontiguousarray(self.values[:, column]), from_pandas=True)
        return pa.table(columns)


def clean(table: pa.Table, entities: Sequence[str], metrics: Sequence[Metric]) -> tuple[Rows, Repairs]:
    """Repair the rows of the given entities; columns that are not among the metrics are ignored.

    Returns
    -------
    Rows
        Sorted by the order of ``entities`` and time.
    Repairs
        What was wrong, by kind and entity; the metrics of the rows returned are all gauges.
    """
    codes, times = _identify(table, entities)
    total = len(codes)
    local = table["time"].type.tz is None
    selected, repairs = _kept_rows(codes, times, entities, local=local)
    codes, times = codes[selected], times[selected]
    values = np.empty((len(metrics), len(codes)), np.float32)
    for row, metric in enumerate(metrics):
        column = _column(table, metric, selected, codes)
        repairs += _repair_column(column, metric, codes, times, entities)
        values[row] = column
    gauges = tuple(replace(metric, kind=MetricKind.GAUGE) for metric in metrics)
    return Rows(tuple(entities), gauges, codes, times, values.T), replace(repairs, rows=total)


def _kept_rows(codes: Index, times: Index, entities: Sequence[str], *, local: bool) -> tuple[Index | slice, Repairs]:
    """Which rows are kept, in which order: those with a time and a known entity, of two with one time the later row.

    ``local`` says that times have no zone, so that an hour may have come twice.
    """
    valid = (codes >= 0) & (times > np.iinfo(np.int64).min)
    repairs = _count(Repair.NO_TIME, np.full(int((~valid).sum()), -1), entities)
    selected = np.flatnonzero(valid)
    codes, times = codes[selected], times[selected]
    backwards = (np.diff(times) < 0) & (np.diff(codes) == 0)
    repairs += _count(Repair.UNORDERED, codes[1:][backwards], entities)
    if backwards.any() or (np.diff(codes) < 0).any():
        order = np.lexsort((times, codes))  # stable: of two rows with one time the later row of the input stays later
        codes, times, selected = codes[order], times[order], selected[order]
    superseded = np.append((np.diff(codes) == 0) & (np.diff(times) == 0), np.zeros(min(len(codes), 1), bool))
    twice = superseded & _set_back(codes, times, superseded) if local else np.zeros_like(superseded)
    repairs += _count(Repair.TWICE, codes[twice], entities) + _count(
        Repair.DUPLICATE, codes[superseded & ~twice], entities
    )
    selected = selected[~superseded]
    untouched = len(selected) == len(valid) and not backwards.any() and bool((np.diff(selected) == 1).all())
    return (slice(None) if untouched else selected), repairs


def _set_back(codes: Index, times: Index, superseded: Marks) -> Marks:
    """Rows of an hour of a Sunday night all of whose times came twice: clocks were set back."""
    hours = times // HOUR_MS
    repeated = np.zeros_like(superseded)
    for hour in np.unique(hours[superseded]).tolist():
        day, of_day = divmod(hour, 24)
        if (day + THURSDAY) % 7 == SUNDAY and of_day <= LAST_SET_BACK:
            for code in np.unique(codes[superseded & (hours == hour)]).tolist():
                rows = np.flatnonzero((hours == hour) & (codes == code))
                if superseded[rows].sum() * 2 == len(rows):
                    repeated[rows] = True
    return repeated


def _identify(table: pa.Table, entities: Sequence[str]) -> tuple[Index, Index]:
    """Index into ``entities`` (-1 for others) and time in ms of each row."""
    codes, names = entity_codes(table["entity"])
    index_of = {name: index for index, name in enumerate(entities)}
    lookup = np.array([index_of.get(name, -1) for name in names] + [-1])
    return lookup[codes], column_ms(table["time"])


def _column(table: pa.Table, metric: Metric, selected: Index | slice, codes: Index) -> Doubles:
    """One metric of the rows that are kept, in float64, a copy: a counter keeps its last digits until it is a rate.

    ``codes`` are the entities of these rows.
    """
    if metric.name not in table.column_names:
        return np.full(len(codes), np.nan)
    column = table[metric.name]
    if metric.kind is MetricKind.COUNTER and pa.types.is_integer(column.type) and column.type.bit_width == WIDEST:
        return _counted_anew(column, selected, codes)
    numbers = pc.fill_null(pc.cast(column, pa.float64(), safe=False), float("nan"))
    return np.array(numbers.to_numpy()[selected], np.float64)


def _counted_anew(column: pa.ChunkedArray, selected: Index | slice, codes: Index) -> Doubles:
    """A counter of 64 bits, counted from 0 at each entity's first row on; at a reset it falls by one.

    Each rise is taken in whole numbers, so that none of the digits is lost that float64 cannot hold. A row that says
    nothing about it is infinite: it is repaired with all others.
    """
    known = np.asarray(pc.is_valid(column).to_numpy()[selected], bool)
    plain = np.where(
        known, pc.fill_null(column, pa.scalar(0, column.type)).to_numpy()[selected].astype(np.float64), np.nan
    )
    unreal = misread(plain, codes)
    known &= ~unreal
    exact = pc.fill_null(column, pa.scalar(0, column.type)).to_numpy()[selected][known]
    rises = np.zeros(len(exact))
    risen = (exact[1:].view(np.uint64) - exact[:-1].view(np.uint64)).astype(np.float64)
    same = np.diff(codes[known]) == 0
    rises[1:] = np.where(same, np.where(exact[1:] >= exact[:-1], risen, -1.0), 0.0)
    result = np.full(len(codes), np.nan)
    result[known] = np.cumsum(rises)
    result[unreal] = -np.inf
    return result


def _repair_column(column: Doubles, metric: Metric, codes: Index, times: Index, entities: Sequence[str]) -> Repairs:
    """Repair one metric in place."""
    infinite = np.isinf(column)
    repairs = _count(Repair.NON_FINITE, codes[infinite], entities)
    column[infinite] = np.nan
    if metric.kind is MetricKind.COUNTER:
        repairs += _count(Repair.COUNTER_RESET, codes[_to_rates(column, codes, times)], entities)
    outside = (column < metric.lower) | (column > metric.upper)
    repairs += _count(Repair.OUT_OF_RANGE, codes[outside], entities)
    column[outside] = np.nan
    return repairs


def _to_rates(column: Doubles, codes: Index, times: Index) -> Index:
    """Replace a counter by its rate a second in place; returns the rows where it was reset."""
    column[:], resets = rates(column, times, codes)
    return resets


def _count(repair: Repair, codes: npt.NDArray[np.integer], entities: Sequence[str]) -> Repairs:
    distinct, numbers = np.unique(codes, return_counts=True)
    names = (entities[code] if code >= 0 else "" for code in distinct.tolist())
    return Repairs({(repair, name): int(number) for name, number in zip(names, numbers, strict=True)})
