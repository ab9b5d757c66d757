"""Dataset folders: ``dataset.toml``, ``samples.parquet`` and optional labels."""

import csv
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from brownout.domain.entities import Entity, EntityKind, Topology
from brownout.domain.errors import DataError
from brownout.domain.metrics import Catalogue, Metric, Role, Worse
from brownout.domain.panel import as_time
from brownout.domain.ports import Span
from brownout.domain.repairs import Repair, Repairs
from brownout.domain.truth import Anomaly, Incident
from brownout.ingest.spans import column_ms
from brownout.numerics.slots import epoch_ms
from brownout.store.row_groups import RowGroups, keys_in, row_ranges_in, spans_in

__all__ = ["Dataset"]

ENTITY_COLUMNS = ("entity", "kind", "parent", "group", "site")
USED_UP = 0.9
"""Share of a stated capacity whose crossing counts as a breach where the data set names no limit."""


@dataclass(frozen=True)
class Dataset:
    """A dataset folder, opened and checked; samples stay on disk until read. A sample store.

    ``test_start`` is the time before which everything is training data, None where the data set states none.
    """

    folder: Path
    name: str
    metrics: tuple[Metric, ...]
    topology: Topology
    interval_s: int | None
    test_start: np.datetime64 | None
    task: str
    source: str
    licence: str

    @classmethod
    def open(cls, folder: Path, *, catalogue: Catalogue | None = None) -> Self:
        """Check a folder and read all but its samples; raises DataError with what is wrong with it.

        Metrics mean what the folder says, else what the ``catalogue`` does, by default the one that ships.
        """
        header = _read_header(folder / "dataset.toml")
        schema = _schema(folder / "samples.parquet")
        columns = [name for name in schema.names if name not in ("time", "entity")]
        tables = header.get("metrics", {})
        stray = sorted(set(tables) - set(columns))
        if stray:
            msg = f"{folder}/dataset.toml describes metrics {stray} that samples.parquet has no column for."
            raise DataError(msg, remedy=f"Its columns are {columns}.")
        catalogue = catalogue or Catalogue.load()
        test_start = header.get("test_start")
        return cls(
            folder=folder,
            name=str(header.get("name", folder.name)),
            metrics=tuple(_metric(name, tables.get(name, {}), catalogue) for name in columns),
            topology=Topology.of(_placed(folder, tuple(_entities(folder)))),
            interval_s=int(header["interval_s"]) if "interval_s" in header else None,
            test_start=None if test_start is None else as_time(str(test_start)),
            task=str(header.get("task", "")),
            source=str(header.get("source", "")),
            licence=str(header.get("licence", "")),
        )

    @cached_property
    def anomalies(self) -> tuple[Anomaly, ...]:
        """Labelled spans; empty where the folder has no ``anomalies.csv``."""
        return tuple(
            Anomaly(entity=row["entity"], start=as_time(row["start"]), end=as_time(row["end"]))
            for row in _rows(self.folder / "anomalies.csv", ("entity", "start", "end"))
        )

    @cached_property
    def incidents(self) -> tuple[Incident, ...]:
        """Labelled incidents; empty where the folder has no ``incidents.csv``."""
        needed = ("incident", "start", "end", "entity", "cause")
        return tuple(
            Incident(
                id=row["incident"],
                group=row.get("group", ""),
                start=as_time(row["start"]),
                end=as_time(row["end"]),
                entity=row["entity"],
                cause=row["cause"],
                onset=as_time(row["onset"]) if row.get("onset") else None,
            )
            for row in _rows(self.folder / "incidents.csv", needed)
        )

    @cached_property
    def _index(self) -> tuple[Mapping[str, Span], Mapping[str, tuple[int, int]]]:
        """When each entity was measured, and where in the file its rows are."""
        try:
            row_ranges = row_ranges_in(self._samples)
            return spans_in(self._samples, row_ranges, self.interval_s), row_ranges
        except (pa.ArrowInvalid, OSError) as error:
            raise _damaged(error) from error

    @cached_property
    def _groups(self) -> RowGroups:
        return RowGroups(self._samples)

    @property
    def _samples(self) -> Path:
        return self.folder / "samples.parquet"

    def spans(self) -> Mapping[str, Span]:
        """When each entity was measured, in the order of the samples."""
        return self._index[0]

    def unread(self) -> Repairs:
        """Rows that no reading of entities and times gives: without either, or far away from the rest of the entity."""
        nameless = sum(
            pc.sum(pc.or_(pc.is_null(keys["time"]), pc.is_null(keys["entity"]))).as_py() or 0
            for keys in keys_in(self._samples)
        )
        stray = {(Repair.CLOCK_JUMP, name): span.stray for name, span in self.spans().items() if span.stray}
        return Repairs(stray | ({(Repair.NO_TIME, ""): int(nameless)} if nameless else {}))

    def rows_between(self, bounds: Sequence[tuple[np.datetime64, np.datetime64]]) -> list[int]:
        """How many rows lie in each of some spans, the end of each exclusive."""
        edges = [[epoch_ms(time) for time in pair] for pair in bounds]
        before = np.zeros((len(edges), 2), np.int64)
        for keys in keys_in(self._samples):
            known = keys.filter(pc.is_valid(keys["entity"]))
            before += np.searchsorted(np.sort(column_ms(known["time"])), edges).reshape(-1, 2)
        counts: list[int] = (before[:, 1] - before[:, 0]).tolist()
        return counts

    def read(
        self, entities: Sequence[str], *, start: np.datetime64 | None = None, end: np.datetime64 | None = None
    ) -> pa.Table:
        """Samples of the entities from start until before end, in the order of the file."""
        _, row_ranges = self._index
        groups = self._groups.holding({name: row_ranges[name] for name in entities if name in row_ranges})
        return read_samples(groups, entities, start=start, end=end)


