"""Results as JSON and back: one codec for ``report.json``, the state file, the feedback ledger and the write-back.

A result is a frozen dataclass of :mod:`brownout.domain`. Its fields are what is written: a new field needs no further
edit to be written, read back, listed in the JSON schema and, where it is plain, stored as a column of points.
"""

from brownout.domain.encoding.codec import decode, decode_json, encode
from brownout.domain.encoding.json_schema import json_schema
from brownout.domain.encoding.point_columns import PointColumns, point_columns
from brownout.domain.encoding.visible import visible
from brownout.domain.encoding.wire_types import (
    Instant,
    MetricResult,
    Number,
    Number32,
    OmitDefaults,
    Second,
    Seconds,
    TextValue,
    TimeAxis,
    WrittenAs,
    as_time,
)

__all__ = [
    "Instant",
    "MetricResult",
    "Number",
    "Number32",
    "OmitDefaults",
    "PointColumns",
    "Second",
    "Seconds",
    "TextValue",
    "TimeAxis",
    "WrittenAs",
    "as_time",
    "decode",
    "decode_json",
    "encode",
    "json_schema",
    "point_columns",
    "visible",
]
