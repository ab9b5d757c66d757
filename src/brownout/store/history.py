"""The history: one truth of everything read so far, as Parquet files.

``history.json`` describes it. ``samples/2026-03-02.parquet`` holds the week that begins on that Monday,
``samples/2026-03-02T06.parquet`` six hours of a week that is not over; a week's file supersedes those of its hours.
Rows are sorted by entity and time. Each file carries in its metadata when each entity was measured and the repairs made
to its rows, so that they are counted once however often a run is killed and repeated. The watermark only moves after
the file is whole.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from math import inf
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from brownout.domain.entities import Entity, Topology
from brownout.domain.errors import HistoryError
from brownout.domain.metrics import Metric
from brownout.domain.ports import Span
from brownout.domain.repairs import Repair, Repairs
from brownout.ingest.spans import merge_spans, spans_of
from brownout.numerics.slots import days, epoch_ms, time_of
from brownout.store.atomic import atomic_path, write_text
from brownout.store.dataset import read_samples
from brownout.store.parquet import ROWS_A_GROUP, samples_writer
from brownout.store.row_groups import files_holding, places_note, places_of

__all__ = [
    "HOURS",
    "WEEK",
    "Description",
    "History",
    "current_files",
    "file_of",
    "is_week",
    "note_of",
    "repairs_in",
    "samples_schema",
    "slice_of",
    "slice_start",
    "week_of",
    "write_description",
    "write_samples",
]

FORMAT = 2
WEEK = days(7)
HOURS = days(0.25)
"""What is read of a live source at a time: small enough for memory, large enough for columns."""
MONDAY = np.datetime64("1970-01-05", "ms")
NOTE = b"brownout"


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


@dataclass(frozen=True, kw_only=True)
class Description:
    """What the samples of a history mean; ``watermark`` is the time before which everything has been read."""

    source: str
    interval_s: int | None
    metrics: tuple[Metric, ...]
    entities: tuple[Entity, ...]
    watermark: np.datetime64 | None = None

    def to_json(self) -> str:
        """Text of ``history.json``."""
        table = {
            "format": FORMAT,
            "source": self.source,
            "interval_s": self.interval_s,
            "watermark": None if self.watermark is None else str(self.watermark),
            "metrics": {metric.name: _plain(metric) for metric in self.metrics},
            "entities": [_entity_table(entity) for entity in self.entities],
        }
        return json.dumps(table, indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Parse ``history.json``."""
        table = json.loads(text)
        if table["format"] != FORMAT:
            msg = f"The history has format {table['format']}, this version reads {FORMAT}."
            raise HistoryError(msg, remedy="Use the version of brownout that wrote it, or sync into an empty folder.")
        mark = table["watermark"]
        return cls(
            source=table["source"],
            interval_s=table["interval_s"],
            metrics=tuple(Metric.from_table(name, fields) for name, fields in table["metrics"].items()),
            entities=tuple(_entity(fields) for fields in table["entities"]),
            watermark=None if mark is None else np.datetime64(mark, "ms"),
        )


def _entity_table(entity: Entity) -> dict[str, Any]:
    """Fields as JSON has them; one that never moved has no ``former``."""
    fields = asdict(replace(entity, former=()))
    del fields["former"]
    return fields | ({"former": [(str(until), parent) for until, parent in entity.former]} if entity.former else {})


def _entity(fields: Mapping[str, Any]) -> Entity:
    former = tuple((np.datetime64(until, "ms"), parent) for until, parent in fields.get("former", ()))
    return Entity(**{**fields, "named_by": tuple(fields.get("named_by", ())), "former": former})


