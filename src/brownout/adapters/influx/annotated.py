"""Annotated CSV, the answer of Flux: typed columns, in blocks whose columns and types differ.

A block begins with ``#datatype``; wherever the type of the values changes a new one begins. A table of errors may
follow rows, with status 200; lines that begin with ``#`` may also stand inside a quoted tag value. All rows of a table
have the same tags, so that tags are read once for each table.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import IO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from brownout.adapters.influx.equal_rows import equal_rows
from brownout.adapters.influx.rows import Gathered, Limit, converted, pieces_of, plausible, row_blocks, whole_numbers
from brownout.adapters.influx.series_assembly import Runs
from brownout.ingest.raw import Raw

__all__ = ["FluxError", "Table", "parse_annotated", "parse_strings", "tables_of"]

OWN = frozenset({"", "result", "table", "_time", "_value", "_field", "_start", "_stop", "_measurement"})
"""Columns that are not tags."""
NUMBERS = frozenset({"double", "long", "unsignedLong"})
WHOLE = {"long": pa.int64(), "unsignedLong": pa.uint64()}
MARK = b"#datatype"
NEW_LINE = 10
ANNOTATIONS = 3
SERIES_BYTES, RUN_BYTES = 512, 96
"""What the tags of a series, and the place of a run, take in memory."""
SCHEMA_BYTES = 16 << 20
"""What the names in a short answer may take in memory."""
COLUMNS = 1000
"""Most columns of a table: more than tags that anybody writes."""
CODED = pa.dictionary(pa.int32(), pa.binary())


class FluxError(ValueError):
    """An error that stands inside an answer with status 200."""


@dataclass(frozen=True, eq=False)
class Table:
    """The head of a block: names and types of its columns, and those that are the same in all rows of a table."""

    names: list[str]
    types: list[str]
    grouped: list[bool]

    @cached_property
    def unique(self) -> list[str]:
        """Names that no two columns share."""
        return [name if name and self.names.count(name) == 1 else f"\\0{n}" for n, name in enumerate(self.names)]

    @cached_property
    def texts(self) -> list[str]:
        """Tags, and the name of the field."""
        return [name for name in self.unique if name == "_field" or (name not in OWN and not name.startswith("\\0"))]

    @cached_property
    def numeric(self) -> bool:
        """Whether the values are numbers."""
        return self.types[self.names.index("_value")] in NUMBERS

    @cached_property
    def number(self) -> pa.DataType:
        """The type of the values."""
        return WHOLE.get(self.types[self.names.index("_value")], pa.float64())

    @cached_property
    def keyed(self) -> bool:
        """Whether the number of the table tells all tags."""
        group = dict(zip(self.unique, self.grouped, strict=True))
        return "table" in group and all(group[name] for name in self.texts)


@dataclass(eq=False)
class Reader:
    """Rows so far, as runs of one series and field."""

    fields: tuple[str, ...]
    limit: Limit
    times: Gathered = field(init=False)
    values: Gathered = field(init=False)
    runs: Runs = field(init=False)
    texts: set[str] = field(default_factory=set)
    low: list[tuple[int, npt.NDArray[np.float64]]] = field(default_factory=list)
    _codes: dict[tuple[tuple[str, str], ...], int] = field(default_factory=dict)
    _last: tuple[Table, int] | None = None

    def __post_init__(self) -> None:
        self.times, self.values = Gathered(np.int64, self.limit), Gathered(np.float64, self.limit)
        self.runs = Runs(self.fields)

    def take(self, table: Table, block: bytes) -> None:
        """Rows of one block; rows of text are noted by the name of their field, and left out."""
        if not table.numeric:
            self._note(table, block)
            return
        keyed = table.keyed and b'"' not in block
        equal = equal_rows(block, table.unique, table.number) if keyed else None
        if equal is not None:
            self._add(equal.times, equal.values)
            self._by_table(table, block, equal.tables, equal.ends)
        elif not self._convert(table, block, keyed=keyed):
            return
        self.limit.take(SERIES_BYTES * (len(self._codes) - self.runs.series))
        self.runs.series, self.runs.rows = len(self._codes), len(self.times)

    def _convert(self, table: Table, block: bytes, *, keyed: bool) -> bool:
        """Read rows of any form; returns whether there were any."""
        kinds: dict[str, pa.DataType] = {"_time": pa.timestamp("ns", "UTC"), "_value": table.number}
        kinds |= {"table": pa.int64()} if keyed else dict.fromkeys(table.texts, CODED)
        batch = converted(block, table.unique, kinds)
        if batch is None:
            return False
        self._add(batch.column("_time"), batch.column("_value"))
        if keyed:
            ends = np.flatnonzero(np.frombuffer(block, np.uint8) == NEW_LINE)
            self._by_table(table, block, batch.column("table").to_numpy(), ends)
        else:
            self._by_tags(table, batch, len(self.times) - batch.num_rows)
        return True

    def _add(self, times: pa.Array, values: pa.Array) -> None:
        if times.null_count:
            raise ValueError("the answer is malformed: a row has no time")
        start = len(self.times)
        moments = self.times.room(len(times))
        np.floor_divide(times.cast(pa.int64()).to_numpy(), 1_000_000, out=moments)
        plausible(moments)
        room = self.values.room(len(times))
        if not pa.types.is_integer(values.type):
            room[:] = values.to_numpy(zero_copy_only=False)  # null becomes NaN
            return
        room[:], low = whole_numbers(values)
        if low is not None:
            self.limit.take(low.nbytes)
            self.low.append((start, low))

    def _by_table(
        self, table: Table, block: bytes, numbers: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
    ) -> None:
        """Runs where the number of the table changes; the tags stand in the first row of each."""
        first = np.flatnonzero(np.concatenate(([True], numbers[1:] != numbers[:-1])))
        if self._last is not None and self._last[0] is table and self._last[1] == numbers[0]:
            first = first[1:]
        self._last = (table, int(numbers[-1]))
        if not len(first):
            return
        self.limit.take(RUN_BYTES * len(first))
        if len(ends) < len(numbers) or block[ends[len(numbers) - 1] :].strip():
            raise ValueError("the answer is malformed: an empty line between rows")
        start = len(self.times) - len(numbers)
        for row in first.tolist():
            line = block[ends[row - 1] + 1 if row else 0 : ends[row]]
            self._begin(start + row, dict(zip(table.unique, _cells(line), strict=True)), table)

    def _by_tags(self, table: Table, batch: pa.RecordBatch, start: int) -> None:
        """Runs where any tag changes."""
        self._last = None
        columns = [batch.column(name) for name in table.texts]
        new = np.zeros(batch.num_rows, bool)
        new[0] = True
        for column in columns:
            codes = column.indices.to_numpy()
            new[1:] |= codes[1:] != codes[:-1]
        rows = np.flatnonzero(new)
        self.limit.take(RUN_BYTES * len(rows))
        texts = [[_text(value) for value in column.take(pa.array(rows)).to_pylist()] for column in columns]
        for row, *cells in zip(rows.tolist(), *texts, strict=True):
            self._begin(start + row, dict(zip(table.texts, cells, strict=True)), table)

    def _begin(self, row: int, cells: dict[str, str], table: Table) -> None:
        key = tuple((name, cells[name]) for name in table.texts if name != "_field" and cells[name])
        self.runs.begin(row, self._codes.setdefault(key, len(self._codes)), cells["_field"])

    def _note(self, table: Table, block: bytes) -> None:
        batch = converted(block, table.unique, {"_field": CODED})
        self._last = None
        if batch is not None:
            self.texts.update(_text(name) for name in batch.column("_field").dictionary.to_pylist())

    def raw(self) -> Raw:
        """All rows, one for each series and time."""
        tags = tuple(dict(key) for key in self._codes)
        values = self.values.array()
        low = np.zeros(len(values) if self.low else 0)
        for start, part in self.low:
            low[start : start + len(part)] = part
        return self.runs.raw(tags, self.times.array(), values, low if self.low else None)


def parse_annotated(
    answer: IO[bytes] | Iterable[bytes],
    fields: tuple[str, ...],
    *,
    limit: int | None = None,
    texts: set[str] | None = None,
) -> Raw:
    """Samples in an answer with one row for each field and time, values as floats.

    ``texts`` takes the names of fields that hold text; their rows are left out. Raises FluxError for an error inside
    the answer, ValueError where it is malformed or cut short, TooLargeError beyond the limit (bytes of memory).
    """
    reader = Reader(fields, Limit(limit))
    for table, block in tables_of(pieces_of(answer)):
        if "error" in table.names and "_value" not in table.names:
            raise FluxError(_first_row(table, block).get("error") or "unknown error")
        missing = {"_time", "_value", "_field"} - set(table.unique)
        if missing:
            raise ValueError(f"a table of the answer has no columns {sorted(missing)}, only {table.names}")
        reader.take(table, block)
    if texts is not None:
        texts.update(reader.texts)
    return reader.raw()


def tables_of(pieces: Iterable[bytes]) -> Iterator[tuple[Table, bytes]]:
    """Rows with the head of their block, some at a time; each head comes at least once, if without rows."""
    table: Table | None = None
    rest, end_of_data, rows = b"", b"", False
    for block in row_blocks(pieces):
        data, rest = rest + block if rest else block, b""
        end_of_data = (end_of_data + data[-4:])[-4:]
        starts = [*_starts(data), len(data)]
        if table is not None:
            rows = rows or starts[0] > 0
            yield table, data[: starts[0]]
        elif data[: starts[0]].strip():
            raise ValueError(f"the answer does not begin with annotations but with {_shown(data[:60])}")
        for start, end in pairwise(starts):
            header = _head(data[start:end])
            if header is None:
                rest = data[start:]
                break
            table, length = header
            rows = end > start + length
            yield table, data[start + length : end]
    if rest:
        raise ValueError("the answer was cut short inside its header")
    if end_of_data and not end_of_data.endswith(b"\n"):
        raise ValueError("the answer was cut short inside a row")
    if rows and not end_of_data.endswith((b"\n\n", b"\n\r\n")):
        raise ValueError("the answer was cut short: its last table does not end")


def _starts(data: bytes) -> Iterator[int]:
    """Where blocks begin: the mark at the start of a line outside of quotes."""
    position, quotes, counted = 0, 0, 0
    while (index := _mark(data, position)) >= 0:
        if index == 0 or data[index - 1] == NEW_LINE:
            quotes += data.count(b'"', counted, index)
            counted = index
            if quotes % 2 == 0:
                yield index
        position = index + len(MARK)


def _mark(data: bytes, position: int) -> int:
    """Where the mark stands next: one sign is found far faster than several, and is seldom part of a tag."""
    for _ in range(8):
        index = data.find(b"#", position)
        if index < 0 or data.startswith(MARK, index):
            return index
        position = index + 1
    return data.find(MARK, position)


def _head(data: bytes) -> tuple[Table, int] | None:
    """The annotations and the header, and their length; None where they are not all there yet."""
    lines: list[list[str]] = []
    position = 0
    for _ in range(ANNOTATIONS + 1):
        stop = data.find(b"\n", position)
        if stop < 0:
            return None
        lines.append(_cells(data[position:stop]))
        position = stop + 1
    marks = {line[0]: line for line in lines[:ANNOTATIONS]}
    names = lines[-1]
    types, group = marks.get("#datatype", []), marks.get("#group", [])
    if not len(names) == len(types) == len(group) <= COLUMNS:
        raise ValueError(f"the answer is malformed: annotations of {len(types)} and {len(group)} columns, not {names}")
    return Table(names, types, [cell == "true" for cell in group]), position


def _cells(line: bytes) -> list[str]:
    try:
        return next(csv.reader([line.decode(errors="backslashreplace").rstrip("\r")]), [""])
    except csv.Error as error:
        raise ValueError(f"the answer is malformed: {error}") from None


def _first_row(table: Table, block: bytes) -> dict[str, str]:
    batch = converted(block, table.unique, dict.fromkeys(table.unique, pa.binary()))
    return {} if batch is None else {name: _text(batch.column(name)[0].as_py()) for name in table.unique}


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode(errors="backslashreplace")


def _shown(data: bytes) -> str:
    return repr(data.decode(errors="backslashreplace"))


def parse_strings(answer: IO[bytes] | Iterable[bytes]) -> tuple[str, ...]:
    """The column ``_value`` of an answer as text; raises as ``parse_annotated`` does."""
    values: list[str] = []
    limit = Limit(SCHEMA_BYTES)
    for table, block in tables_of(pieces_of(answer)):
        if "error" in table.names and "_value" not in table.names:
            raise FluxError(_first_row(table, block).get("error") or "unknown error")
        if "_value" not in table.unique:
            raise ValueError(f"a table of the answer has no column _value, only {table.names}")
        batch = converted(block, table.unique, {"_value": pa.binary()})
        if batch is not None:
            limit.take(batch.num_rows * RUN_BYTES)
            values += [_text(value) for value in batch.column("_value").to_pylist()]
    return tuple(values)
