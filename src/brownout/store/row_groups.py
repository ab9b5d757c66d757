"""Row groups of Parquet files that can hold rows of some entities, so that the others need not be read.

They are found by the statistics of their row groups, which pyarrow does not use itself where a column is
dictionary-encoded, or by the positions of rows where those are known. Of their columns only those are read in which
any of them has a value: most metrics of a fleet belong to other kinds of entities.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.fs
import pyarrow.parquet as pq

from brownout.domain.ports import Span
from brownout.ingest.spans import entity_codes, spans_of
from brownout.numerics.arrays import Index
from brownout.store.integrity.checksums import DamagedFileError, check_file, check_footer

__all__ = [
    "Layout",
    "RowGroups",
    "checked_layout",
    "chosen_groups",
    "files_holding",
    "keys_in",
    "row_ranges_in",
    "row_ranges_note",
    "row_ranges_of",
    "spans_in",
]

KEYS = ("time", "entity")
PLACES = b"brownout.places"
AT_ONCE = 1 << 18
"""Rows whose keys are read at once."""
RowRanges = Mapping[str, tuple[int, int]]
"""First and last row of each entity in a file."""


@dataclass(frozen=True, slots=True)
class _RowGroup:
    """First and last name of the entities of a row group, and the columns in which it has a value."""

    first: str
    last: str
    columns: frozenset[str]

    def may_hold(self, name: str) -> bool:
        """Whether a name lies between the first and the last."""
        return self.first <= name <= self.last


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The row groups of a file, the row after the last one of each, and the row ranges that the file itself states."""

    groups: tuple[_RowGroup, ...]
    ends: Index
    row_ranges: RowRanges | None

    @classmethod
    def of(cls, metadata: pq.FileMetaData) -> Self:
        """What the metadata of a file say."""
        names = metadata.schema.names
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        stated = (metadata.metadata or {}).get(PLACES)
        return cls(
            tuple(_described(group, names) for group in groups),
            np.cumsum([group.num_rows for group in groups], dtype=np.int64),
            None if stated is None else json.loads(stated),
        )

    def holding(self, entities: Iterable[str], row_ranges: RowRanges | None) -> tuple[list[int], frozenset[str]]:
        """Numbers of the row groups that can hold rows of the entities, and the columns in which they have a value.

        Where the row ranges are known, an entity that is not among them has no rows.
        """
        needed = np.zeros(len(self.groups), bool)
        for name in entities:
            for number in self._candidates(name, row_ranges):
                needed[number] |= self.groups[number].may_hold(name)
        numbers = np.flatnonzero(needed).tolist()
        return numbers, frozenset[str]().union(*(self.groups[number].columns for number in numbers))

    def _candidates(self, name: str, row_ranges: RowRanges | None) -> range:
        if row_ranges is None:
            return range(len(self.groups))
        if name not in row_ranges:
            return range(0)
        first, last = np.searchsorted(self.ends, row_ranges[name], side="right").tolist()
        return range(first, last + 1)


def files_holding(
    files: Iterable[Path],
    entities: Sequence[str],
    schema: pa.Schema,
    *,
    on_damage: Callable[[DamagedFileError], None] | None = None,
) -> pads.Dataset:
    """A data set of those row groups that can hold rows of the entities.

    It has those columns of the schema in which any of these row groups has a value. ``on_damage`` is told of each file
    whose checksums, of the footer and of these row groups, are not those of what was written; it is left out. Without
    it such a file is an error.
    """
    parts = []
    for path in files:
        try:
            check_footer(path)
            described = _layout(path)
            numbers, _ = described.holding(entities, described.row_ranges)
            check_file(path, numbers)
        except DamagedFileError as error:
            if on_damage is None:
                raise
            on_damage(error)
            continue
        parts.append((str(path), described))
    return chosen_groups(parts, entities, schema, pyarrow.fs.LocalFileSystem())


def chosen_groups(
    files: Iterable[tuple[str, Layout]], entities: Sequence[str], schema: pa.Schema, system: pyarrow.fs.FileSystem
) -> pads.Dataset:
    """A data set of the row groups that can hold rows of the entities, of files whose layout is known.

    It has those columns of the schema in which any of these row groups has a value.
    """
    layout = checked_layout()
    parts = []
    columns: set[str] = set()
    for path, described in files:
        numbers, measured = described.holding(entities, described.row_ranges)
        if numbers:
            parts.append(layout.make_fragment(path, system, row_groups=numbers))
            columns |= measured
    return pads.FileSystemDataset(parts, _with_columns(schema, columns), layout, system)


def checked_layout() -> pads.ParquetFileFormat:
    """Parquet whose pages are verified where they have checksums."""
    options = pads.ParquetFragmentScanOptions(page_checksum_verification=True)
    return pads.ParquetFileFormat(default_fragment_scan_options=options)


