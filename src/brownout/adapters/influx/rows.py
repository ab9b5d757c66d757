"""Rows of a CSV answer as they arrive: cut into blocks, converted, and gathered within a limit of memory."""

from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from brownout.adapters.influx.http import TooLargeError

__all__ = ["Gathered", "Limit", "converted", "count", "pieces_of", "plausible", "row_blocks", "whole_numbers"]

BLOCK = 2 << 20
"""Bytes that are converted at a time."""
LONGEST_ROW = 1 << 20
YEAR_2248_MS = 1 << 43
EXACT = float(1 << 53)
"""Whole numbers up to this are floats without loss."""


def pieces_of(answer: IO[bytes] | Iterable[bytes]) -> Iterator[bytes]:
    """Pieces of an answer that is a file, or comes in pieces already."""
    read = getattr(answer, "read", None)
    yield from iter(lambda: read(BLOCK), b"") if read is not None else answer


def row_blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """About two MiB each that end with a row; the last one may lack its line end. Line ends in quotes end no row."""
    parts: list[bytes] = []
    size = 0
    for piece in pieces:
        parts.append(piece)
        size += len(piece)
        if size >= BLOCK:
            stop = piece.rfind(b"\n") + 1
            data, rest = b"".join([*parts[:-1], piece[:stop]]), piece[stop:]
            end = _end_of_rows(data)
            if end < len(data):
                data, rest = data[:end], data[end:] + rest
            if len(rest) > LONGEST_ROW:
                raise TooLargeError(f"a row is longer than {LONGEST_ROW >> 20} MiB, the limit")
            parts, size = [rest], len(rest)
            if data:
                yield data
    last = b"".join(parts)
    if last:
        yield last


def _end_of_rows(data: bytes) -> int:
    """Where the last whole row ends: after a line end with an even number of quotes before it."""
    end = data.rfind(b"\n") + 1
    odd = count(b'"', data[:end]) % 2 if b'"' in data else 0
    while end and odd:
        before = data.rfind(b"\n", 0, end - 1) + 1
        odd ^= data.count(b'"', before, end) % 2
        end = before
    return end


def count(sign: bytes, data: bytes) -> int:
    """How often a sign stands in data; ``bytes.count`` takes several times as long."""
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == ord(sign)))


def converted(block: bytes, names: list[str], kinds: Mapping[str, pa.DataType]) -> pa.RecordBatch | None:
    """Typed columns of a block of rows, those with a type only; None where it has no rows.

    Raises ValueError where a row has more or fewer columns, or a value is not of its type.
    """
    if not block or block.isspace():
        return None
    try:
        table = pacsv.read_csv(
            pa.BufferReader(block),
            read_options=pacsv.ReadOptions(column_names=names, block_size=len(block) + 1, use_threads=False),
            parse_options=pacsv.ParseOptions(quote_char='"' if b'"' in block else False),
            convert_options=pacsv.ConvertOptions(
                column_types=kinds,
                include_columns=list(kinds),
                null_values=[""],  # each further spelling is looked for in every number
                strings_can_be_null=False,
                timestamp_parsers=[pacsv.ISO8601],
            ),
        )
    except pa.ArrowInvalid as error:
        problem = str(error)
    else:
        return table.combine_chunks().to_batches()[0] if table.num_rows else None
    raise ValueError(f"the answer is malformed: {problem}")


def whole_numbers(column: pa.Array) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64] | None]:
    """A column of whole numbers as floats, null as NaN, and what the floats lack; None where they lack nothing."""
    values = pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    if not len(values) or not (np.fmax.reduce(values) > EXACT or np.fmin.reduce(values) < -EXACT):
        return values, None
    exact = pc.fill_null(column, 0).to_numpy()
    high, rest = exact >> 32, exact & 0xFFFFFFFF
    return values, np.nan_to_num(high.astype(np.float64) * 2.0**32 - values) + rest.astype(np.float64)


def plausible(times: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Times in ms; ValueError where one lies before 1970 or far in the future."""
    if len(times) and not (times.min() >= 0 and times.max() < YEAR_2248_MS):
        worst = int(times.min() if times.min() < 0 else times.max())
        raise ValueError(f"the answer has a time that cannot be: {worst} ms since 1970")
    return times


class Limit:
    """Memory that is left for an answer."""

    def __init__(self, size: int | None) -> None:
        self._size = self._left = size

    def take(self, size: int) -> None:
        """Use some of it; raises TooLargeError where there is no more."""
        if self._left is None or self._size is None:
            return
        self._left -= size
        if self._left < 0:
            raise TooLargeError(f"the samples of the answer take more than {self._size / (1 << 20):g} MiB, the limit")


class Gathered:
    """Rows of one width, counted against a limit. Blocks are kept apart until the end: growing would copy them."""

    def __init__(self, kind: npt.DTypeLike, limit: Limit, width: int = 0) -> None:
        self._blocks: list[npt.NDArray[Any]] = []
        self._kind, self._shape = kind, (width,) if width else ()
        self._limit = limit
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def room(self, rows: int) -> npt.NDArray[Any]:
        """Space for so many more rows, to be filled."""
        block: npt.NDArray[Any] = np.empty((rows, *self._shape), self._kind)
        self._limit.take(block.nbytes)
        self._blocks.append(block)
        self._rows += rows
        return block

    def array(self) -> npt.NDArray[Any]:
        """All rows; they are gone from here afterwards."""
        blocks, self._blocks = self._blocks, []
        return np.concatenate(blocks) if blocks else np.empty((0, *self._shape), self._kind)
