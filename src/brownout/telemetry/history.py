"""The history: one truth of everything read so far, as Parquet files of one week each.

``history.json`` describes it, ``samples/2026-03-02.parquet`` holds the week that begins on that Monday, sorted by
entity and time. Each file carries the repairs made to its rows in its metadata, so they are counted once however often
a run is killed and repeated. The watermark only moves after the file is whole.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from math import inf
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from brownout.domain.entities import Entity, Topology
from brownout.domain.errors import HistoryError
from brownout.domain.metrics import Metric
from brownout.domain.ports import Span
from brownout.domain.repairs import Repair, Repairs
from brownout.telemetry.atomic import atomic_path, write_text
from brownout.telemetry.dataset import read_samples
from brownout.telemetry.spans import spans_of

__all__ = ["WEEK", "Description", "History", "week_of"]

FORMAT = 1
WEEK = np.timedelta64(7 * 86_400_000, "ms")
MONDAY = np.datetime64("1970-01-05", "ms")
ROWS_A_GROUP = 65_536
"""Rows of a row group: small enough that reading a shard skips most of a file."""


def week_of(time: np.datetime64) -> np.datetime64:
    """Monday 00:00 UTC of the week of a time."""
    monday: np.datetime64 = MONDAY + (time.astype("datetime64[ms]") - MONDAY) // WEEK * WEEK
    return monday


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
            "entities": [asdict(entity) for entity in self.entities],
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
            entities=tuple(Entity(**fields) for fields in table["entities"]),
            watermark=None if mark is None else np.datetime64(mark, "ms"),
        )


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
        return cls(folder, description, tuple(sorted((folder / "samples").glob("*.parquet"))))

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

    @cached_property
    def _samples(self) -> pads.Dataset:
        if not self.files:
            msg = f"The history in {self.folder} has no samples."
            raise HistoryError(msg, remedy="Sync a source that has data.")
        return pads.dataset([str(path) for path in self.files], schema=_schema(self.metrics))

    @cached_property
    def _spans(self) -> Mapping[str, Span]:
        return spans_of(self._samples.to_table(columns=["time", "entity"]), self.interval_s)

    def spans(self) -> Mapping[str, Span]:
        """When each entity was measured, in the order of the samples."""
        return self._spans

    def read(
        self, entities: Sequence[str], *, start: np.datetime64 | None = None, end: np.datetime64 | None = None
    ) -> pa.Table:
        """Samples of the entities from start until before end."""
        return read_samples(self._samples, entities, start=start, end=end)

    def repairs(self, *, since: np.datetime64 | None = None) -> Repairs:
        """Repairs made to the rows of all weeks, or of those that hold a time or come after it."""
        first = None if since is None else f"{week_of(since).astype('datetime64[D]')}.parquet"
        total = Repairs()
        for path in self.files:
            if first is None or path.name >= first:
                total += _repairs_of(path)
        return total


def write_description(folder: Path, description: Description) -> None:
    """Replace ``history.json``; the last step of every change."""
    write_text(folder / "history.json", description.to_json())


def write_week(folder: Path, week: np.datetime64, table: pa.Table, repairs: Repairs) -> None:
    """Replace the file of a week, repairs and all, in one step."""
    counts = [[repair.name, entity, number] for (repair, entity), number in sorted(repairs.counts.items())]
    note = json.dumps({"rows": repairs.rows, "counts": counts}).encode()
    target = folder / "samples" / f"{week.astype('datetime64[D]')}.parquet"
    with atomic_path(target) as part:
        pq.write_table(
            table.replace_schema_metadata({"brownout.repairs": note}),
            part,
            row_group_size=ROWS_A_GROUP,
            compression="zstd",
        )


def _schema(metrics: Sequence[Metric]) -> pa.Schema:
    keys = [("time", pa.timestamp("ms", "UTC")), ("entity", pa.dictionary(pa.int32(), pa.string()))]
    return pa.schema(keys + [(metric.name, pa.float32()) for metric in metrics])


def _repairs_of(path: Path) -> Repairs:
    try:
        note = (pq.read_schema(path).metadata or {}).get(b"brownout.repairs", b'{"rows": 0, "counts": []}')
    except (pa.ArrowInvalid, OSError) as error:
        msg = f"{path} cannot be read: {error}."
        raise HistoryError(msg, remedy="The file is damaged: remove the history folder and sync again.") from error
    table = json.loads(note)
    return Repairs({(Repair[name], entity): number for name, entity, number in table["counts"]}, table["rows"])


def _plain(metric: Metric) -> dict[str, Any]:
    return {key: value for key, value in asdict(metric).items() if key != "name" and value not in (None, inf, -inf)}