def row_ranges_note(row_ranges: RowRanges) -> Mapping[bytes, bytes]:
    """Metadata that tell later readers of a file where the rows of each entity are."""
    return {PLACES: json.dumps(row_ranges).encode()}


def _with_columns(schema: pa.Schema, columns: Collection[str]) -> pa.Schema:
    """The keys and the columns of a schema that are named."""
    return pa.schema([field for field in schema if field.name in KEYS or field.name in columns])


def _layout(path: Path) -> Layout:
    """The row groups of a file; files are replaced whole, so a file of that age has not changed."""
    state = path.stat()
    return _layout_of(path, state.st_mtime_ns, state.st_ino)


@lru_cache(maxsize=4096)
def _layout_of(path: Path, _age: int, _inode: int) -> Layout:
    try:
        return Layout.of(pq.read_metadata(path))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DamagedFileError(path, error) from error


def _described(group: pq.RowGroupMetaData, names: Sequence[str]) -> _RowGroup:
    statistics = group.column(names.index("entity")).statistics
    known = statistics is not None and statistics.has_min_max
    first, last = (statistics.min, statistics.max) if known else ("", chr(0x10FFFF))
    return _RowGroup(first, last, frozenset(name for at, name in enumerate(names) if _has_value(group.column(at))))


def _has_value(column: pq.ColumnChunkMetaData) -> bool:
    """Whether a column of a row group may hold anything but nulls."""
    statistics = column.statistics
    return statistics is None or not statistics.has_null_count or statistics.null_count < column.num_values


def row_ranges_of(entities: pa.ChunkedArray) -> RowRanges:
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


def keys_in(path: Path, columns: Sequence[str] = KEYS) -> Iterator[pa.Table]:
    """Times and entities of all rows of a file in their order, some rows at a time."""
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for batch in file.iter_batches(batch_size=AT_ONCE, columns=list(columns)):
            yield pa.Table.from_batches([batch])


def row_ranges_in(path: Path) -> RowRanges:
    """First and last row of each entity of a file, as of its whole column of names."""
    row_ranges: dict[str, tuple[int, int]] = {}
    row = 0
    for keys in keys_in(path, ["entity"]):
        for name, (first, last) in row_ranges_of(keys["entity"]).items():
            row_ranges[name] = (row_ranges[name][0] if name in row_ranges else row + first, row + last)
        row += keys.num_rows
    return row_ranges


def spans_in(path: Path, row_ranges: RowRanges, interval_s: int | None) -> Mapping[str, Span]:
    """Spans of all entities of a file.

    Rows are held until those of every entity that is among them are complete: of a file that is ordered by entity a
    few at a time, of one that is ordered by time all of them.
    """
    ends = _complete(row_ranges)
    spans: dict[str, Span] = {}
    held: list[pa.Table] = []
    begin, row = 0, 0
    for keys in keys_in(path):
        held.append(keys)
        row += keys.num_rows
        until = int(ends[np.searchsorted(ends, row, side="right") - 1])
        if until - begin >= AT_ONCE:
            rows = pa.concat_tables(held)
            spans |= spans_of(rows.slice(0, until - begin), interval_s)
            held, begin = [rows.slice(until - begin)], until
    if held:
        spans |= spans_of(pa.concat_tables(held), interval_s)
    return spans


def _complete(row_ranges: RowRanges) -> Index:
    """Numbers of rows, 0 among them, so that each entity has all of its rows among the first ones, or none."""
    bounds = np.array(sorted(row_ranges.values()), np.int64).reshape(-1, 2)
    last = np.maximum.accumulate(bounds[:, 1])
    complete: Index = np.concatenate(([0], last[:-1][last[:-1] < bounds[1:, 0]] + 1))
    return complete


class RowGroups:
    """The row groups of one file, whose description is read once: it is long where there are many columns."""

    def __init__(self, path: Path) -> None:
        (self._whole,) = pads.dataset(path, format=checked_layout()).get_fragments()
        self._whole.ensure_complete_metadata()
        self._layout = Layout.of(self._whole.metadata)

    def holding(self, row_ranges: RowRanges) -> pads.Dataset:
        """A data set of those that can hold rows of the entities, each known to lie between a first and a last row.

        It has the columns in which any of these row groups has a value.
        """
        numbers, columns = self._layout.holding(row_ranges, row_ranges)
        parts = [self._whole.subset(row_group_ids=numbers)] if numbers else []
        schema = _with_columns(self._whole.physical_schema, columns)
        return pads.FileSystemDataset(parts, schema, self._whole.format, pyarrow.fs.LocalFileSystem())
