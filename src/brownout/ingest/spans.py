"""Spans: from when to when each entity was measured, and at which interval."""

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from brownout.domain.ports import Span
from brownout.numerics.arrays import Index
from brownout.numerics.slots import days, time_of

__all__ = ["STRAY_GAP", "column_ms", "entity_codes", "merge_spans", "spans_of"]

STRAY_GAP = days(60)
"""A gap wider than this splits an entity's data; only the larger part is believed, the rest is a clock jump."""
STRAY_SHARE = 0.01
"""A smaller part with more than this share of the rows is real data of another time, not a clock jump."""


def entity_codes(column: pa.ChunkedArray) -> tuple[Index, list[str]]:
    """Index of each row's entity in the list of names; -1 where the entity is null."""
    if not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(column.cast(pa.string()))
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    array = array.unify_dictionaries().combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    names = [str(name) for name in array.dictionary.to_pylist()]
    codes: Index = pc.fill_null(array.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
    return codes, names


def column_ms(column: pa.ChunkedArray) -> Index:
    """Milliseconds since the epoch in UTC; a null becomes the smallest integer."""
    zone = "UTC" if column.type.tz else None
    millis = column.cast(pa.timestamp("ms", zone), safe=False).cast(pa.int64())
    times: Index = pc.fill_null(millis, np.iinfo(np.int64).min).to_numpy()
    return times


def spans_of(table: pa.Table, interval_s: int | None) -> Mapping[str, Span]:
    """Spans of all entities in columns ``time`` and ``entity``; the interval is measured where none is stated."""
    codes, names = entity_codes(table["entity"])
    times = column_ms(table["time"])
    valid = (codes >= 0) & (times > np.iinfo(np.int64).min)
    if not valid.all():
        codes, times = codes[valid], times[valid]
    turns = np.diff(codes)
    if (turns < 0).any() or ((np.diff(times) < 0) & (turns == 0)).any():
        order = np.lexsort((times, codes))
        codes, times = codes[order], times[order]
    if not len(codes):
        return {}
    steps = np.diff(times)
    splits = (np.diff(codes) != 0) | (steps > STRAY_GAP.astype(np.int64))
    starts = np.concatenate(([0], np.flatnonzero(splits) + 1))
    sizes = np.diff(np.append(starts, len(codes)))
    spans = {}
    for code in np.unique(codes[starts]):
        parts = np.flatnonzero(codes[starts] == code)
        total = int(sizes[parts].sum())
        main_parts = (
            parts[sizes[parts] > STRAY_SHARE * total] if total * STRAY_SHARE >= 1 else parts[[sizes[parts].argmax()]]
        )
        first, last = starts[main_parts[0]], starts[main_parts[-1]] + sizes[main_parts[-1]] - 1
        spans[names[code]] = Span(
            first=time_of(int(times[first])),
            last=time_of(int(times[last])),
            interval_s=interval_s or _usual_interval(times[first : last + 1]),
            rows=int(sizes[main_parts].sum()),
            stray=total - int(sizes[main_parts].sum()),
        )
    return spans


def _usual_interval(times: Index) -> int:
    """Median distance of neighbouring times in whole seconds, at least one."""
    steps = np.diff(times)
    steps = steps[steps > 0]
    return max(round(float(np.median(steps)) / 1000), 1) if len(steps) else 1


def merge_spans(parts: Iterable[Mapping[str, Span]], interval_s: int | None) -> Mapping[str, Span]:
    """Spans of entities over several files; the interval is that of the file with most rows unless one is stated."""
    merged: dict[str, Span] = {}
    most: dict[str, int] = {}
    for part in parts:
        for name, span in part.items():
            known = merged.get(name, span)
            usual = span.interval_s if span.rows > most.get(name, 0) else known.interval_s
            most[name] = max(most.get(name, 0), span.rows)
            merged[name] = Span(
                first=min(known.first, span.first),
                last=max(known.last, span.last),
                interval_s=interval_s or usual,
                rows=span.rows + (known.rows if name in merged else 0),
                stray=0,
            )
    return merged
