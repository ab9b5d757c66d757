"""Row groups of Parquet files that can hold rows of some entities, so that the others need not be read.

They are found by the statistics of their row groups, which pyarrow does not use itself where a column is
dictionary-encoded, or by the positions of rows where those are known.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.fs
import pyarrow.parquet as pq

from brownout.ingest.spans import entity_codes
from brownout.store.integrity.checksums import DamagedFileError, check_file, check_footer

__all__ = ["RowGroups", "checked_layout", "files_holding", "places_of"]


def files_holding(
    files: Iterable[Path],
    entities: Sequence[str],
    schema: pa.Schema,
    *,
    on_damage: Callable[[DamagedFileError], None] | None = None,
) -> pads.Dataset:
    """A data set of those row groups whose range of names touches one of the entities.

    ``on_damage`` is told of each file whose checksums, of the footer and of these row groups, are not those of what was
    written; it is left out. Without it such a file is an error.
    """
    wanted = sorted(entities)
    layout = checked_layout()
    local = pyarrow.fs.LocalFileSystem()
    parts = []
    for path in files:
        try:
            check_footer(path)
            groups = [group for group, (low, high) in _ranges(path).items() if _touches(wanted, low, high)]
            check_file(path, groups)
        except DamagedFileError as error:
            if on_damage is None:
                raise
            on_damage(error)
            continue
        if groups:
            parts.append(layout.make_fragment(str(path), local, row_groups=groups))
    return pads.FileSystemDataset(parts, schema, layout, local)


def checked_layout() -> pads.ParquetFileFormat:
    """Parquet whose pages are verified where they have checksums."""
    options = pads.ParquetFragmentScanOptions(page_checksum_verification=True)
    return pads.ParquetFileFormat(default_fragment_scan_options=options)


def _touches(wanted: Sequence[str], low: str, high: str) -> bool:
    place = bisect_left(wanted, low)
    return place < len(wanted) and wanted[place] <= high


def _ranges(path: Path) -> Mapping[int, tuple[str, str]]:
    """First and last name of each row group; files are replaced whole, so a file of that age has not changed."""
    state = path.stat()
    return _ranges_of(path, state.st_mtime_ns, state.st_ino)


@lru_cache(maxsize=4096)
def _ranges_of(path: Path, _age: int, _inode: int) -> Mapping[int, tuple[str, str]]:
    try:
        metadata = pq.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        raise DamagedFileError(path, error) from error
    return _names_in(metadata)


def _names_in(metadata: pq.FileMetaData) -> Mapping[int, tuple[str, str]]:
    column = metadata.schema.names.index("entity")
    found = {}
    for group in range(metadata.num_row_groups):
        statistics = metadata.row_group(group).column(column).statistics
        known = statistics is not None and statistics.has_min_max
        found[group] = (statistics.min, statistics.max) if known else ("", chr(0x10FFFF))
    return found


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
        (self._whole,) = pads.dataset(path, format=checked_layout()).get_fragments()
        self._whole.ensure_complete_metadata()
        self._ends = np.cumsum([group.num_rows for group in self._whole.row_groups])
        self._names = _names_in(self._whole.metadata)

    def holding(self, places: Mapping[str, tuple[int, int]]) -> pads.Dataset:
        """A data set of those that can hold rows of the entities, each known to lie between a first and a last row."""
        needed = np.zeros(len(self._ends), bool)
        for name, (first, last) in places.items():
            begin, end = np.searchsorted(self._ends, [first, last], side="right")
            for group in range(begin, end + 1):
                low, high = self._names[group]
                needed[group] |= low <= name <= high
        groups = np.flatnonzero(needed).tolist()
        parts = [self._whole.subset(row_group_ids=groups)] if groups else []
        return pads.FileSystemDataset(
            parts, self._whole.physical_schema, self._whole.format, pyarrow.fs.LocalFileSystem()
        )
