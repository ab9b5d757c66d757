"""A gathered sample, as one line of line protocol with Telegraf's types."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from brownout.domain.errors import BrownoutError
from brownout.ingest.line_protocol import escape_tag, tag_text

__all__ = ["Gather", "Sample", "line", "read", "read_or_none"]

Value = int | float | str


@dataclass(frozen=True, slots=True)
class Sample:
    """Fields of one series: whole numbers become integers, other numbers floats, texts strings."""

    measurement: str
    fields: Mapping[str, Value]
    tags: Mapping[str, str] = field(default_factory=dict)


Gather = Callable[[float], Iterable[Sample]]
"""Takes seconds of a clock that only goes forward, for rates; raises a BrownoutError for what cannot be read."""


def line(sample: Sample, common: Mapping[str, str]) -> str:
    """One line without a time; "" where no field has a value. What is not a number is left out, as by Telegraf."""
    fields = ",".join(f"{_field_name(name)}={text}" for name, value in sample.fields.items() if (text := _text(value)))
    return f"{sample.measurement}{tag_text({**sample.tags, **common})} {fields}" if fields else ""


def read(path: Path) -> str:
    """A file's text; a BrownoutError where it cannot be read."""
    try:
        return _whole(path)
    except OSError as error:
        remedy = "Run the agent as root on the hypervisor itself; what this kernel has not is left out."
        raise BrownoutError(f"{path} cannot be read: {error.strerror}.", remedy=remedy) from error


def read_or_none(path: Path) -> str | None:
    """A file's text, None where it is not there or has gone."""
    try:
        return _whole(path)
    except OSError:
        return None


def _whole(path: Path) -> str:
    with path.open("rb", buffering=0) as file:  # hundreds of small files a round: half the time of read_text
        return file.read().decode(errors="replace")


@lru_cache(4096)
def _field_name(name: str) -> str:
    return escape_tag(name)


def _text(value: Value) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
    if isinstance(value, int):
        return f"{int(value)}i"
    return repr(value) if math.isfinite(value) else ""
