"""From columns of an answer to raw telemetry: series from tags, one row for each series and time."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from brownout.telemetry.raw import Raw

__all__ = ["from_long", "from_series", "from_wide", "series_of"]

Integers = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]


def series_of(columns: Mapping[str, pa.ChunkedArray]) -> tuple[Integers, tuple[Mapping[str, str], ...]]:
    """Number the distinct combinations of tags, in the order in which they appear."""
    length = len(next(iter(columns.values())))
    codes: Integers = np.zeros(length, np.int64)
    for column in columns.values():
        own, count = _codes(column)
        codes, _ = pd.factorize(codes * count + own)
    if not length:
        return codes, ()
    first = np.full(int(codes.max()) + 1, -1, np.int64)
    first[codes[::-1]] = np.arange(length - 1, -1, -1)
    named = {tag: column.take(pa.array(first)).to_pylist() for tag, column in columns.items()}
    return codes, tuple(
        {tag: str(values[row]) for tag, values in named.items() if values[row] not in (None, "")}
        for row in range(len(first))
    )


def _codes(column: pa.ChunkedArray) -> tuple[Integers, int]:
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    array = column.unify_dictionaries().combine_chunks()
    array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
    indices: Integers = pc.fill_null(array.indices.cast(pa.int64()), len(array.dictionary)).to_numpy()
    return indices, len(array.dictionary) + 1


def from_wide(times: Integers, tags: Mapping[str, pa.ChunkedArray], fields: Mapping[str, Doubles]) -> Raw:
    """One column a field."""
    series, named = series_of(tags) if tags else (np.zeros(len(times), np.int64), ({},) if len(times) else ())
    return from_series(times, series, named, fields)


def from_series(
    times: Integers, series: Integers, tags: Sequence[Mapping[str, str]], fields: Mapping[str, Doubles]
) -> Raw:
    """One column a field, series numbered; sorts where the server did not."""
    values = np.column_stack(list(fields.values())) if fields else np.empty((len(times), 0))
    step = np.diff(series)
    if np.any(step < 0) or np.any((step == 0) & (np.diff(times) < 0)):
        order = np.lexsort((times, series))
        times, series, values = times[order], series[order], values[order]
    return Raw(tuple(fields), tuple(tags), series, times, values)


def from_long(
    times: Integers,
    tags: Mapping[str, pa.ChunkedArray],
    names: pa.ChunkedArray,
    values: Doubles,
    fields: tuple[str, ...],
) -> Raw:
    """One row a field and time: the name of the field is a column."""
    if not len(times):
        return Raw.empty(fields)
    series, named = series_of(tags) if tags else (np.zeros(len(times), np.int64), ({},))
    column, _ = _codes(names)
    found = _dictionary(names)
    place = np.array([fields.index(name) if name in fields else -1 for name in found] + [-1])[column]
    base = int(times.min())
    width = int(times.max()) - base + 1
    keys = series * width + (times - base)
    rows, distinct = _rank(keys)
    table = np.full((len(distinct), len(fields)), np.nan)
    for number in range(len(fields)):
        own = place == number
        table[rows[own], number] = values[own]
    return Raw(fields, named, distinct // width, distinct % width + base, table)


def _rank(keys: Integers) -> tuple[Integers, Integers]:
    """Place of each key among the sorted distinct ones. Fields come one after the other, each sorted: cheap to sort."""
    if np.all(keys[1:] > keys[:-1]):
        return np.arange(len(keys)), keys
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    new = np.concatenate(([True], np.diff(ordered) != 0))
    rows = np.empty(len(keys), np.int64)
    rows[order] = np.cumsum(new) - 1
    return rows, ordered[new]


def _dictionary(column: pa.ChunkedArray) -> list[str]:
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    array = column.unify_dictionaries().combine_chunks()
    array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
    return [str(name) for name in array.dictionary.to_pylist()]
