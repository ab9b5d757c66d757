"""Sync: bring what is new from a source into the history, week by week."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from brownout.domain.entities import Entity
from brownout.domain.errors import HistoryError
from brownout.domain.metrics import Metric, MetricKind
from brownout.domain.ports import Progress, SampleStore, no_progress
from brownout.domain.repairs import Repairs
from brownout.telemetry.clean import clean
from brownout.telemetry.history import WEEK, Description, History, week_of, write_description, write_week

__all__ = ["SyncResult", "sync"]

COUNTER_LEAD = np.timedelta64(3_600_000, "ms")
"""How far before a week its counters are read, so that the first rate of the week has a sample to start from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncResult:
    """What a sync brought: rows now in the weeks that it wrote, and the watermark after it."""

    weeks: int
    rows: int
    watermark: np.datetime64 | None
    repairs: Repairs


def sync(source: SampleStore, folder: Path, *, progress: Progress = no_progress) -> SyncResult:
    """Bring the weeks from the watermark on; a week that is already there is read again, so late points are kept.

    Killed at any moment, the next sync repeats the week it was in and ends in the same data. Raises HistoryError where
    another sync is running, or the history was made from another source.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _exclusive(folder / "sync.lock"):
        known = History.open(folder).description if (folder / "history.json").exists() else None
        if known is not None and known.source != source.name:
            msg = f"The history in {folder} was made from {known.source!r}, not from {source.name!r}."
            raise HistoryError(msg, remedy="Give each source a folder of its own.")
        return _sync(source, folder, known, progress)


def _sync(source: SampleStore, folder: Path, known: Description | None, progress: Progress) -> SyncResult:
    spans = source.spans()
    description = _describe(source, known)
    if not spans:
        write_description(folder, description)
        return SyncResult(weeks=0, rows=0, watermark=description.watermark, repairs=Repairs())
    first = week_of(min(span.first for span in spans.values()))
    last = max(span.last for span in spans.values())
    if description.watermark is not None:
        first = max(first, week_of(description.watermark))
    weeks = np.arange(first, last + np.timedelta64(1, "ms"), WEEK)
    rows, repairs = 0, Repairs()
    for done, week in enumerate(weeks):
        written, made = _sync_week(source, folder, week, tuple(spans))
        rows, repairs = rows + written, repairs + made
        description = replace(description, watermark=min(week + WEEK, last))
        write_description(folder, description)
        progress("sync", (done + 1) / len(weeks))
    return SyncResult(weeks=len(weeks), rows=rows, watermark=description.watermark, repairs=repairs)


def _sync_week(
    source: SampleStore, folder: Path, week: np.datetime64, entities: tuple[str, ...]
) -> tuple[int, Repairs]:
    """Read, clean and write one week; rows that the source no longer has are kept."""
    counters = any(metric.kind is MetricKind.COUNTER for metric in source.metrics)
    start = week - COUNTER_LEAD if counters else week
    table = source.read(entities, start=start, end=week + WEEK)
    rows, repairs = clean(table, entities, source.metrics)
    fresh = rows.between(week, week + WEEK).to_table()
    if not fresh.num_rows:
        return 0, Repairs()
    kept = _no_longer_in_source(folder, week, fresh)
    if kept is not None:
        merged, _ = clean(pa.concat_tables([kept, fresh], promote_options="default"), entities, rows.metrics)
        fresh = merged.to_table()
    write_week(folder, week, fresh, repairs)
    return fresh.num_rows, repairs


def _no_longer_in_source(folder: Path, week: np.datetime64, fresh: pa.Table) -> pa.Table | None:
    """Rows of the week's file from before the first row that the source still has; None where there are none."""
    path = folder / "samples" / f"{week.astype('datetime64[D]')}.parquet"
    if not path.exists():
        return None
    old = pq.read_table(path)
    old = old.filter(pc.less(old["time"], pc.min(fresh["time"])))
    return old if old.num_rows else None


def _describe(source: SampleStore, known: Description | None) -> Description:
    """The source's metrics and entities, and those known before that it no longer names."""
    gauges: dict[str, Metric] = {m.name: m for m in known.metrics} if known else {}
    gauges |= {metric.name: replace(metric, kind=MetricKind.GAUGE) for metric in source.metrics}
    entities: dict[str, Entity] = {entity.id: entity for entity in known.entities} if known else {}
    entities |= {entity.id: entity for entity in source.topology}
    return Description(
        source=source.name,
        interval_s=source.interval_s,
        metrics=tuple(gauges.values()),
        entities=tuple(entities.values()),
        watermark=known.watermark if known else None,
    )


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError as error:
            msg = f"Another sync is writing to {path.parent}."
            raise HistoryError(msg, remedy="Wait until it is done.") from error
        yield
