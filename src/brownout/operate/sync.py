"""Sync: bring what is new from a source into the history, slice by slice."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

import numpy as np

from brownout.domain.entities import Entity
from brownout.domain.errors import HistoryError
from brownout.domain.metrics import Metric, MetricKind
from brownout.domain.ports import Progress, no_progress
from brownout.domain.repairs import Repairs
from brownout.ingest.entity_registry import merged
from brownout.operate.slices import SliceWriter
from brownout.operate.sources import Source
from brownout.settings import HistorySettings
from brownout.store.atomic import write_text
from brownout.store.history import (
    HOURS,
    WEEK,
    Description,
    History,
    current_files,
    is_week,
    slice_of,
    slice_start,
    week_of,
    write_description,
)
from brownout.store.integrity import (
    damaged_slices,
    forget_damage,
    forget_restored,
    read_description,
    set_aside,
    tried_in_vain,
)
from brownout.store.integrity.history_description import FILE
from brownout.store.leftovers import remove_parts
from brownout.store.memory import release_memory
from brownout.store.retention import Keep, maintain

__all__ = ["SyncResult", "sync", "sync_kept"]

LONGEST_SILENCE = np.timedelta64(7, "D")
"""Where most entities have been silent for longer, the clock is not believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncResult:
    """What a sync brought: rows now in the slices that it wrote, and the watermark after it."""

    slices: int
    rows: int
    watermark: np.datetime64 | None
    repairs: Repairs


def sync_kept(source: Source, folder: Path, history: HistorySettings, progress: Progress = no_progress) -> SyncResult:
    """``sync``, with what the settings say about the age of samples; memory goes back afterwards."""
    keep = Keep(days=history.keep_days, thin_after_days=history.thin_after_days)
    result = sync(source, folder, keep=keep, progress=progress)
    release_memory()
    return result


