"""A database in memory, and raw telemetry for it."""

import numpy as np

from brownout.ingest.raw import MeasurementSchema, Raw, Request

START = np.datetime64("2026-03-02T00:00", "ms")


class MemoryDatabase:
    """A database in memory: raw telemetry by measurement."""

    name = label = "memory"

    def __init__(self, **tables: Raw) -> None:
        self.tables = tables

    def schemas(self) -> dict[str, MeasurementSchema]:
        return {
            name: MeasurementSchema(tags=tuple(sorted(set().union(*raw.tags))), fields=raw.fields)
            for name, raw in self.tables.items()
        }

    def read(self, request: Request) -> Raw:
        raw = self.tables[request.measurement]
        places = [raw.fields.index(name) for name in request.fields]
        return Raw(request.fields, raw.tags, raw.series, raw.times, raw.values[:, places])


def raw(tags: list[dict[str, str]], minutes: list[int], **fields: list[float]) -> Raw:
    """The same minutes for each series."""
    times = START.astype(np.int64) + np.tile(minutes, len(tags)) * 60_000
    values = np.column_stack([np.array(column, float) for column in fields.values()])
    return Raw(tuple(fields), tuple(tags), np.repeat(np.arange(len(tags)), len(minutes)), times, values)
