"""The history: one truth of everything read so far, as Parquet files.

``history.json`` describes it. ``samples/2026-03-02.parquet`` holds the week that begins on that Monday,
``samples/2026-03-02T06.parquet`` six hours of a week that is not over; a week's file supersedes those of its hours.
Rows are sorted by entity and time. Each file carries in its metadata when each entity was measured and the repairs made
to its rows, so that they are counted once however often a run is killed and repeated. The watermark only moves after
the file is whole.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from brownout.domain.entities import Topology
from brownout.domain.errors import HistoryError
from brownout.domain.metrics import Metric
from brownout.domain.ports import Span
from brownout.domain.repairs import Repair, Repairs
from brownout.ingest.spans import merge_spans, spans_of
from brownout.numerics.slots import days, epoch_ms, time_of
from brownout.store.atomic import atomic_path
from brownout.store.dataset import read_samples
from brownout.store.integrity.checksums import (
    CHECKSUMS,
    DamagedFileError,
    blank_checksums,
    check_footer,
    seal,
)
from brownout.store.integrity.damaged_files import LOST, damaged_slices, restored_slices
from brownout.store.integrity.history_description import Description, read_description, write_description
from brownout.store.parquet import ROWS_A_GROUP, samples_writer
from brownout.store.plain_json import json_value
from brownout.store.row_groups import files_holding, row_ranges_note, row_ranges_of

__all__ = [
    "HOURS",
    "WEEK",
    "DescribedStore",
    "Description",
    "History",
    "SlicePart",
    "current_files",
    "file_of",
    "is_week",
    "note_of",
    "part_of",
    "repairs_in",
    "repairs_of",
    "samples_schema",
    "slice_of",
    "slice_start",
    "slices_in",
    "week_of",
    "write_description",
    "write_samples",
]

WEEK = days(7)
HOURS = days(0.25)
"""What is read of a live source at a time: small enough for memory, large enough for columns."""
MONDAY = np.datetime64("1970-01-05", "ms")
NOTE = b"brownout"
SlicePart = tuple[int, Sequence[Sequence[Any]]]
"""Rows that were read of a slice, and ``(kind of repair, entity, number)``."""


def week_of(time: np.datetime64) -> np.datetime64:
    """Monday 00:00 UTC of the week of a time."""
    return slice_of(time, WEEK)


def slice_of(time: np.datetime64, length: np.timedelta64) -> np.datetime64:
    """Start of the slice of a time; slices of all lengths begin on Mondays."""
    start: np.datetime64 = MONDAY + (time.astype("datetime64[ms]") - MONDAY) // length * length
    return start


def file_of(folder: Path, start: np.datetime64, length: np.timedelta64) -> Path:
    """The file of a slice."""
    unit = "D" if length == WEEK else "h"
    return folder / "samples" / f"{start.astype(f'datetime64[{unit}]')}.parquet"


def slice_start(path: Path) -> np.datetime64:
    """When the slice of a file begins."""
    return np.datetime64(path.stem, "ms")


class DescribedStore:
    """What a description says of a sample store, wherever the samples are."""

    description: Description

    @property
    def name(self) -> str:
        """Name of what it was read from."""
        return self.description.source

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All metrics, as gauges."""
        return self.description.metrics

    @cached_property
    def topology(self) -> Topology:
        """All entities ever described or seen."""
        return Topology.of(self.description.entities)

    @property
    def interval_s(self) -> int | None:
        """Seconds between samples where the source states one."""
        return self.description.interval_s


