"""From columns of an answer to raw telemetry: series from tags, one row for each series and time."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from brownout.ingest.raw import Raw
from brownout.numerics.arrays import Doubles

__all__ = ["from_long", "from_series", "from_wide", "series_of"]

Integers = npt.NDArray[np.int64]


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
    column, found = _codes(names)
    place = np.array([fields.index(name) if name in fields else -1 for name in found.to_pylist()] + [-1])[column]
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
