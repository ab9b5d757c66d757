"""InfluxDB 2.x by the cheapest way that gives all samples: rows by InfluxQL, means by Flux.

On a real 2.8 InfluxQL gives rows of several fields at 3 to 5 times the speed of Flux, means at less than half.
Flux gives only the first type of a field that has changed its type between two shards, without a word: such fields are
read by InfluxQL, or, where the server refuses ``/query``, shard by shard, within which a field has one type.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TypeVar

import numpy as np

from brownout.adapters.influx.flux import FluxDatabase
from brownout.adapters.influx.http import Connection, RefusedError
from brownout.adapters.influx.influxql import NUMERIC, InfluxQlDatabase
from brownout.adapters.influx.time_parts import cut_at, joined
from brownout.domain.errors import DatabaseError
from brownout.ingest.raw import MeasurementSchema, Raw, Request

__all__ = ["BucketDatabase", "means_of"]

Answer = TypeVar("Answer")
NOT_SERVED = frozenset({401, 403, 404, 405, 501})
"""How a server, or a proxy before it, says that there is no ``/query`` for us."""
NOT_FOUND, INVALID = 404, 400
DAY_S = 86_400
logger = logging.getLogger(__name__)


class BucketDatabase:
    """One bucket of an InfluxDB 2.x."""

    def __init__(self, connection: Connection, *, bucket: str, org: str, token: str, version: str = "2") -> None:
        self._flux = FluxDatabase(connection, bucket=bucket, org=org, token=token, version=version)
        self._influxql = InfluxQlDatabase(connection, database=bucket, token=token, version=version)
        self.name, self.label = self._flux.name, self._flux.label
        self._bucket = bucket
        self._refused: bool | None = None

    def schemas(self) -> Mapping[str, MeasurementSchema]:
        """All measurements of the bucket."""
        if self._refused is not True:
            try:
                schemas = self._influxql.schemas()
            except RefusedError as error:
                if error.status not in NOT_SERVED:
                    raise
                refusal = error
            else:
                self._refused = False
                if schemas:
                    return schemas
                return self._call(self._flux.schemas)  # a bucket that may not be read can look empty
            self._refused = True
            schemas = self._call(self._flux.schemas)
            logger.info("%s: /query is refused, Flux reads all: %s", self.label, refusal.what)
            return schemas
        return self._call(self._flux.schemas)

    def read(self, request: Request) -> Raw:
        """The samples asked for."""
        if self._refused is None:
            self.schemas()
        if self._refused:
            return joined(request.fields, [self._call(self._read_by_flux, part) for part in self._shards(request)])
        if request.every_s is not None and self._single(request):
            return self._call(self._read_by_flux, request)
        return self._call(self._influxql.read, request)

    def newest(self, measurement: str, fields: tuple[str, ...]) -> np.datetime64 | None:
        """Time of the newest sample."""
        if self._refused is None:
            self.schemas()
        return self._call((self._flux if self._refused else self._influxql).newest, measurement, fields)

    def write(self, batches: Iterable[str]) -> int:
        """Write batches of lines, gzipped; refused ones are logged, and the number of the others is returned."""
        return self._call(self._flux.write, batches)

    def _single(self, request: Request) -> bool:
        """Whether each field is a number of one type, wherever it stands."""
        kinds = self._influxql.kinds.get(request.measurement, {})
        return all(len(kinds.get(name, ())) == 1 and kinds[name] <= NUMERIC for name in request.fields)

    def _read_by_flux(self, request: Request) -> Raw:
        """Samples or means; where the server cannot make means, for a field is text, they are made here."""
        try:
            return self._flux.read(request)
        except RefusedError as error:
            if request.every_s is None or error.status != INVALID:
                raise
        return means_of(self._flux.read(replace(request, every_s=None)), request.every_s)

    def _shards(self, request: Request) -> list[Request]:
        """The request cut where one shard may end and the next begin."""
        step = np.timedelta64(self._shard_s, "s")
        first = request.start.astype("datetime64[s]")
        start = first - (first - np.datetime64(0, "s")) % step
        edges = np.arange(start + step, request.end.astype("datetime64[s]"), step)
        if request.every_s is not None:
            edges = edges[edges.astype(np.int64) % request.every_s == 0]
        return cut_at(request, list(edges.astype("datetime64[ms]")))

    @cached_property
    def _shard_s(self) -> int:
        """Seconds that a shard covers, at most a day: longer ones begin at midnight UTC too."""
        try:
            seconds = self._flux.buckets().get(self._bucket, 0)
        except DatabaseError:
            seconds = 0
        return seconds if 0 < seconds < DAY_S and DAY_S % seconds == 0 else DAY_S

    def _call(self, ask: Callable[..., Answer], *arguments: object) -> Answer:
        """Call a query; where the bucket does not exist, the error lists possible reasons and visible buckets."""
        try:
            return ask(*arguments)
        except RefusedError as error:
            if error.status != NOT_FOUND:
                raise
            what = f"{error.what.rstrip('.')}. {self._missing_bucket()}"
            remedy = "Correct bucket in [influxdb], or let the token read this bucket."
        raise RefusedError(what, remedy=remedy, status=NOT_FOUND)

    def _missing_bucket(self) -> str:
        problem = f"Bucket {self._bucket} is not there, or the token may not use it"
        try:
            names = sorted(self._flux.buckets())
        except DatabaseError:
            return f"{problem}; it may not list buckets either."
        return f"{problem}; it sees {', '.join(names) if names else 'no bucket at all'}."


def means_of(raw: Raw, every_s: int) -> Raw:
    """Means of samples over slots, named by their start, of the samples that there are."""
    slots = raw.times // (every_s * 1000)
    if not len(raw):
        return raw
    new = np.concatenate(([True], (np.diff(raw.series) != 0) | (np.diff(slots) != 0)))
    starts = np.flatnonzero(new)
    known = np.isfinite(raw.values)
    counts = np.add.reduceat(known, starts, axis=0, dtype=np.int64)
    sums = np.add.reduceat(np.where(known, raw.values, 0.0), starts, axis=0)
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return Raw(raw.fields, raw.tags, raw.series[starts], slots[starts] * every_s * 1000, means)