@dataclass(frozen=True)
class History(DescribedStore):
    """A history folder, read. A sample store."""

    folder: Path
    description: Description
    files: tuple[Path, ...] = field(default=())
    damaged: dict[Path, DamagedFileError] = field(default_factory=dict, init=False, compare=False, repr=False)
    """Files that could not be read so far; they are left out."""

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open an existing history; raises HistoryError where there is none or it is damaged."""
        description, _ = read_description(folder)
        return cls(folder, description, current_files(folder))

    def _existing_files(self) -> tuple[Path, ...]:
        if not self.files:
            msg = f"The history in {self.folder} has no samples."
            raise HistoryError(msg, remedy="Sync a source that has data.")
        return self.files

    @cached_property
    def _notes(self) -> Mapping[Path, Mapping[str, Any]]:
        notes = {}
        for path in self.files:
            try:
                notes[path] = note_of(path)
            except DamagedFileError as error:
                self._leave_out(error)
        return notes

    def _leave_out(self, error: DamagedFileError) -> None:
        self.damaged[error.path] = error

    @cached_property
    def _spans(self) -> Mapping[str, Span]:
        self._existing_files()
        parts = [
            {
                name: Span(first=time_of(first), last=time_of(last), interval_s=step, rows=rows)
                for name, (first, last, step, rows) in note["spans"].items()
            }
            for note in self._notes.values()
        ]
        return merge_spans(parts, self.interval_s)

    def spans(self) -> Mapping[str, Span]:
        """When each entity was measured, from the metadata of the files."""
        return self._spans

    def rows_by_slice(self) -> Mapping[np.datetime64, int]:
        """How many rows were read of each slice; a week that was joined of slices counts as these."""
        rows: dict[np.datetime64, int] = {}
        for path in self._notes:
            rows |= {np.datetime64(name, "ms"): part[0] for name, part in slices_in(path).items()}
        return rows

    def read(
        self, entities: Sequence[str], *, start: np.datetime64 | None = None, end: np.datetime64 | None = None
    ) -> pa.Table:
        """Samples of the entities from start until before end."""
        samples = files_holding(
            self._existing_files(), entities, samples_schema(self.metrics), on_damage=self._leave_out
        )
        return read_samples(samples, entities, start=start, end=end)

    def repairs(self, *, since: np.datetime64 | None = None) -> Repairs:
        """Repairs made to the rows of all files, or of those of the week of a time and later ones, and to files."""
        total = Repairs()
        for path, note in self._notes.items():
            if since is None or slice_start(path) >= week_of(since):
                total += repairs_in(note)
        missing = (*self.damaged, *damaged_slices(self.folder), *damaged_slices(self.folder, LOST))
        names = {path.name for path in missing if since is None or slice_start(path) >= week_of(since)}
        restored = Repairs.count(Repair.RESTORED, (path.name for path in restored_slices(self.folder)))
        return total + self.description.unread + Repairs.count(Repair.DAMAGED, names) + restored


def current_files(folder: Path) -> tuple[Path, ...]:
    """Files in the order of time, without those of hours whose week has a file of its own."""
    files = sorted((folder / "samples").glob("*.parquet"), key=lambda path: (slice_start(path), path.name))
    weeks = {slice_start(path) for path in files if is_week(path)}
    return tuple(path for path in files if is_week(path) or week_of(slice_start(path)) not in weeks)


def is_week(path: Path) -> bool:
    """Whether a file holds a week, and not hours of one."""
    return "T" not in path.stem


def write_samples(
    target: Path,
    schema: pa.Schema,
    parts: Iterable[tuple[pa.Table, Repairs]],
    *,
    coarse_s: int | None = None,
    slices: Mapping[str, SlicePart] | None = None,
) -> tuple[int, Repairs]:
    """Replace a file by tables one after the other, in one step; returns the number of rows and all repairs.

    Rows must be sorted by entity and time, and no entity may stand in two tables; columns that a table lacks are empty.
    Spans, repairs, ``coarse_s`` (the interval that rows were thinned to) and ``slices`` (the repairs of each slice that
    a week was joined of) are noted in the file, with checksums.
    """
    spans: dict[str, list[int]] = {}
    row_ranges: dict[str, tuple[int, int]] = {}
    repairs = Repairs()
    written = groups = 0
    with atomic_path(target) as part:
        with samples_writer(part, schema) as writer:
            for table, part_repairs in parts:
                repairs += part_repairs
                for name, span in spans_of(table.select(["time", "entity"]), None).items():
                    spans[name] = [epoch_ms(span.first), epoch_ms(span.last), span.interval_s, span.rows]
                for name, (first, last) in row_ranges_of(table["entity"]).items():
                    row_ranges[name] = (row_ranges.get(name, (written + first,))[0], written + last)
                if table.num_rows:
                    writer.write_table(_with_all(schema, table), row_group_size=ROWS_A_GROUP)
                groups += -(-table.num_rows // ROWS_A_GROUP)
                written += table.num_rows
            rows, counts = part_of(repairs)
            note = {"rows": rows, "counts": counts, "spans": spans, "coarse_s": coarse_s, "slices": dict(slices or {})}
            note[CHECKSUMS] = blank_checksums(groups)
            writer.add_key_value_metadata({NOTE: json.dumps(note).encode(), **row_ranges_note(row_ranges)})
        seal(part)
    return written, repairs


def part_of(repairs: Repairs) -> SlicePart:
    """Repairs as a note holds them: rows that were read, and counts by kind and entity."""
    counts = [(repair.name, entity, number) for (repair, entity), number in sorted(repairs.counts.items())]
    return repairs.rows, counts


def slices_in(path: Path) -> dict[str, SlicePart]:
    """The slices that a file holds, by the names of their files, each with the repairs made to its rows."""
    note = note_of(path)
    return dict(note.get("slices") or {path.stem: (note["rows"], note["counts"])})


def _with_all(schema: pa.Schema, table: pa.Table) -> pa.Table:
    there = set(table.column_names)
    columns = [
        table[field.name].cast(field.type) if field.name in there else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def samples_schema(metrics: Iterable[Metric]) -> pa.Schema:
    """Columns of samples: time, entity, one float32 a metric."""
    keys = [("time", pa.timestamp("ms", "UTC")), ("entity", pa.dictionary(pa.int32(), pa.string()))]
    return pa.schema(keys + [(metric.name, pa.float32()) for metric in metrics])


def repairs_in(note: Mapping[str, Any]) -> Repairs:
    """Repairs made to the rows of a file."""
    return repairs_of((note["rows"], note["counts"]))


def repairs_of(part: SlicePart) -> Repairs:
    """Repairs as a note holds them; raises KeyError for one that no release knows."""
    rows, counts = part
    return Repairs({(Repair[name], entity): number for name, entity, number in counts}, rows)


def note_of(path: Path) -> Mapping[str, Any]:
    """Metadata that a file carries: ``rows`` and ``counts`` of repairs, ``spans``, ``coarse_s``, ``slices``."""
    check_footer(path)
    try:
        text = pq.read_metadata(path).metadata[NOTE]
        note: Mapping[str, Any] = json_value(text)
        repairs_in(note)
        {name: len(span) for name, span in note["spans"].items()}
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedFileError(path, error) from error
    return note
