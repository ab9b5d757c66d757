"""Annotated CSV, the answer of Flux: typed columns, in blocks whose columns differ.

A block begins with ``#datatype``; a table of errors may follow rows, with status 200; lines that begin with ``#`` may
also stand inside a quoted tag value.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import IO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pacsv

from brownout.adapters.influx.assemble import from_long
from brownout.ingest.raw import Raw

__all__ = ["FluxError", "blocks_of", "parse_annotated", "text_column"]

OWN = frozenset({"", "result", "table", "_time", "_value", "_field", "_start", "_stop", "_measurement"})
"""Columns that are not tags."""
MARK = b"#datatype"
CHUNK = 4 << 20
ANNOTATIONS = 3


class FluxError(Exception):
    """An error that stands inside an answer with status 200."""


@dataclass(eq=False)
class Columns:
    """Rows of all blocks so far."""

    times: list[npt.NDArray[np.int64]] = field(default_factory=list)
    values: list[npt.NDArray[np.float64]] = field(default_factory=list)
    names: list[pa.Array] = field(default_factory=list)
    tags: dict[str, list[pa.Array]] = field(default_factory=dict)
    rows: int = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Take a batch; a tag that a block has no column for is absent in its rows."""
        own = batch.schema.names
        for name in own:
            if name not in OWN and name not in self.tags:
                self.tags[name] = [pa.nulls(self.rows, TEXT)] if self.rows else []
        for name, parts in self.tags.items():
            parts.append(batch.column(name) if name in own else pa.nulls(batch.num_rows, TEXT))
        self.times.append(batch.column("_time").cast(pa.timestamp("ms", "UTC"), safe=False).cast(pa.int64()).to_numpy())
        self.values.append(batch.column("_value").to_numpy(zero_copy_only=False))  # null becomes NaN
        self.names.append(batch.column("_field"))
        self.rows += batch.num_rows


TEXT = pa.dictionary(pa.int32(), pa.string())


def parse_annotated(answer: IO[bytes], fields: tuple[str, ...]) -> Raw:
    """Samples in an answer with one row for each field and time, values as floats.

    Raises FluxError for an error inside the answer, ValueError where it is malformed or cut short.
    """
    found = Columns()
    for header, body in blocks_of(answer):
        names = _names(header)
        if "error" in names and "_value" not in names:
            raise FluxError(_first_row(names, body).get("error", "unknown error"))
        missing = {"_time", "_value", "_field"} - set(names)
        if missing:
            msg = f"a table of the answer has no columns {sorted(missing)}, only {names}"
            raise ValueError(msg)
        for batch in _batches(names, body):
            found.add(batch)
    if not found.rows:
        return Raw.empty(fields)
    return from_long(
        np.concatenate(found.times),
        {tag: pa.chunked_array(parts, TEXT) for tag, parts in found.tags.items()},
        pa.chunked_array(found.names, TEXT),
        np.concatenate(found.values),
        fields,
    )


def blocks_of(answer: IO[bytes]) -> Iterator[tuple[list[bytes], pa.Buffer]]:
    """Annotation lines with the header, and the rows after them, block by block."""
    data = answer.read()
    whole = pa.py_buffer(data)
    starts = list(_starts(data))
    if data[: starts[0]].strip() if starts else data and not data.isspace():
        msg = f"the answer does not begin with annotations but with {data[:60]!r}"
        raise ValueError(msg)
    for start, end in pairwise([*starts, len(data)]):
        lines, position = [], start
        for _ in range(ANNOTATIONS + 1):
            stop = data.find(b"\n", position, end)
            if stop < 0:
                raise ValueError("the answer was cut short inside its header")
            lines.append(data[position:stop].rstrip(b"\r"))
            position = stop + 1
        if end == len(data) and not data.endswith(b"\n"):
            raise ValueError("the answer was cut short inside a row")
        yield lines, whole[position:end]


def _starts(data: bytes) -> Iterator[int]:
    """Where blocks begin: the mark at the start of a line outside of quotes."""
    position, quotes, counted = 0, 0, 0
    while (found := _mark(data, position)) >= 0:
        if found == 0 or data[found - 1] == 10:  # a line feed
            quotes += data.count(b'"', counted, found)
            counted = found
            if quotes % 2 == 0:
                yield found
        position = found + len(MARK)


def _mark(data: bytes, position: int) -> int:
    """Where the mark stands next: one sign is found far faster than several, and is seldom part of a tag."""
    for _ in range(8):
        found = data.find(b"#", position)
        if found < 0 or data.startswith(MARK, found):
            return found
        position = found + 1
    return data.find(MARK, position)


def _names(header: list[bytes]) -> list[str]:
    table = pacsv.read_csv(
        pa.BufferReader(header[-1] + b"\n"),
        read_options=pacsv.ReadOptions(autogenerate_column_names=True),
        convert_options=pacsv.ConvertOptions(column_types={}, strings_can_be_null=False),
    )
    return ["" if column[0].as_py() is None else str(column[0].as_py()) for column in table.columns]


def _first_row(names: list[str], body: pa.Buffer) -> dict[str, str]:
    for batch in _batches(names, body, text_only=True):
        return {name: str(batch.column(place)[0]) for place, name in enumerate(names) if batch.num_rows}
    return {}


def text_column(name: str) -> bool:
    """Whether a column holds text that repeats: a tag, or the name of the field."""
    return name == "_field" or name not in OWN


def _batches(names: list[str], body: pa.Buffer, *, text_only: bool = False) -> Iterator[pa.RecordBatch]:
    if not body.size or (body.size < CHUNK and body.to_pybytes().isspace()):
        return
    unique = [name if name and names.count(name) == 1 else f"\\0{place}" for place, name in enumerate(names)]
    kinds = {name: TEXT for name in unique if text_only or text_column(name)}
    if not text_only:
        kinds |= {"_time": pa.timestamp("ns", "UTC"), "_value": pa.float64()}
    wanted = [name for name in unique if text_only or name in kinds]
    try:
        table = pacsv.read_csv(
            pa.BufferReader(body),
            read_options=pacsv.ReadOptions(column_names=unique, block_size=CHUNK),
            parse_options=pacsv.ParseOptions(newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                column_types=kinds, include_columns=wanted, strings_can_be_null=False, timestamp_parsers=[pacsv.ISO8601]
            ),
        )
    except pa.ArrowInvalid as error:
        raise ValueError(f"the answer is malformed: {error}") from error
    yield from table.to_batches()
