"""JSON that every reader accepts: the standard has no NaN and no infinity."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from brownout.store.atomic import write_text

__all__ = ["json_text", "write_json"]


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