def read_samples(
    samples: pads.Dataset, entities: Sequence[str], *, start: np.datetime64 | None, end: np.datetime64 | None
) -> pa.Table:
    """Rows of some entities from start until before end; a damaged file is a DataError."""
    condition = pads.field("entity").isin(pa.array(list(entities), pa.string()))
    kind = samples.schema.field("time").type
    for bound, after in ((start, True), (end, False)):
        if bound is not None:
            time = pa.scalar(epoch_ms(bound), pa.timestamp("ms", "UTC"))
            limit = time.cast(kind) if kind.tz else time.cast(pa.timestamp("ms")).cast(kind)
            condition &= pads.field("time") >= limit if after else pads.field("time") < limit
    try:
        return samples.to_table(filter=condition)
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(error) from error


def _damaged(error: Exception) -> DataError:
    msg = f"The samples cannot be read: {error}."
    return DataError(msg, remedy="The file is damaged or cut short: get it again.")


def _read_header(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError as error:
        msg = f"{path.parent} is not a dataset folder: it has no {path.name}."
        raise DataError(msg, remedy="Give a folder with dataset.toml and samples.parquet.") from error
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{path} is not valid TOML: {error}.", remedy="Correct the line named.") from error


def _schema(path: Path) -> pa.Schema:
    try:
        schema = pads.dataset(path).schema
    except (pa.ArrowInvalid, OSError) as error:
        msg = f"{path} cannot be read: {error}."
        raise DataError(msg, remedy="Give a Parquet file; if it is one, it is damaged: get it again.") from error
    for name in ("time", "entity"):
        if name not in schema.names:
            msg = f"{path} has no column {name!r}, only {schema.names}."
            raise DataError(msg, remedy="Name the columns time, entity and one for each metric.")
    if not pa.types.is_timestamp(schema.field("time").type):
        msg = f"The column time of {path} is {schema.field('time').type}."
        raise DataError(msg, remedy="Store it as a timestamp in UTC.")
    numeric = [f for f in schema if f.name not in ("time", "entity")]
    wrong = [
        f"{f.name} ({f.type})" for f in numeric if not (pa.types.is_floating(f.type) or pa.types.is_integer(f.type))
    ]
    if wrong or not numeric:
        msg = f"{path} has metrics that are not numbers: {wrong}." if wrong else f"{path} has no metric columns."
        raise DataError(msg, remedy="Store one float32 column for each metric.")
    return schema


def _metric(name: str, table: Mapping[str, Any], catalogue: Catalogue) -> Metric:
    """A column as its dataset describes it, over what the catalogue knows of the name."""
    known = catalogue.metrics.get(name)
    if known is not None and not set(table) - {"role", "unit", "capacity"}:
        return known
    fields = dict(table)
    role = fields.get("role", Role.UNKNOWN)
    if role != Role.UNKNOWN:
        fields.setdefault("lower", 0.0)
    if "capacity" in fields:
        fields.setdefault("limit", USED_UP * float(fields["capacity"]))
        fields.setdefault("worse", Worse.UP)
    return Metric.from_table(name, fields)


def _entities(folder: Path) -> Iterator[Entity]:
    described = set()
    for row in _rows(folder / "entities.csv", ("entity",)):
        labels = {key: value for key, value in row.items() if key not in ENTITY_COLUMNS and value}
        described.add(row["entity"])
        yield Entity(
            id=row["entity"],
            kind=row.get("kind") or EntityKind.ENTITY,
            parent=row.get("parent") or "",
            site=row.get("site") or "",
            group=row.get("group") or "",
            labels=labels,
        )
    column = pads.dataset(folder / "samples.parquet").to_table(columns=["entity"])["entity"]
    for name in column.unique().to_pylist():
        if name is not None and name not in described:
            yield Entity(id=str(name))


def _placed(folder: Path, entities: Sequence[Entity]) -> Iterator[Entity]:
    """Entities with the parents that ``placements.csv`` gives them, each from a start on; the first one from ever."""
    path = folder / "placements.csv"
    placements: dict[str, dict[np.datetime64, str]] = {}
    for number, row in enumerate(_rows(path, ("entity", "start", "parent")), start=2):
        try:
            own, start = placements.setdefault(row["entity"], {}), as_time(row["start"])
        except ValueError as error:
            msg = f"Line {number} of {path} has the start {row['start']!r}, which is no time."
            raise DataError(msg, remedy="Write it like 2026-03-02T14:00:00Z.") from error
        if start in own:
            msg = f"{path} has two parents of {row['entity']!r} from {row['start']} on."
            raise DataError(msg, remedy="Keep one row for each entity and time.")
        own[start] = row["parent"]
    unknown = sorted(set(placements) - {entity.id for entity in entities})
    if unknown:
        msg = f"{path} places {unknown}, of which entities.csv and samples.parquet know nothing."
        raise DataError(msg, remedy="Add the entities, or remove the rows.")
    for entity in entities:
        own = placements.get(entity.id, {})
        yield entity.placed(sorted(own.items())) if own else entity


def _rows(path: Path, needed: Sequence[str]) -> Iterator[dict[str, str]]:
    """Rows of a CSV file that may be absent; a needed column that is not there is an error."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = [name for name in needed if name not in (reader.fieldnames or ())]
        if missing:
            msg = f"{path} has no column {missing}, only {list(reader.fieldnames or ())}."
            raise DataError(msg, remedy=f"Give it the columns {list(needed)}.")
        for number, row in enumerate(reader, start=2):
            if any(row[name] in (None, "") for name in needed):
                msg = f"Line {number} of {path} lacks one of {list(needed)}."
                raise DataError(msg, remedy="Fill the field or remove the line.")
            yield row
