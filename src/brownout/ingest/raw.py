"""Raw telemetry: samples as a time-series database returns them, before they become metrics."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from brownout.numerics.arrays import Doubles, Index, Marks

__all__ = ["MeasurementSchema", "Raw", "Request", "TelemetryDatabase"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Fields of a measurement from ``start`` until before ``end``.

    Attributes
    ----------
    where
        Values that tags must have.
    every_s
        Ask for the mean of each field over slots of so many seconds instead of each sample; None for samples.
    """

    measurement: str
    fields: tuple[str, ...]
    start: np.datetime64
    end: np.datetime64
    where: Mapping[str, str] = field(default_factory=dict)
    every_s: int | None = None

    def __str__(self) -> str:
        return f"{self.measurement} from {self.start} to {self.end}"


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """Samples of a measurement, sorted by series and time.

    Attributes
    ----------
    fields
        Names of the columns of ``values``.
    tags
        Tags of each series; all of them, so that two counters are never taken for one.
    series
        int64 ``[row]``: index into ``tags``.
    times
        int64 ``[row]``: milliseconds since the epoch, UTC.
    values
        float64 ``[row, field]``; NaN = absent.
    low
        float64 ``[row, field]``: what whole numbers of 64 bits have beyond ``values``; None where none has anything.
    """

    fields: tuple[str, ...]
    tags: tuple[Mapping[str, str], ...]
    series: Index
    times: Index
    values: Doubles
    low: Doubles | None = None

    @classmethod
    def empty(cls, fields: tuple[str, ...]) -> "Raw":
        """No samples."""
        none = np.empty(0, np.int64)
        return cls(fields, (), none, none, np.empty((0, len(fields))))

    def __len__(self) -> int:
        return len(self.times)

    def rows(self, selected: Marks) -> "Raw":
        """Some of the rows."""
        low = None if self.low is None else self.low[selected]
        return Raw(self.fields, self.tags, self.series[selected], self.times[selected], self.values[selected], low)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementSchema:
    """Tags and numeric fields of a measurement, and fields that are text, which cannot be read as numbers."""

    tags: tuple[str, ...]
    fields: tuple[str, ...]
    texts: tuple[str, ...] = ()


class TelemetryDatabase(Protocol):
    """A time-series database that Telegraf writes to."""

    @property
    def name(self) -> str:
        """What stays the same when the server is moved or upgraded: the database or bucket."""

    @property
    def label(self) -> str:
        """Server, version and database, for people; holds no secret."""

    def schemas(self) -> Mapping[str, MeasurementSchema]:
        """Schemas of all measurements, by name."""

    def read(self, request: Request) -> Raw:
        """All samples asked for, or a DatabaseError that names the request; never a part of them."""

    def newest(self, measurement: str, fields: tuple[str, ...]) -> np.datetime64 | None:
        """Time of the newest sample of any of the fields, the future included; None where there is none."""

    def write(self, batches: Iterable[str]) -> int:
        """Write batches of line protocol with times in milliseconds; returns the number of lines."""
