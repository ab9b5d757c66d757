"""Rows that arrived after their time had been read: which slices are read again, and how they join their week."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from brownout.domain.metrics import Metric
from brownout.domain.repairs import Repair, Repairs
from brownout.ingest.clean import Rows, clean
from brownout.numerics.slots import epoch_ms
from brownout.store.history import (
    Description,
    note_of,
    part_of,
    repairs_of,
    samples_schema,
    slice_of,
    slices_in,
)
from brownout.store.integrity import DamagedFileError, check_file, set_aside
from brownout.store.retention import join, thinned
from brownout.store.row_groups import checked_layout

__all__ = ["add_to_week", "of_an_age"]


def of_an_age(
    ages: Iterable[np.timedelta64], length: np.timedelta64, *, since: np.datetime64, before: np.datetime64
) -> list[np.datetime64]:
    """Starts of the slices that reached one of the ages between two times: each is read again once an age."""
    starts: set[np.datetime64] = set()
    for age in ages:
        first = slice_of(since - age, length)
        starts |= {start for start in np.arange(first, before, length) if since < start + length + age <= before}
    return sorted(starts)


def add_to_week(week: Path, late: Path, description: Description) -> None:
    """Join a slice that was read again with its week, where it says anything that the week does not.

    ``late`` is the file of the slice. Killed on the way, the week is the old one or the new one.
    """
    try:
        check_file(week)
    except DamagedFileError:
        set_aside(week)
        return
    metrics = list(description.metrics)
    coarse_s = note_of(week)["coarse_s"]
    fresh = _rows(late, metrics, None)
    if coarse_s is not None:
        fresh = thinned(fresh, coarse_s)
    start = np.datetime64(int(fresh.times.min()), "ms")
    known = _rows(week, metrics, (start, np.datetime64(int(fresh.times.max()) + 1, "ms")))
    both, _ = clean(pa.concat_tables([known.to_table(), fresh.to_table()]), _names(known, fresh), metrics)
    if _same(both, clean(known.to_table(), _names(known, fresh), metrics)[0]):
        return
    added = _added(known, both)
    slices = slices_in(week)
    (mine,) = slices_in(late).values()
    slices[late.stem] = part_of(repairs_of(mine) + Repairs.count(Repair.LATE, added))
    join(week, [week, late], description, slices, coarse_s=coarse_s)


def _rows(path: Path, metrics: Sequence[Metric], between: tuple[np.datetime64, np.datetime64] | None) -> Rows:
    samples = pads.dataset(str(path), schema=samples_schema(metrics), format=checked_layout())
    condition = None
    if between is not None:
        first, end = (pa.scalar(epoch_ms(time), pa.timestamp("ms", "UTC")) for time in between)
        condition = (pads.field("time") >= first) & (pads.field("time") < end)
    table = samples.to_table(filter=condition)
    return clean(table, pc.unique(table["entity"].cast(pa.string())).to_pylist(), metrics)[0]


def _names(*parts: Rows) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for rows in parts for name in rows.entities))


def _same(one: Rows, other: Rows) -> bool:
    return (
        np.array_equal(one.codes, other.codes)
        and np.array_equal(one.times, other.times)
        and np.array_equal(one.values, other.values, equal_nan=True)
    )


def _added(known: Rows, both: Rows) -> list[str]:
    """The entity of each row that was not known."""
    base = int(both.times.min())
    width = int(both.times.max()) - base + 1
    # Both count entities in the order in which the known ones come first.
    there, keys = (rows.codes * width + (rows.times - base) for rows in (known, both))
    return [both.entities[code] for code in both.codes[~np.isin(keys, there)].tolist()]
