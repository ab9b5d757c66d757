"""The last samples of each measurement that is used, read once for all that is asked of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from brownout.ingest.canonical import Canonicaliser
from brownout.ingest.mapping import MeasurementSource
from brownout.ingest.raw import MeasurementSchema, Raw, Request

__all__ = ["Sampled", "sampled"]

BESIDE = {"libvirt_balloon": ("last_update",), "cpu": ("usage_guest",)}
"""Fields that no metric needs and that say what others mean."""

Schemas = Mapping[str, MeasurementSchema]


@dataclass(frozen=True, eq=False)
class Sampled:
    """Samples of a measurement, and the sources that use it."""

    measurement: str
    sources: tuple[MeasurementSource, ...]
    raw: Raw

    def values(self, field: str) -> np.ndarray:
        """Values of a field by row; all NaN where nobody writes it."""
        if field not in self.raw.fields:
            return np.full(len(self.raw), np.nan)
        return self.raw.values[:, self.raw.fields.index(field)]

    def every_s(self) -> float:
        """Seconds between samples of a series as a rule; NaN where there are too few."""
        same = np.diff(self.raw.series) == 0
        apart = np.diff(self.raw.times)[same]
        return float(np.median(apart)) / 1000 if len(apart) else float("nan")


def sampled(reader: Canonicaliser, schemas: Schemas, start: np.datetime64, end: np.datetime64) -> Iterator[Sampled]:
    """Samples of every measurement of which anything can be made."""
    for measurement, sources in reader.mapping.measurements.items():
        used = tuple(source for source in sources if source.in_use(schemas))
        needed = [name for source in used for name in source.needs]
        fields = dict.fromkeys([*needed, *BESIDE.get(measurement, ())]) if used else {}
        there = tuple(name for name in fields if name in schemas[measurement].fields)
        if there:
            request = Request(measurement=measurement, fields=there, start=start, end=end)
            yield Sampled(measurement, used, reader.database.read(request))
