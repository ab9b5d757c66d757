"""Retention: files of hours are joined into weeks, old weeks are thinned, very old ones are removed."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from brownout.domain.entities import Entity
from brownout.domain.repairs import Repairs
from brownout.ingest.clean import Rows, clean
from brownout.numerics.slots import days
from brownout.store.history import (
    WEEK,
    Description,
    SlicePart,
    current_files,
    file_of,
    is_week,
    note_of,
    repairs_of,
    samples_schema,
    slice_start,
    slices_in,
    week_of,
    write_samples,
)
from brownout.store.integrity.checksums import DamagedFileError, check_file
from brownout.store.integrity.damaged_files import set_aside
from brownout.store.row_groups import files_holding

__all__ = ["Keep", "join", "maintain", "thinned"]

CELLS = 2**22
"""Values of a week that are sorted in memory at a time: each takes about 24 bytes on the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long a history keeps what, counted back from its watermark; a week is treated whole.

    Weeks older than ``thin_after_days`` keep only means over ``thin_to_s`` seconds, those older than ``days`` go.
    """

    days: float = 800.0
    thin_after_days: float = 60.0
    thin_to_s: int = 300


def maintain(folder: Path, description: Description, keep: Keep, *, closed: np.datetime64 | None) -> None:
    """Compact weeks that end before ``closed``, thin and remove old ones. Repeating it changes nothing.

    Each step replaces or removes whole files; killed between two, the next call goes on.
    """
    if description.watermark is None or closed is None:
        return
    for path in (folder / "samples").glob("*.parquet"):
        if week_of(slice_start(path)) + WEEK <= description.watermark - days(keep.days):
            path.unlink()
    coarse_before = description.watermark - days(keep.thin_after_days)
    files = _sound(current_files(folder))
    for week in sorted({week_of(slice_start(path)) for path in files}):
        own = [path for path in files if week_of(slice_start(path)) == week]
        coarse = keep.thin_to_s if week + WEEK <= coarse_before else None
        known = note_of(own[0])["coarse_s"] or 0
        if week + WEEK <= closed and (not is_week(own[0]) or (coarse or 0) > known):
            _rewrite(folder, week, own, description, coarse)
    _remove_superseded(folder)


def _sound(files: Sequence[Path]) -> list[Path]:
    """The files whose footer is what was written; the others are set aside."""
    sound = []
    for path in files:
        try:
            note_of(path)
            sound.append(path)
        except DamagedFileError as error:
            set_aside(error.path)
    return sound


def _rewrite(
    folder: Path, week: np.datetime64, files: Sequence[Path], description: Description, coarse_s: int | None
) -> None:
    """Join the undamaged files of a week into one; damaged files are set aside."""
    whole = []
    for path in files:
        try:
            check_file(path)
            whole.append(path)
        except DamagedFileError as error:
            set_aside(error.path)
    if whole:
        slices = {name: part for path in whole for name, part in slices_in(path).items()}
        join(file_of(folder, week, WEEK), whole, description, slices, coarse_s=coarse_s)


def join(
    target: Path,
    files: Sequence[Path],
    description: Description,
    slices: Mapping[str, SlicePart],
    *,
    coarse_s: int | None,
) -> int:
    """One file of several, sorted by entity and time, a few entities at a time; returns the number of its rows.

    Of two rows of one time the one of the later file stays. ``slices`` are the repairs made to the rows of each slice.
    """
    columns = {name for path in files for name in pq.read_schema(path).names}
    metrics = [metric for metric in description.metrics if metric.name in columns]
    schema = samples_schema(metrics)

    def parts() -> Iterator[tuple[pa.Table, Repairs]]:
        repairs = sum((repairs_of(part) for part in slices.values()), Repairs())
        for some in _batches(files, description.entities, schema):
            samples = files_holding(files, some, schema)
            own = [metric for metric in metrics if metric.name in samples.schema.names]
            rows, _ = clean(samples.to_table(filter=pads.field("entity").isin(some)), some, own)
            if len(rows.times):
                yield (rows if coarse_s is None else thinned(rows, coarse_s)).to_table(), repairs
                repairs = Repairs()

    return write_samples(target, schema, parts(), coarse_s=coarse_s, slices=slices)[0]


def _batches(files: Sequence[Path], entities: Sequence[Entity], schema: pa.Schema) -> Iterator[list[str]]:
    """Names of entities of one kind, of which at most ``CELLS`` values are in the files, or of one that has more."""
    numbers = Counter[str]()
    for path in files:
        numbers.update({name: span[3] for name, span in note_of(path)["spans"].items()})
    for kind in dict.fromkeys(entity.kind for entity in entities):
        names = [entity.id for entity in entities if entity.kind == kind and numbers[entity.id]]
        columns = len(files_holding(files, names, schema).schema)
        batch: list[str] = []
        cells = 0
        for name in names:
            own = numbers[name] * columns
            if batch and cells + own > CELLS:
                yield batch
                batch, cells = [], 0
            batch.append(name)
            cells += own
        if batch:
            yield batch


def thinned(rows: Rows, interval_s: int) -> Rows:
    """Means over slots; rows stay sorted by entity and time."""
    slots = rows.times // (interval_s * 1000)
    starts = np.flatnonzero(np.concatenate(([True], (np.diff(rows.codes) != 0) | (np.diff(slots) != 0))))
    known = np.isfinite(rows.values)
    count = np.add.reduceat(known, starts, axis=0, dtype=np.int64)
    total = np.add.reduceat(np.where(known, rows.values, 0), starts, axis=0, dtype=np.float64)
    means = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    times = slots[starts] * interval_s * 1000
    return replace(rows, codes=rows.codes[starts], times=times, values=means.astype(np.float32))


def _remove_superseded(folder: Path) -> None:
    current = set(current_files(folder))
    for path in (folder / "samples").glob("*.parquet"):
        if path not in current:
            path.unlink()
