"""From columns of an answer to raw telemetry: series from tags, one row for each series and time."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from brownout.ingest.raw import Raw
from brownout.numerics.arrays import Doubles

__all__ = ["Runs", "from_wide", "in_order", "series_of"]

Integers = npt.NDArray[np.int64]
LONG_RUN = 32
"""Rows of a run from which on a loop over runs costs less than sorting all rows."""


def series_of(columns: Mapping[str, pa.ChunkedArray]) -> tuple[Integers, tuple[Mapping[str, str], ...]]:
    """Number the distinct combinations of tags, in the order in which they appear.

    Servers send a series after the other, so that combinations are compared once for each run of equal rows.
    """
    length = len(next(iter(columns.values())))
    if not length:
        return np.zeros(0, np.int64), ()
    coded = [_codes(column) for column in columns.values()]
    new = np.zeros(length, bool)
    new[0] = True
    for own, _ in coded:
        new[1:] |= own[1:] != own[:-1]
    starts = np.flatnonzero(new)
    numbers: Integers = np.zeros(len(starts), np.int64)
    for own, names in coded:
        numbers, _ = pd.factorize(numbers * (len(names) + 1) + own[starts])
    codes: Integers = np.repeat(numbers, np.diff(starts, append=length))
    first = starts[np.unique(numbers, return_index=True)[1]]
    named = {tag: column.take(pa.array(first)).to_pylist() for tag, column in columns.items()}
    return codes, tuple(
        {tag: str(values[row]) for tag, values in named.items() if values[row] not in (None, "")}
        for row in range(len(first))
    )


def _codes(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], pa.Array]:
    """Codes of a column, one past the last where nothing stands, and what they mean."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    array = column.unify_dictionaries().combine_chunks()
    array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
    indices = array.indices.cast(pa.int32())
    if indices.null_count:
        indices = pc.fill_null(indices, len(array.dictionary))
    return indices.to_numpy(), array.dictionary


def from_wide(
    times: Integers,
    tags: Mapping[str, pa.ChunkedArray],
    fields: Mapping[str, Doubles],
    low: Mapping[str, Doubles] | None = None,
) -> Raw:
    """One column a field; ``low`` is what whole numbers have beyond it, by field that has anything."""
    series, named = series_of(tags) if tags else (np.zeros(len(times), np.int64), ({},) if len(times) else ())
    values = np.column_stack(list(fields.values())) if fields else np.empty((len(times), 0))
    rest = np.column_stack([low.get(name, np.zeros(len(times))) for name in fields]) if low else None
    return in_order(tuple(fields), named, series, times, values, low=rest)


def in_order(  # noqa: PLR0913 - the columns of raw telemetry
    fields: tuple[str, ...],
    tags: Sequence[Mapping[str, str]],
    series: Integers,
    times: Integers,
    values: Doubles,
    *,
    low: Doubles | None = None,
) -> Raw:
    """Samples with one row for each series and time, sorted where the server did not."""
    ordered = (series[1:] > series[:-1]) | ((series[1:] == series[:-1]) & (times[1:] >= times[:-1]))
    if not ordered.all():
        order = np.lexsort((times, series))
        times, series, values = times[order], series[order], values[order]
        low = None if low is None else low[order]
    return Raw(fields, tuple(tags), series, times, values, low)


class Runs:
    """Rows of one field each, as runs of rows of the same series and field.

    ``series`` and ``rows`` are how many there are so far.
    """

    def __init__(self, fields: tuple[str, ...]) -> None:
        self.series, self.rows = 0, 0
        self._fields = fields
        self._indices = {name: index for index, name in enumerate(fields)}
        self._starts: list[int] = []
        self._codes: list[int] = []
        self._columns: list[int] = []

    def begin(self, row: int, code: int, name: str) -> None:
        """Begin a run of rows of one series and field; fields that were not requested are left out."""
        self._starts.append(row)
        self._codes.append(code)
        self._columns.append(self._indices.get(name, -1))

    def raw(
        self, tags: tuple[Mapping[str, str], ...], times: Integers, values: Doubles, low: Doubles | None = None
    ) -> Raw:
        """One row for each series and time."""
        table = self._table(tags, times, values)
        rest = None if low is None else np.nan_to_num(self._table(tags, times, low).values)
        return replace(table, low=rest)

    def _table(self, tags: tuple[Mapping[str, str], ...], times: Integers, values: Doubles) -> Raw:
        if self.rows > LONG_RUN * len(self._starts):
            return self._run_by_run(tags, times, values)
        return self._row_by_row(tags, times, values)

    def _run_by_run(self, tags: tuple[Mapping[str, str], ...], times: Integers, values: Doubles) -> Raw:
        """Series after series: the fields of a series mostly have the same times."""
        parts: dict[int, list[tuple[int, int, int]]] = {}
        for (start, end), code, column in zip(
            pairwise([*self._starts, self.rows]), self._codes, self._columns, strict=True
        ):
            if column >= 0:
                parts.setdefault(code, []).append((start, end, column))
        own = {code: _together([times[start:end] for start, end, _ in parts[code]]) for code in sorted(parts)}
        lengths = [len(moments) for moments, _ in own.values()]
        table = np.full((sum(lengths), len(self._fields)), np.nan)
        offset = 0
        for code, (moments, same) in own.items():
            rows = table[offset : offset + len(moments)]
            for start, end, column in parts[code]:
                row_indices = slice(None) if same else np.searchsorted(moments, times[start:end])
                rows[row_indices, column] = values[start:end]
            offset += len(moments)
        series = np.repeat(np.array(list(own), np.int64), lengths)
        joined = np.concatenate([moments for moments, _ in own.values()]) if own else np.empty(0, np.int64)
        return Raw(self._fields, tags, series, joined, table)

    def _row_by_row(self, tags: tuple[Mapping[str, str], ...], times: Integers, values: Doubles) -> Raw:
        """Many short runs: all rows are sorted together."""
        lengths: Integers = np.diff([*self._starts, self.rows]).astype(np.int64)
        series = np.repeat(np.array(self._codes, np.int64), lengths)
        columns = np.repeat(np.array(self._columns, np.int64), lengths)
        order = np.lexsort((times, series))
        order = order[columns[order] >= 0]
        if not len(order):
            return Raw.empty(self._fields)
        series, times, columns, values = series[order], times[order], columns[order], values[order]
        new = np.concatenate(([True], (series[1:] != series[:-1]) | (times[1:] != times[:-1])))
        table = np.full((int(new.sum()), len(self._fields)), np.nan)
        table[np.cumsum(new) - 1, columns] = values
        return Raw(self._fields, tags, series[new], times[new], table)


def _together(parts: list[Integers]) -> tuple[Integers, bool]:
    """The distinct times of some runs in order, and whether every run has exactly these times."""
    first = parts[0]
    if np.all(first[1:] > first[:-1]) and all(np.array_equal(first, other) for other in parts[1:]):
        return first, True
    return np.unique(np.concatenate(parts)), False
