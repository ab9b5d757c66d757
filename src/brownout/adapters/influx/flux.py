"""InfluxDB 2.x: Flux through influxdb-client, whose raw answers are parsed as typed columns."""

from collections.abc import Iterable, Mapping
from tempfile import SpooledTemporaryFile
from typing import IO

import numpy as np
from influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from brownout.adapters.influx.annotated import FluxError, parse_annotated
from brownout.adapters.influx.http import IN_MEMORY, Connection, RefusalError, explain, patiently, seconds_to_wait
from brownout.domain.errors import DatabaseError
from brownout.ingest.raw import MeasurementSchema, Raw, Request

__all__ = ["FluxDatabase", "literal", "newest_text", "query_text", "schema_text"]


class FluxDatabase:
    """One bucket of an InfluxDB 2.x."""

    def __init__(self, connection: Connection, *, bucket: str, org: str, token: str, version: str = "2") -> None:
        self.name = f"InfluxDB bucket {bucket}"
        self.label = f"InfluxDB {version} at {connection.url}, bucket {bucket}"
        self._connection = connection
        self._bucket = bucket
        self._client = InfluxDBClient(
            url=connection.url,
            token=token,
            org=org,
            timeout=round(connection.timeout_s * 1000),
            enable_gzip=True,
            ssl_ca_cert=connection.ca_file or None,
        )

    def schemas(self) -> Mapping[str, MeasurementSchema]:
        """All measurements of the bucket in the last 30 days. Flux does not tell text from numbers here."""
        names = self._strings(schema_text(self._bucket), doing="listing measurements")
        return {
            name: MeasurementSchema(
                tags=self._strings(schema_text(self._bucket, name, "Tag"), doing=f"listing tags of {name}"),
                fields=self._strings(schema_text(self._bucket, name, "Field"), doing=f"listing fields of {name}"),
            )
            for name in names
        }

    def read(self, request: Request) -> Raw:
        """The samples asked for."""
        doing = f"reading {request}"
        with SpooledTemporaryFile(IN_MEMORY) as answer:
            self._download(query_text(self._bucket, request), answer, doing=doing)
            try:
                return parse_annotated(answer, request.fields)
            except (FluxError, ValueError) as error:
                msg = f"{self.label}, {doing}: {error}."
                raise DatabaseError(msg, remedy="Check the fields' types, and the server's log.") from error

    def newest(self, measurement: str, fields: tuple[str, ...]) -> np.datetime64 | None:
        """Time of the newest sample of the last year and the day to come."""
        if not fields:
            return None
        doing = f"asking {measurement}"
        with SpooledTemporaryFile(IN_MEMORY) as answer:
            self._download(newest_text(self._bucket, measurement, fields), answer, doing=doing)
            try:
                found = parse_annotated(answer, fields)
            except (FluxError, ValueError) as error:
                raise DatabaseError(f"{self.label}, {doing}: {error}.", remedy="Check the server's log.") from error
        return np.datetime64(int(found.times.max()), "ms") if len(found) else None

    def write(self, batches: Iterable[str]) -> int:
        """Write batches of lines, gzipped."""
        lines = 0
        with self._client.write_api(write_options=SYNCHRONOUS) as writer:
            for batch in batches:
                try:
                    for attempt in patiently(self._connection):
                        with attempt, refusals():
                            writer.write(bucket=self._bucket, record=batch.encode(), write_precision="ms")
                except RefusalError as error:
                    raise explain(error, "writing", self._connection.url) from None
                lines += batch.count("\n")
        return lines

    def _strings(self, query: str, *, doing: str) -> tuple[str, ...]:
        try:
            for attempt in patiently(self._connection):
                with attempt, refusals():
                    tables = self._client.query_api().query(query)
                    return tuple(str(record.values["_value"]) for table in tables for record in table.records)
        except RefusalError as error:
            raise explain(error, doing, self._connection.url) from None
        raise AssertionError

    def _download(self, query: str, answer: IO[bytes], *, doing: str) -> None:
        try:
            for attempt in patiently(self._connection):
                with attempt, refusals():
                    answer.seek(0)
                    answer.truncate()
                    response = self._client.query_api().query_raw(query)
                    for piece in response.stream(1 << 20, decode_content=True):
                        answer.write(piece)
        except RefusalError as error:
            raise explain(error, doing, self._connection.url) from None
        answer.seek(0)


class refusals:  # noqa: N801 - a context manager reads as a verb
    """Turns the client's exceptions, which carry whole requests, into short ones."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Raise a RefusalError for what the client raised."""
        if isinstance(error, ApiException):
            message = " ".join(str(error.body or error.reason).split())[:300]
            headers: Mapping[str, str] = error.headers or {}
            wait = seconds_to_wait(headers.get("Retry-After"))
            raise RefusalError(int(error.status or 0), message, retry_after=wait) from None
        if isinstance(error, HTTPError):
            raise RefusalError(0, type(error).__name__) from None


def query_text(bucket: str, request: Request) -> str:
    """Flux that returns a row for each field and time, all values as floats."""
    lines = [
        f"from(bucket: {literal(bucket)})",
        f"|> range(start: {_time(request.start)}, stop: {_time(request.end)})",
        f"|> filter(fn: (r) => r._measurement == {literal(request.measurement)})",
        f"|> filter(fn: (r) => {_any_field(request.fields)})",
    ]
    lines += [f"|> filter(fn: (r) => r[{literal(tag)}] == {literal(value)})" for tag, value in request.where.items()]
    if request.every_s is not None:
        every = f'aggregateWindow(every: {request.every_s}s, fn: mean, createEmpty: false, timeSrc: "_start")'
        lines.append(f"|> {every}")
    lines += ["|> toFloat()", '|> drop(columns: ["_start", "_stop", "_measurement"])']
    return "\n  ".join(lines)


def newest_text(bucket: str, measurement: str, fields: tuple[str, ...]) -> str:
    """Flux for the newest sample of each series."""
    return "\n  ".join(
        [
            f"from(bucket: {literal(bucket)})",
            "|> range(start: -365d, stop: 1d)",
            f"|> filter(fn: (r) => r._measurement == {literal(measurement)})",
            f"|> filter(fn: (r) => {_any_field(fields)})",
            "|> last()",
            "|> toFloat()",
            '|> drop(columns: ["_start", "_stop", "_measurement"])',
        ]
    )


def schema_text(bucket: str, measurement: str = "", what: str = "") -> str:
    """Flux for the measurements of a bucket, or for the tags or fields (``what`` = Tag or Field) of one."""
    call = f"schema.measurements(bucket: {literal(bucket)})"
    if measurement:
        call = f"schema.measurement{what}Keys(bucket: {literal(bucket)}, measurement: {literal(measurement)})"
    return f'import "influxdata/influxdb/schema"\n{call}'


def literal(text: str) -> str:
    """A string literal that stays one whatever it holds: quotes, line ends and ``${}`` mean nothing in it."""
    table = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "$": "\\x24"}
    return '"' + "".join(table.get(sign, sign) for sign in text) + '"'


def _any_field(fields: tuple[str, ...]) -> str:
    return " or ".join(f"r._field == {literal(name)}" for name in fields)


def _time(time: np.datetime64) -> str:
    return f"{time.astype('datetime64[ms]')}Z"
