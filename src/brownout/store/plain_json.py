"""JSON files: what is written, every reader accepts; what is read may hold anything, and be of any size."""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np

from brownout.domain.encoding import decode_json
from brownout.domain.errors import DataError
from brownout.store.atomic import write_text

T = TypeVar("T")

__all__ = [
    "LARGEST",
    "checked",
    "json_text",
    "json_value",
    "read_bytes",
    "read_json",
    "read_result",
    "with_checksum",
    "write_json",
]

CHECKSUM = "checksum"
"""Key of the checksum of all other keys of a table."""

LARGEST = 256 * 2**20
"""Bytes beyond which a file of state is damaged: ten thousand guests make a few ten million."""


def read_bytes(path: Path, *, most: int = LARGEST) -> bytes:
    """The content of a file; raises ValueError where it is no file (a device has no end) or larger than ``most``."""
    size = path.stat().st_size
    if not path.is_dir() and (not path.is_file() or size > most):  # reading a folder is an error of its own
        msg = f"it is no file of at most {most:,} bytes"
        raise ValueError(msg)
    return path.read_bytes()


def json_value(text: str | bytes, *, finite: bool = False) -> Any:
    """The value of a JSON text; raises ValueError where it is none, is nested without end, or has NaN and may not."""
    try:
        return json.loads(text, **(FINITE if finite else {}))
    except RecursionError as error:
        msg = "it is nested too deeply"
        raise ValueError(msg) from error


def read_json(path: Path, *, finite: bool = False) -> Any:
    """The value of a JSON file; raises OSError or ValueError, whatever it holds."""
    return json_value(read_bytes(path), finite=finite)


def read_result(kind: type[T], path: Path) -> T:
    """A result that a file holds as JSON; raises DataError that names the file, whatever is in its place."""
    try:
        return decode_json(kind, read_bytes(path).decode(errors="replace"))
    except (OSError, ValueError, DataError) as error:
        msg = f"{path} cannot be read: {error}."
        raise DataError(msg, remedy="Restore the file from a copy, or remove it and make it again.") from error


def with_checksum(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table as JSON has it, with a checksum of all of it: a changed digit is damage, not another number."""
    plain = json.loads(json.dumps(table))
    return {**plain, CHECKSUM: _checksum(plain)}


def checked(value: object) -> dict[str, Any]:
    """The table without its checksum; raises ValueError where it is no table, or the checksum is of another one.

    Tables of releases up to 0.1.0 have none.
    """
    if not isinstance(value, dict):
        msg = f"it holds a {type(value).__name__}, not a table"
        raise ValueError(msg)  # noqa: TRY004 - damage, like all else that is wrong with it
    table = {key: part for key, part in value.items() if key != CHECKSUM}
    if CHECKSUM in value and value[CHECKSUM] != _checksum(table):
        msg = "its checksum is of another content"
        raise ValueError(msg)
    return table


def _checksum(table: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()[:16]


def _refused(name: str) -> NoReturn:
    msg = f"it holds {name} in place of a number"
    raise ValueError(msg)


def _finite_number(text: str) -> float:
    return float(text) if math.isfinite(float(text)) else _refused(text[:20])


def _moderate(text: str) -> int:
    return int(text) if math.isfinite(float(text)) else _refused(f"{text[:20]}...")


FINITE: Mapping[str, Any] = {"parse_constant": _refused, "parse_float": _finite_number, "parse_int": _moderate}
"""How numbers are read where each must be one that arithmetic can do with."""


def json_text(value: object) -> str:
    """A value as indented JSON; figures that are not finite are null, what JSON does not know becomes text."""
    return json.dumps(_finite(value), indent=1, default=str, allow_nan=False)


def write_json(target: Path, value: object) -> None:
    """Replace the target's content by a value as JSON, atomically."""
    write_text(target, json_text(value))


def _finite(value: object) -> object:
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return value
