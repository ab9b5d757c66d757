"""Which parts of sorted Parquet files can hold rows of some entities, told by the statistics of their row groups.

pyarrow does not use these statistics itself where a column is dictionary-encoded.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.fs
import pyarrow.parquet as pq

from brownout.domain.errors import HistoryError

__all__ = ["files_holding"]


def files_holding(files: Iterable[Path], entities: Sequence[str], schema: pa.Schema) -> pads.Dataset:
    """A data set of those row groups whose range of names touches one of the entities."""
    wanted = sorted(entities)
    layout = pads.ParquetFileFormat()
    local = pyarrow.fs.LocalFileSystem()
    parts = []
    for path in files:
        groups = [group for group, (low, high) in _ranges(path).items() if _touches(wanted, low, high)]
        if groups:
            parts.append(layout.make_fragment(str(path), local, row_groups=groups))
    return pads.FileSystemDataset(parts, schema, layout, local)


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
    except (pa.ArrowInvalid, OSError) as error:
        msg = f"{path} cannot be read: {error}."
        raise HistoryError(msg, remedy="The file is damaged: remove the history folder and sync again.") from error
    column = metadata.schema.names.index("entity")
    found = {}
    for group in range(metadata.num_row_groups):
        statistics = metadata.row_group(group).column(column).statistics
        known = statistics is not None and statistics.has_min_max
        found[group] = (statistics.min, statistics.max) if known else ("", chr(0x10FFFF))
    return found
