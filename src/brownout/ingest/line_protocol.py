"""Line protocol: arrays to lines, whatever the names hold."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from brownout.numerics.arrays import Doubles, Index

__all__ = ["BATCH", "Points", "batches", "encode", "escape_tag", "tag_text"]

BATCH = 5_000
"""Lines of a batch: what InfluxDB recommends."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Points:
    """Points of one measurement.

    Attributes
    ----------
    tags
        Tags of each series.
    series
        int64 ``[row]``: index into ``tags``.
    times
        int64 ``[row]``: milliseconds since the epoch, UTC.
    fields
        Numbers ``[row]`` by name; NaN = no such field in the row. Arrays of integers are written as integers.
    texts
        Text ``[row]`` by name; None = no such field in the row.
    """

    measurement: str
    tags: Sequence[Mapping[str, str]]
    series: Index
    times: Index
    fields: Mapping[str, Doubles | Index]
    texts: Mapping[str, Sequence[str | None]] = field(default_factory=dict)


def encode(points: Points) -> pa.StringArray:
    """One line a row, without line ends; rows without any field are left out."""
    columns = [_numbers(name, values) for name, values in points.fields.items()]
    columns += [_texts(name, values) for name, values in points.texts.items()]
    # Each field ends in a comma or is empty: joining with null_handling="skip" loses rows (pyarrow 25).
    body = pc.utf8_slice_codeunits(pc.binary_join_element_wise(*columns, ""), 0, -1)
    name = _escape(points.measurement, ", ")
    heads = pa.array([name + tag_text(tags) for tags in points.tags], pa.string())
    lines = pc.binary_join_element_wise(
        heads.take(pa.array(points.series)), body, pa.array(points.times).cast(pa.string()), " "
    )
    return lines.filter(pc.not_equal(body, ""))


def batches(points: Points, size: int = BATCH) -> Iterator[str]:
    """Lines with their ends, a batch at a time."""
    lines = encode(points)
    for start in range(0, len(lines), size):
        yield "\n".join(lines[start : start + size].to_pylist()) + "\n"


def tag_text(tags: Mapping[str, str]) -> str:
    """``,key=value`` of all tags that have a value, in the order of their keys."""
    return "".join(f",{escape_tag(key)}={escape_tag(value)}" for key, value in sorted(tags.items()) if value)


def escape_tag(text: str) -> str:
    """A tag's key or value; line ends, which a tag cannot hold, become spaces."""
    return _escape(text, ",= ")


def _escape(text: str, special: str) -> str:
    flat = " ".join(text.splitlines()) if "\n" in text or "\r" in text else text
    escaped = "".join(f"\\{sign}" if sign in special else sign for sign in flat)
    # A last backslash would escape what follows, doubled or not: a space, which can be escaped, parts them.
    return escaped + "\\ " if escaped.endswith("\\") else escaped


def _numbers(name: str, values: Doubles | Index) -> pa.Array:
    key = escape_tag(name) + "="
    if np.issubdtype(values.dtype, np.integer):
        return pc.binary_join_element_wise(key, pa.array(values).cast(pa.string()), "i,", "")
    finite = pa.array(values, mask=~np.isfinite(values))
    return pc.fill_null(pc.binary_join_element_wise(key, finite.cast(pa.string()), ",", ""), "")


def _texts(name: str, values: Sequence[str | None]) -> pa.Array:
    key = escape_tag(name) + '="'
    quoted = [None if v is None else v.replace("\\", "\\\\").replace('"', '\\"') for v in values]
    return pc.fill_null(pc.binary_join_element_wise(key, pa.array(quoted, pa.string()), '",', ""), "")