def sync(source: Source, folder: Path, *, keep: Keep | None = None, progress: Progress = no_progress) -> SyncResult:
    """Bring the slices from the watermark on, less the look-back; slices that are there are read again.

    Killed at any moment, the next sync repeats the slice it was in and ends in the same data. Raises HistoryError where
    another sync is running, or the history was made from another source.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _exclusive(folder / "sync.lock"):
        remove_parts((folder, folder / "samples"))
        known = _known(folder)
        if known is not None and known.source != source.name:
            msg = f"The history in {folder} was made from {known.source!r}, not from {source.name!r}."
            raise HistoryError(msg, remedy="Give each source a folder of its own.")
        description = _describe(source, known)
        result, description = _bring(source, folder, description, progress)
        aged = replace(description, watermark=_measured_until(folder, description.watermark))
        maintain(folder, aged, keep or Keep(), closed=_closed(source, aged))
        return result


def _bring(
    source: Source, folder: Path, description: Description, progress: Progress
) -> tuple[SyncResult, Description]:
    span = source.range()
    if span is None:
        write_description(folder, description)
        return SyncResult(slices=0, rows=0, watermark=description.watermark, repairs=Repairs()), description
    first, end = span
    description = replace(description, watermark=_believed(folder, description.watermark, end))
    again: list[np.datetime64] = []
    if description.watermark is not None:
        again = _again(source, folder, description.watermark, span)
        first = max(first, description.watermark - source.lookback)
    starts = np.arange(slice_of(first, source.slice_length), end, source.slice_length)
    starts = np.unique(np.array([*again, *starts], "datetime64[ms]"))
    writer = SliceWriter(source, folder)
    rows, repairs = 0, Repairs()
    for done, start in enumerate(starts):
        source_slice = source.read(start, min(start + source.slice_length, end), description.entities)
        description = replace(description, entities=_with(description.entities, source_slice.entities, start))
        written, slice_repairs = writer.write(start, source_slice, description)
        rows, repairs = rows + written, repairs + slice_repairs
        until = max(min(start + source.slice_length, end), description.watermark or start)
        # Rows that came late, or whose file was damaged, are read again from where the last sync began.
        description = replace(description, watermark=description.watermark if start in again else until)
        write_description(folder, description)
        progress("sync", (done + 1) / len(starts))
    _settle_damage(folder)
    result = SyncResult(slices=len(starts), rows=rows, watermark=description.watermark, repairs=repairs)
    return result, description


def _known(folder: Path) -> Description | None:
    """What is known of a history; None where there is none. A damaged description is replaced by the one before it."""
    if not (folder / FILE).exists():
        return None
    description, is_previous = read_description(folder)
    if is_previous:
        write_text(folder / FILE, description.to_json())
    return description


def _again(
    source: Source, folder: Path, watermark: np.datetime64, span: tuple[np.datetime64, np.datetime64]
) -> list[np.datetime64]:
    """Starts of slices before the watermark that are read again: rows came late, or their file is damaged."""
    history = History.open(folder)
    rows = history.rows_by_slice()
    for path in tuple(history.damaged):
        set_aside(path)
    lost = [
        start
        for path in damaged_slices(folder)
        for start in np.arange(
            slice_of(slice_start(path), source.slice_length),
            slice_start(path) + (WEEK if is_week(path) else HOURS),
            source.slice_length,
        )
    ]
    first = slice_of(span[0], source.slice_length)
    late = source.late(rows, since=watermark, before=span[1])
    return sorted({start for start in (*late, *lost) if first <= start < min(watermark, span[1])})


def _settle_damage(folder: Path) -> None:
    """Forget the damage of what was read again; what the source no longer has is kept aside, and told as lost."""
    forget_restored(folder)
    files = set(current_files(folder))
    weeks = {week_of(slice_start(path)) for path in files}
    for path in damaged_slices(folder):
        if path in files or (is_week(path) and slice_start(path) in weeks):
            forget_damage(path)
        else:
            tried_in_vain(path)


def _believed(folder: Path, watermark: np.datetime64 | None, end: np.datetime64) -> np.datetime64 | None:
    """The watermark, or where it lies in the future the end of what was really brought before ``end``.

    A clock that was wrong, or one point from the future, moves it there; nothing would be read until that time.
    """
    if watermark is None or watermark <= end:
        return watermark
    spans = History.open(folder).spans().values()
    return max((span.last for span in spans if span.last <= end), default=None)


def _measured_until(folder: Path, watermark: np.datetime64 | None) -> np.datetime64 | None:
    """The watermark, or where it is far beyond what most entities have samples of, the time of those.

    What is old is counted back from it: a clock that is years ahead must not remove the history.
    """
    if watermark is None:
        return None
    lasts = sorted(span.last for span in History.open(folder).spans().values())
    if lasts and watermark - lasts[len(lasts) // 2] > LONGEST_SILENCE:
        return lasts[len(lasts) // 2]
    return watermark


def _describe(source: Source, known: Description | None) -> Description:
    """The source's metrics and entities, and those known before that it no longer names."""
    gauges: dict[str, Metric] = {m.name: m for m in known.metrics} if known else {}
    gauges |= {metric.name: replace(metric, kind=MetricKind.GAUGE) for metric in source.metrics}
    return Description(
        source=source.name,
        interval_s=source.interval_s,
        metrics=tuple(gauges.values()),
        entities=_with(known.entities if known else (), source.described()),
        watermark=known.watermark if known else None,
        unread=source.unread(),
    )


def _with(
    known: Sequence[Entity], entities: Sequence[Entity], since: np.datetime64 | None = None
) -> tuple[Entity, ...]:
    """The known entities, updated with those read since a time, in the order in which they were first read."""
    table = {entity.id: entity for entity in known}
    for entity in entities:
        table[entity.id] = merged(table.get(entity.id), entity, since)
    return tuple(table.values())


def _closed(source: Source, description: Description) -> np.datetime64 | None:
    """The time before which no slice is read again."""
    if description.watermark is None:
        return None
    return slice_of(description.watermark - source.lookback, source.slice_length)


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError as error:
            msg = f"Another sync is writing to {path.parent}."
            raise HistoryError(msg, remedy="Wait until it is done.") from error
        yield
