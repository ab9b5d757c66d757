"""Row groups of Parquet files that can hold rows of some entities, so that the others need not be read.

They are found by the statistics of their row groups, which pyarrow does not use itself where a column is
dictionary-encoded, or by the positions of rows where those are known. Of their columns only those are read in which
any of them has a value: most metrics of a fleet belong to other kinds of entities.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.fs
import pyarrow.parquet as pq

from brownout.domain.errors import HistoryError
from brownout.ingest.spans import entity_codes

__all__ = ["RowGroups", "files_holding", "places_of"]

KEYS = ("time", "entity")


@dataclass(frozen=True, slots=True)
class _RowGroup:
    """First and last name of the entities of a row group, and the columns in which it has a value."""

    first: str
    last: str
    columns: frozenset[str]


def files_holding(files: Iterable[Path], entities: Sequence[str], schema: pa.Schema) -> pads.Dataset:
    """A data set of those row groups whose range of names touches one of the entities.

    It has those columns of the schema in which any of these row groups has a value.
    """
    wanted = sorted(entities)
    layout = pads.ParquetFileFormat()
    local = pyarrow.fs.LocalFileSystem()
    parts = []
    columns: set[str] = set()
    for path in files:
        groups = {number: group for number, group in _row_groups(path).items() if _touches(wanted, group)}
        if groups:
            parts.append(layout.make_fragment(str(path), local, row_groups=list(groups)))
            columns.update(*(group.columns for group in groups.values()))
    return pads.FileSystemDataset(parts, _with_columns(schema, columns), layout, local)


def _touches(wanted: Sequence[str], group: _RowGroup) -> bool:
    place = bisect_left(wanted, group.first)
    return place < len(wanted) and wanted[place] <= group.last


def _with_columns(schema: pa.Schema, columns: Collection[str]) -> pa.Schema:
    """The keys and the columns of a schema that are named."""
    return pa.schema([field for field in schema if field.name in KEYS or field.name in columns])


def _row_groups(path: Path) -> Mapping[int, _RowGroup]:
    """The row groups of a file; files are replaced whole, so a file of that age has not changed."""
    state = path.stat()
    return _row_groups_of(path, state.st_mtime_ns, state.st_ino)


@lru_cache(maxsize=4096)
def _row_groups_of(path: Path, _age: int, _inode: int) -> Mapping[int, _RowGroup]:
    try:
        metadata = pq.read_metadata(path)
    except (pa.ArrowInvalid, OSError) as error:
        msg = f"{path} cannot be read: {error}."
        raise HistoryError(msg, remedy="The file is damaged: remove the history folder and sync again.") from error
    return _described_in(metadata)


def _described_in(metadata: pq.FileMetaData) -> Mapping[int, _RowGroup]:
    names = metadata.schema.names
    keys = names.index("entity")
    found = {}
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        statistics = group.column(keys).statistics
        known = statistics is not None and statistics.has_min_max
        first, last = (statistics.min, statistics.max) if known else ("", chr(0x10FFFF))
        columns = frozenset(name for place, name in enumerate(names) if _has_value(group.column(place)))
        found[number] = _RowGroup(first, last, columns)
    return found


def _has_value(column: pq.ColumnChunkMetaData) -> bool:
    """Whether a column of a row group may hold anything but nulls."""
    statistics = column.statistics
    return statistics is None or not statistics.has_null_count or statistics.null_count < column.num_values


def places_of(entities: pa.ChunkedArray) -> Mapping[str, tuple[int, int]]:
    """First and last row of each entity in a column of names."""
    codes, names = entity_codes(entities)
    if not len(codes):
        return {}
    starts = np.concatenate(([0], np.flatnonzero(np.diff(codes)) + 1))
    ends = np.append(starts[1:], len(codes)) - 1
    runs = codes[starts]
    known, first = np.unique(runs, return_index=True)
    last = len(runs) - 1 - np.unique(runs[::-1], return_index=True)[1]
    return {
        names[code]: (int(starts[begin]), int(ends[end]))
        for code, begin, end in zip(known, first, last, strict=True)
        if code >= 0
    }


class RowGroups:
    """The row groups of one file, whose description is read once: it is long where there are many columns."""

    def __init__(self, path: Path) -> None:
        (self._whole,) = pads.dataset(path).get_fragments()
        self._whole.ensure_complete_metadata()
        self._ends = np.cumsum([group.num_rows for group in self._whole.row_groups])
        self._groups = _described_in(self._whole.metadata)

    def holding(self, places: Mapping[str, tuple[int, int]]) -> pads.Dataset:
        """A data set of those that can hold rows of the entities, each known to lie between a first and a last row.

        It has the columns in which any of these row groups has a value.
        """
        needed = np.zeros(len(self._ends), bool)
        for name, (first, last) in places.items():
            begin, end = np.searchsorted(self._ends, [first, last], side="right")
            for number in range(begin, end + 1):
                needed[number] |= self._groups[number].first <= name <= self._groups[number].last
        numbers = np.flatnonzero(needed).tolist()
        columns = frozenset().union(*(self._groups[number].columns for number in numbers))
        parts = [self._whole.subset(row_group_ids=numbers)] if numbers else []
        schema = _with_columns(self._whole.physical_schema, columns)
        return pads.FileSystemDataset(parts, schema, self._whole.format, pyarrow.fs.LocalFileSystem())
