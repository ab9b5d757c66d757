"""Chunked CSV, the answer of InfluxQL: one row a series and time, one column a field, tags of a series in one text.

It loses errors silently: on a time-out in the middle the answer just ends, with status 200. So each query is followed
by ``SHOW DATABASES``, whose block is there only if the query before it succeeded.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import IO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from brownout.adapters.influx.rows import (
    Gathered,
    Limit,
    converted,
    count,
    pieces_of,
    plausible,
    row_blocks,
    whole_numbers,
)
from brownout.adapters.influx.series_assembly import in_order
from brownout.ingest.raw import Raw

__all__ = ["BrokenOffError", "parse_answer", "tags_of"]

SENTINEL = b"name,tags,name"
LISTED = b"databases,"
ESCAPED = re.compile(r"\\([,= ])")
KEY = re.compile(r"^((?:[^=\\]|\\.)+)=")
SERIES_BYTES = 512
"""What the tags of a series take in memory."""
COLUMNS = 50
"""Most names of columns in an error."""


class BrokenOffError(ValueError):
    """An answer that ended before it was whole; ``empty`` where it ended before it began, as errors do."""

    def __init__(self, message: str, *, empty: bool) -> None:
        super().__init__(message)
        self.empty = empty


class Reader:
    """Rows so far."""

    def __init__(self, fields: tuple[str, ...], limit: Limit, whole: Mapping[str, pa.DataType]) -> None:
        self._fields, self._limit = fields, limit
        self._names = [f"f{column}" for column in range(len(fields))]
        self._columns = ["name", "tags", "time", *self._names]
        text = pa.dictionary(pa.int32(), pa.binary())
        self._kinds = {"tags": text, "time": pa.int64()} | dict.fromkeys(self._names, pa.float64())
        self._whole = {f"f{column}": whole[name] for column, name in enumerate(fields) if name in whole}
        self._low: list[tuple[int, int, npt.NDArray[np.float64]]] = []
        self._codes: dict[bytes, int] = {}
        self._series = Gathered(np.int64, limit)
        self._times = Gathered(np.int64, limit)
        self._values = Gathered(np.float64, limit, width=len(fields))

    def begin(self, header: bytes) -> None:
        """Columns as the answer names them; ValueError where they are not those that were asked for."""
        try:
            names = next(csv.reader([header.decode(errors="backslashreplace").rstrip("\r")]), [])
        except csv.Error as error:
            raise ValueError(f"the answer is malformed: {error}") from None
        if names[:3] != self._columns[:3] or sorted(names[3:]) != sorted(self._fields):
            raise ValueError(f"unexpected columns {names[:COLUMNS]}")
        self._columns[3:] = [f"f{self._fields.index(name)}" for name in names[3:]]

    def take(self, block: bytes) -> None:
        """Rows of a block."""
        batch = self._converted(block)
        if batch is None:
            return
        tags, times = batch.column("tags"), batch.column("time")
        if times.null_count:
            raise ValueError("the answer is malformed: a row has no time")
        known = len(self._codes)
        codes = [self._codes.setdefault(text, len(self._codes)) for text in tags.dictionary.to_pylist()]
        self._limit.take(SERIES_BYTES * (len(self._codes) - known))
        self._series.room(batch.num_rows)[:] = np.array(codes, np.int64)[tags.indices.to_numpy()]
        moments = self._times.room(batch.num_rows)
        moments[:] = times.to_numpy()
        plausible(moments)
        values = self._values.room(batch.num_rows)
        start = len(self._values) - batch.num_rows
        for column, name in enumerate(self._names):
            if name not in self._whole:
                values[:, column] = batch.column(name).to_numpy(zero_copy_only=False)  # null becomes NaN
                continue
            values[:, column], low = whole_numbers(batch.column(name))
            if low is not None:
                self._limit.take(low.nbytes)
                self._low.append((start, column, low))

    def _converted(self, block: bytes) -> pa.RecordBatch | None:
        """Typed columns; where a field is no longer of the type that was listed, all as floats."""
        if self._whole:
            try:
                return converted(block, self._columns, self._kinds | self._whole)
            except ValueError:
                self._whole = {}
        return converted(block, self._columns, self._kinds)

    def raw(self) -> Raw:
        """All rows."""
        tags = tuple(tags_of(text.decode(errors="backslashreplace")) for text in self._codes)
        values = self._values.array()
        low = np.zeros(values.shape if self._low else 0)
        for start, column, part in self._low:
            low[start : start + len(part), column] = part
        series, times = self._series.array(), self._times.array()
        return in_order(self._fields, tags, series, times, values, low=low if self._low else None)


def parse_answer(
    answer: IO[bytes] | Iterable[bytes],
    fields: tuple[str, ...],
    *,
    limit: int | None = None,
    whole: Mapping[str, pa.DataType] | None = None,
) -> Raw:
    """Samples in a CSV answer; ``whole`` are the types of fields that are whole numbers.

    Raises ValueError where it was broken off or is malformed, TooLargeError beyond the limit (bytes of memory).
    """
    reader = Reader(fields, Limit(limit), whole or {})
    blocks = _without_empty_lines(row_blocks(pieces_of(answer)))
    first = next(blocks, b"")
    block = first
    if not first.startswith(SENTINEL):
        header, end, block = first.partition(b"\n")
        if not end:
            shown = f", with {first[:80].decode(errors='backslashreplace')!r}" if first else ""
            raise BrokenOffError(f"the answer was broken off before its first row{shown}", empty=not first)
        reader.begin(header)
    while (stop := _sentinel(block)) < 0:
        reader.take(block)
        following = next(blocks, None)
        if following is None:
            raise BrokenOffError("the answer was broken off in the middle", empty=False)
        block = following
    reader.take(block[:stop])
    _only_databases(block[stop:], blocks)
    return reader.raw()


def _without_empty_lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Blocks from the first line on that is not empty."""
    for block in blocks:
        begun = block.lstrip(b"\r\n")
        if begun:
            yield begun
            yield from blocks


def _sentinel(block: bytes) -> int:
    """Where the block of the second statement begins; -1 where it does not. Rows of samples have more columns."""
    position = -1
    while (position := block.find(SENTINEL, position + 1)) >= 0:
        alone = block[position + len(SENTINEL) :].startswith((b"\n", b"\r\n"))
        begins = position == 0 or block[position - 1 : position] == b"\n"
        if alone and begins and count(b'"', block[:position]) % 2 == 0:
            return position
    return -1


def _only_databases(block: bytes, blocks: Iterator[bytes]) -> None:
    """Nothing but names of databases stands after the mark; ValueError where rows do."""
    _, _, rest = block.partition(b"\n")
    for part in (rest, *blocks):
        for line in part.splitlines():
            if line.strip() and not line.startswith((LISTED, SENTINEL)):
                raise ValueError("the answer goes on after its end")


def tags_of(text: str) -> dict[str, str]:
    r"""Tags of a series from ``host=a\,b,name=x``, where commas, equals signs and spaces of values are escaped.

    A backslash is not escaped, so that a comma after one may end a value that ends in a backslash: it does where an
    equals sign that is not escaped follows, for values have none.
    """
    parts: list[str] = []
    for piece in text.split(","):
        if KEY.match(piece):
            parts.append(piece)
        elif parts:
            parts[-1] += "," + piece
    pairs = (KEY.split(part, maxsplit=1)[1:] for part in parts)
    return {ESCAPED.sub(r"\1", key): ESCAPED.sub(r"\1", value) for key, value in pairs if value}
