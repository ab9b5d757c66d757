"""InfluxDB 2.x by Flux: annotated CSV, in which each type of values is a block of its own."""

import logging
from collections.abc import Iterable, Mapping

import numpy as np
from influxdb_client.domain.dialect import Dialect
from influxdb_client.domain.query import Query

from brownout.adapters.influx.annotated import parse_annotated, parse_strings
from brownout.adapters.influx.credentials import Credentials
from brownout.adapters.influx.delivery import deliver
from brownout.adapters.influx.http import Ask, Connection, HttpServer, TooLargeError
from brownout.adapters.influx.time_parts import PartReader
from brownout.adapters.influx.transport import Deadline
from brownout.ingest.raw import MeasurementSchema, Raw, Request

__all__ = ["FluxDatabase", "literal", "newest_text", "query_text", "schema_text"]

DIALECT = Dialect(header=True, delimiter=",", annotations=["datatype", "group", "default"])
logger = logging.getLogger(__name__)


class FluxDatabase:
    """One bucket of an InfluxDB 2.x."""

    def __init__(self, connection: Connection, *, bucket: str, org: str, token: str, version: str = "2") -> None:
        self.name = f"InfluxDB bucket {bucket}"
        self.label = f"InfluxDB {version} at {connection.url}, bucket {bucket}"
        self._server = HttpServer(connection, Credentials("Token", "", token))
        self._bucket, self._org = bucket, org
        self._parts = PartReader(self._read, connection.budget_s)
        self._texts: set[tuple[str, str]] = set()

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
        """The samples asked for; fields of text are left out, and named in a warning."""
        try:
            return self._parts.read(request)
        except TooLargeError as error:
            remedy = "Raise answer_mib in [influxdb] if the server is to be trusted."
            failure = self._server.error(f"reading {request}", f"{error}", remedy=remedy)
        raise failure

    def newest(self, measurement: str, fields: tuple[str, ...]) -> np.datetime64 | None:
        """Time of the newest sample of the last year and the day to come."""
        if not fields:
            return None
        query, doing = newest_text(self._bucket, measurement, fields), f"asking {measurement}"
        try:
            samples = self._table(query, measurement, fields, doing, Deadline(self._server.connection.budget_s))
        except TooLargeError as error:
            failure = self._server.error(doing, f"{error}", remedy="Raise answer_mib in [influxdb].")
        else:
            return np.datetime64(int(samples.times.max()), "ms") if len(samples) else None
        raise failure

    def write(self, batches: Iterable[str]) -> int:
        """Write batches of lines, gzipped; refused ones are logged, and the number of the others is returned."""
        where = {"org": self._org, "bucket": self._bucket, "precision": "ms"}
        return deliver(self._server, Ask(doing="writing", path="/api/v2/write", parameters=where), batches)

    def buckets(self) -> Mapping[str, int]:
        """Buckets that the token sees, with the seconds that a shard of each covers; 0 where it is not said."""
        ask = Ask(doing="listing buckets", path="/api/v2/buckets", method="GET", parameters={"limit": "100"})
        answer = self._server.json(ask)
        listed = answer.get("buckets") if isinstance(answer, dict) else None
        rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
        return {self._server.credentials.clean(str(row.get("name", ""))): _shard_seconds(row) for row in rows}

    def _read(self, request: Request, deadline: Deadline) -> Raw:
        query = query_text(self._bucket, request)
        return self._table(query, request.measurement, request.fields, f"reading {request}", deadline)

    def _table(self, query: str, measurement: str, fields: tuple[str, ...], doing: str, deadline: Deadline) -> Raw:
        texts: set[str] = set()
        limit = self._server.connection.limit
        try:
            samples = self._server.stream(
                self._ask(query, doing),
                lambda pieces: parse_annotated(pieces, fields, limit=limit, texts=texts),
                deadline,
            )
        except ValueError as error:
            problem = str(error)
        else:
            self._warn(measurement, texts & set(fields))
            return samples
        raise self._server.error(doing, f"bucket {self._bucket}: {problem}", remedy="Look into the server's log.")

    def _warn(self, measurement: str, texts: set[str]) -> None:
        """Say once what cannot be read."""
        for name in sorted(name for name in texts if (measurement, name) not in self._texts):
            self._texts.add((measurement, name))
            warning = self._server.credentials.clean(f"{measurement}: field {name} holds text, which is left out")
            logger.warning("%s, %s", self.label, warning)

    def _strings(self, query: str, *, doing: str) -> tuple[str, ...]:
        try:
            return self._server.stream(self._ask(query, doing), parse_strings)
        except (ValueError, TooLargeError) as error:
            problem = str(error)
        raise self._server.error(doing, f"bucket {self._bucket}: {problem}", remedy="Look into the server's log.")

    def _ask(self, query: str, doing: str) -> Ask:
        content = _content(Query(query=query, type="flux", dialect=DIALECT))
        return Ask.json("/api/v2/query", content, doing=doing, accept="application/csv", parameters={"org": self._org})


def _content(model: Query | Dialect) -> dict[str, object]:
    """A request model of influxdb-client under the names that the server's API has for its fields."""
    names = {name: key for name, key in model.attribute_map.items() if getattr(model, name) is not None}
    values = {key: getattr(model, name) for name, key in names.items()}
    return {key: _content(value) if isinstance(value, Dialect) else value for key, value in values.items()}


def query_text(bucket: str, request: Request) -> str:
    """Flux that returns a row for each field and time, each type of values in tables of its own."""
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
    lines.append('|> drop(columns: ["_start", "_stop", "_measurement"])')
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


def _shard_seconds(bucket: Mapping[str, object]) -> int:
    rules = bucket.get("retentionRules")
    durations = (
        [rule.get("shardGroupDurationSeconds") for rule in rules if isinstance(rule, dict)]
        if isinstance(rules, list)
        else []
    )
    return next((seconds for seconds in durations if isinstance(seconds, int) and seconds > 0), 0)
