"""Checksums of the files of a history: pages have those of Parquet, row groups and the footer these.

Parquet's own cover the bytes of a page, not its header and not the footer, where a flipped bit changes names, places or
statistics unseen. The note in the footer therefore holds a CRC-32 of the footer (with these digits as zeros) and one of
the bytes of each row group. Files of releases up to 0.1.0 have none of them.
"""

import re
import zlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from brownout.domain.errors import HistoryError

__all__ = ["CHECKSUMS", "DamagedFileError", "blank_checksums", "check_file", "check_footer", "seal"]

CHECKSUMS = "checksums"
"""Key in the note of a file."""
DIGITS = 8
TAIL = 8
"""Bytes after the footer: its length, and PAR1."""
CHUNK = 2**22
PLACE = re.compile(rb'"checksums": "([0-9a-f]*)"')


class DamagedFileError(HistoryError):
    """A file of the history that is damaged; ``path`` is the file."""

    def __init__(self, path: Path, why: object) -> None:
        remedy = "Its week is left out until the next sync, which brings it again where the source still has it."
        super().__init__(f"{path} is damaged: {why}.", remedy=remedy)
        self.path = path


def blank_checksums(groups: int) -> str:
    """What stands in the note of a file of so many row groups until ``seal`` fills it in."""
    return "0" * DIGITS * (groups + 1)


def seal(path: Path) -> None:
    """Fill in the checksums of a finished file whose note has blank ones."""
    start, footer = _footer(path)
    match = PLACE.search(footer)
    if match is None:
        msg = f"{path} has no place for its checksums"
        raise ValueError(msg)
    digits = (_crc_of_group(path, group) for group in _groups(path))
    text = "".join(f"{crc:0{DIGITS}x}" for crc in (zlib.crc32(footer), *digits)).encode()
    with path.open("r+b") as file:
        file.seek(start + match.start(1))
        file.write(text)


def check_footer(path: Path) -> None:
    """Raise DamagedFileError where the footer of a file is not what was written; once a file."""
    _known_footer(*_identity(path))


def check_file(path: Path, groups: Iterable[int] | None = None) -> None:
    """Raise DamagedFileError where the footer, or any of the row groups (all of them), is not what was written."""
    identity = _identity(path)
    expected = _known_footer(*identity)
    for group in range(len(expected) - 1) if groups is None else groups:
        if group + 1 < len(expected):
            _known_group(*identity, group, expected[group + 1])


def _identity(path: Path) -> tuple[Path, int, int, int]:
    """Files are replaced whole: one with the same number, age and size has not changed, unless its disk rots."""
    try:
        state = path.stat()
    except OSError as error:
        raise DamagedFileError(path, error) from error
    return path, state.st_ino, state.st_mtime_ns, state.st_size


@lru_cache(maxsize=4096)
def _known_footer(path: Path, _inode: int, _age: int, _size: int) -> tuple[int, ...]:
    """The checksums of a file, the footer's first; none where it was written without."""
    try:
        _, footer = _footer(path)
    except (OSError, ValueError) as error:
        raise DamagedFileError(path, error) from error
    match = PLACE.search(footer)
    if match is None:
        return ()
    text = match[1].decode()
    digits = tuple(int(text[offset : offset + DIGITS], 16) for offset in range(0, len(text), DIGITS))
    blank = footer[: match.start(1)] + b"0" * len(text) + footer[match.end(1) :]
    if not digits or zlib.crc32(blank) != digits[0]:
        raise DamagedFileError(path, "its footer is not what was written")
    return digits


@lru_cache(maxsize=65536)
def _known_group(path: Path, _inode: int, _age: int, _size: int, group: int, expected: int) -> None:
    try:
        sound = _crc_of_group(path, _groups(path)[group]) == expected
    except (OSError, IndexError) as error:
        raise DamagedFileError(path, error) from error
    if not sound:
        raise DamagedFileError(path, f"row group {group} is not what was written")


def _footer(path: Path) -> tuple[int, bytes]:
    """Where the footer of a file begins, and its bytes."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(size - TAIL, 0))
        tail = file.read(TAIL)
        length = int.from_bytes(tail[:4], "little")
        start = size - TAIL - length
        if tail[4:] != b"PAR1" or start < len(b"PAR1"):
            msg = "it does not end as a Parquet file"
            raise ValueError(msg)
        file.seek(start)
        return start, file.read(length)


def _groups(path: Path) -> tuple[tuple[int, int], ...]:
    """First byte and number of bytes of each row group."""
    state = path.stat()
    return _groups_of(path, state.st_ino, state.st_mtime_ns)


@lru_cache(maxsize=1024)
def _groups_of(path: Path, _inode: int, _age: int) -> tuple[tuple[int, int], ...]:
    try:
        metadata = pq.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        raise DamagedFileError(path, error) from error
    extents = []
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        columns = [row_group.column(column) for column in range(row_group.num_columns)]
        starts = [min(filter(None, (c.dictionary_page_offset, c.data_page_offset))) for c in columns]
        ends = [start + c.total_compressed_size for start, c in zip(starts, columns, strict=True)]
        extents.append((min(starts), max(ends) - min(starts)))
    return tuple(extents)


def _crc_of_group(path: Path, extent: tuple[int, int]) -> int:
    start, left = extent
    crc = 0
    with path.open("rb") as file:
        file.seek(start)
        while left > 0:
            data = file.read(min(CHUNK, left))
            if not data:
                msg = "it is cut short"
                raise OSError(msg)
            crc, left = zlib.crc32(data, crc), left - len(data)
    return crc