@dataclass(frozen=True)
class History:
    """A history folder, read. A sample store."""

    folder: Path
    description: Description
    files: tuple[Path, ...] = field(default=())

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open an existing history; raises HistoryError where there is none or it is damaged."""
        path = folder / "history.json"
        try:
            description = Description.from_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            msg = f"{folder} holds no history yet."
            raise HistoryError(msg, remedy="Run `brownout sync` or `brownout nightly` first.") from error
        except (ValueError, KeyError, TypeError) as error:
            msg = f"{path} is damaged: {error}."
            raise HistoryError(msg, remedy="Remove the history folder and sync again.") from error
        return cls(folder, description, current_files(folder))

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

    def _existing_files(self) -> tuple[Path, ...]:
        if not self.files:
            msg = f"The history in {self.folder} has no samples."
            raise HistoryError(msg, remedy="Sync a source that has data.")
        return self.files

    @cached_property
    def _notes(self) -> tuple[Mapping[str, Any], ...]:
        return tuple(note_of(path) for path in self.files)

    @cached_property
    def _spans(self) -> Mapping[str, Span]:
        self._existing_files()
        parts = [
            {
                name: Span(first=time_of(first), last=time_of(last), interval_s=step, rows=rows)
                for name, (first, last, step, rows) in note["spans"].items()
            }
            for note in self._notes
        ]
        return merge_spans(parts, self.interval_s)

    def spans(self) -> Mapping[str, Span]:
        """When each entity was measured, from the metadata of the files."""
        return self._spans

    def read(
        self, entities: Sequence[str], *, start: np.datetime64 | None = None, end: np.datetime64 | None = None
    ) -> pa.Table:
        """Samples of the entities from start until before end."""
        samples = files_holding(self._existing_files(), entities, samples_schema(self.metrics))
        return read_samples(samples, entities, start=start, end=end)

    def repairs(self, *, since: np.datetime64 | None = None) -> Repairs:
        """Repairs made to the rows of all files, or of those of the week of a time and later ones."""
        total = Repairs()
        for path, note in zip(self.files, self._notes, strict=True):
            if since is None or slice_start(path) >= week_of(since):
                total += repairs_in(note)
        return total


def current_files(folder: Path) -> tuple[Path, ...]:
    """Files in the order of time, without those of hours whose week has a file of its own."""
    files = sorted((folder / "samples").glob("*.parquet"), key=lambda path: (slice_start(path), path.name))
    weeks = {slice_start(path) for path in files if is_week(path)}
    return tuple(path for path in files if is_week(path) or week_of(slice_start(path)) not in weeks)


def is_week(path: Path) -> bool:
    """Whether a file holds a week, and not hours of one."""
    return "T" not in path.stem


def write_description(folder: Path, description: Description) -> None:
    """Replace ``history.json``; the last step of every change."""
    write_text(folder / "history.json", description.to_json())


def write_samples(
    target: Path, schema: pa.Schema, parts: Iterable[tuple[pa.Table, Repairs]], *, coarse_s: int | None = None
) -> tuple[int, Repairs]:
    """Replace a file by tables one after the other, in one step; returns the number of rows and all repairs.

    Rows must be sorted by entity and time, and no entity may stand in two tables; columns that a table lacks are empty.
    Spans, repairs and ``coarse_s`` (the interval that rows were thinned to) are noted in the file.
    """
    spans: dict[str, list[int]] = {}
    places: dict[str, tuple[int, int]] = {}
    repairs = Repairs()
    written = 0
    with atomic_path(target) as part, samples_writer(part, schema) as writer:
        for table, made in parts:
            repairs += made
            for name, span in spans_of(table.select(["time", "entity"]), None).items():
                spans[name] = [epoch_ms(span.first), epoch_ms(span.last), span.interval_s, span.rows]
            for name, (first, last) in places_of(table["entity"]).items():
                places[name] = (places.get(name, (written + first,))[0], written + last)
            writer.write_table(_with_all(schema, table), row_group_size=ROWS_A_GROUP)
            written += table.num_rows
        counts = [[repair.name, entity, number] for (repair, entity), number in sorted(repairs.counts.items())]
        note = {"rows": repairs.rows, "counts": counts, "spans": spans, "coarse_s": coarse_s}
        writer.add_key_value_metadata({NOTE: json.dumps(note).encode(), **places_note(places)})
    return written, repairs


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
    return Repairs({(Repair[name], entity): number for name, entity, number in note["counts"]}, note["rows"])


def note_of(path: Path) -> Mapping[str, Any]:
    """Metadata that a file carries: ``rows`` and ``counts`` of repairs, ``spans``, ``coarse_s``."""
    try:
        text = pq.read_metadata(path).metadata[NOTE]
        note: Mapping[str, Any] = json.loads(text)
    except (pa.ArrowInvalid, OSError, KeyError, TypeError, ValueError) as error:
        msg = f"{path} cannot be read: {error}."
        raise HistoryError(msg, remedy="The file is damaged: remove the history folder and sync again.") from error
    return note


def _plain(metric: Metric) -> dict[str, Any]:
    return {key: value for key, value in asdict(metric).items() if key != "name" and value not in (None, inf, -inf)}
