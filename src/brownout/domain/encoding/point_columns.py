"""Results as columns of numbers and texts, one row a result: the form in which a time-series database takes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt
from pydantic.fields import FieldInfo

from brownout.domain.encoding.codec import adapter_of
from brownout.domain.encoding.wire_types import as_time

__all__ = ["LISTED", "PointColumns", "point_columns"]

T = TypeVar("T")

Numbers = npt.NDArray[np.float64] | npt.NDArray[np.int64]

LISTED = 10
"""So many texts of a list are written; a database refuses texts of 64 KiB."""


@dataclass(frozen=True, slots=True)
class PointColumns:
    """Numbers ``[row]`` and texts ``[row]`` by name; NaN and None = not known in that row."""

    numbers: Mapping[str, Numbers] = field(default_factory=dict)
    texts: Mapping[str, Sequence[str | None]] = field(default_factory=dict)

    def __or__(self, other: "PointColumns") -> "PointColumns":
        """The columns of both; those of the other win."""
        return PointColumns({**self.numbers, **other.numbers}, {**self.texts, **other.texts})


@dataclass(frozen=True, slots=True)
class _Column:
    """How a field is written: ``key`` in the codec's output, its ``kind`` and whether it may be None."""

    key: str
    kind: type[Any]
    optional: bool


def point_columns(
    kind: type[T], values: Sequence[T], *, names: Mapping[str, str] | None = None, leave_out: Sequence[str] = ()
) -> PointColumns:
    """Every plain field of a result type as a column, by what the codec writes for it.

    Numbers stay numbers; truth values are 0 and 1; a time ``start`` becomes ``start_ms``, Unix milliseconds; a list of
    texts becomes one text, the first ten joined by commas. Fields that hold other results are left out, as are those
    of ``leave_out``. ``names`` renames columns. A column's type follows from the field's alone, since a database that
    has seen an integer refuses a float: what may be None is a float.
    """
    written = [adapter_of(kind).dump_python(value, mode="json", by_alias=True) for value in values]
    numbers: dict[str, Numbers] = {}
    texts: dict[str, Sequence[str | None]] = {}
    for field_name, column in _plain_fields(kind).items():
        if field_name in leave_out:
            continue
        cells = [row[column.key] for row in written]
        suffix = "_ms" if column.kind is np.datetime64 else ""
        name = (names or {}).get(field_name, f"{column.key}{suffix}")
        if column.kind in {str, tuple}:
            texts[name] = [_text(cell) for cell in cells]
        else:
            numbers[name] = _numbers(cells, column)
    return PointColumns(numbers, texts)


def _numbers(cells: Sequence[Any], column: _Column) -> Numbers:
    if column.kind is np.datetime64:
        cells = [None if cell is None else int(as_time(cell).astype(np.int64)) for cell in cells]
    if column.kind is float or column.optional:
        return np.array([np.nan if cell is None else cell for cell in cells], np.float64)
    return np.array(cells, np.int64)


def _text(cell: str | Sequence[str] | None) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell
    more = len(cell) - LISTED
    return ", ".join(cell[:LISTED]) + (f" and {more} more" if more > 0 else "")


def _plain_fields(kind: Any) -> dict[str, _Column]:
    """The fields of a dataclass that are columns, by name; made once a type."""
    return _columns(kind)


@cache
def _columns(kind: Any) -> dict[str, _Column]:
    hints = get_type_hints(kind, include_extras=True)
    columns = {name: _column(name, hints[name]) for name in kind.__dataclass_fields__}
    return {name: column for name, column in columns.items() if column is not None}


def _column(name: str, hint: Any) -> _Column | None:
    key, optional = name, False
    while get_origin(hint) in {Annotated, Union, UnionType}:
        if get_origin(hint) is Annotated:
            hint, *marks = get_args(hint)
            key = next((mark.alias for mark in marks if isinstance(mark, FieldInfo) and mark.alias), key)
            continue
        parts = [part for part in get_args(hint) if part is not NoneType]
        if len(parts) != 1:
            return None
        (hint,), optional = parts, True
    if get_origin(hint) is tuple and get_args(hint) == (str, ...):
        return _Column(key, tuple, optional)
    if hint in {bool, int, float, np.datetime64}:
        return _Column(key, hint, optional)
    if isinstance(hint, type) and issubclass(hint, str | Enum):
        return _Column(key, str, optional)
    return None
