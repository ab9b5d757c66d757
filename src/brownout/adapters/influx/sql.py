"""InfluxDB 3: SQL over ``/api/v3/query_sql``, answers as Parquet."""

import json
from collections.abc import Iterable, Mapping
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from brownout.adapters.influx.assemble import from_wide
from brownout.adapters.influx.http import Connection, HttpServer
from brownout.domain.errors import DatabaseError
from brownout.ingest.raw import MeasurementSchema, Raw, Request

__all__ = ["SqlDatabase", "parse_parquet", "query_text", "quoted"]

SCHEMAS = (
    "SELECT table_name, column_name, data_type FROM information_schema.columns "
    "WHERE table_schema = 'iox' ORDER BY table_name, ordinal_position"
)


class SqlDatabase:
    """One database of an InfluxDB 3."""

    def __init__(self, connection: Connection, *, database: str, token: str, version: str = "3") -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.name = f"InfluxDB database {database}"
        self.label = f"InfluxDB {version} at {connection.url}, database {database}"
        self._server = HttpServer(connection, headers=headers)
        self._database = database
        self._tags: dict[str, tuple[str, ...]] = {}

    def schemas(self) -> Mapping[str, MeasurementSchema]:
        """All tables of the database."""
        table = self._rows(SCHEMAS, {}, doing="listing tables")
        found: dict[str, dict[str, str]] = {}
        for row in table.to_pylist():
            found.setdefault(row["table_name"], {})[row["column_name"]] = row["data_type"]
        schemas = {name: _schema(columns) for name, columns in found.items()}
        self._tags = {name: schema.tags for name, schema in schemas.items()}
        return schemas

    def read(self, request: Request) -> Raw:
        """The samples asked for."""
        tags = self._tags_of(request.measurement)
        query, parameters = query_text(request, tags)
        return parse_parquet(self._rows(query, parameters, doing=f"reading {request}"), tags, request.fields)

    def newest(self, measurement: str, fields: tuple[str, ...]) -> np.datetime64 | None:
        """Time of the newest sample of the last two days: InfluxDB 3 Core refuses to look through many files."""
        known = " OR ".join(f"{quoted(name)} IS NOT NULL" for name in fields)
        if not known:
            return None
        query = (
            f"SELECT max(time) AS time FROM {quoted(measurement)} WHERE time >= now() - INTERVAL '2 days' AND ({known})"
        )
        found = self._rows(query, {}, doing=f"asking {measurement}")["time"]
        newest = found.cast(pa.timestamp("ms"), safe=False).cast(pa.int64())[0].as_py() if len(found) else None
        return None if newest is None else np.datetime64(newest, "ms")

    def write(self, batches: Iterable[str]) -> int:
        """Write batches of lines, gzipped."""
        return self._server.write("/api/v3/write_lp", {"db": self._database, "precision": "millisecond"}, batches)

    def _tags_of(self, measurement: str) -> tuple[str, ...]:
        if measurement not in self._tags:
            self.schemas()
        return self._tags.get(measurement, ())

    def _rows(self, query: str, parameters: Mapping[str, str], *, doing: str) -> pa.Table:
        body: dict[str, Any] = {"db": self._database, "q": query, "format": "parquet"}
        if parameters:
            body["params"] = dict(parameters)
        with self._server.download(
            "POST",
            "/api/v3/query_sql",
            doing=doing,
            content=json.dumps(body),
            headers={"Content-Type": "application/json"},
        ) as answer:
            return self._table(answer, doing)

    def _table(self, answer: IO[bytes], doing: str) -> pa.Table:
        try:
            return pq.read_table(answer)
        except (pa.ArrowInvalid, OSError) as error:
            msg = f"{self.label}, {doing}: the answer is no whole Parquet file: {error}."
            raise DatabaseError(msg, remedy="Try again; look for the query in the server's log.") from error


def query_text(request: Request, tags: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """SQL with values as parameters; returns them too."""
    parameters = {f"v{number}": value for number, value in enumerate(request.where.values())}
    conditions = [f"time >= {_time(request.start)}", f"time < {_time(request.end)}"]
    conditions += [f"{quoted(tag)} = ${name}" for tag, name in zip(request.where, parameters, strict=True)]
    named = [quoted(tag) for tag in tags]
    fields = [quoted(name) for name in request.fields]
    source = f"FROM {quoted(request.measurement)} WHERE {' AND '.join(conditions)}"
    if request.every_s is None:
        return f"SELECT {', '.join(['time', *named, *fields])} {source}", parameters
    slot = f"date_bin(INTERVAL '{request.every_s} seconds', time)"
    means = [f"avg({name}) AS {name}" for name in fields]
    groups = ", ".join([slot, *named])
    return f"SELECT {', '.join([f'{slot} AS time', *named, *means])} {source} GROUP BY {groups}", parameters


def quoted(name: str) -> str:
    """An identifier that stays one whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def parse_parquet(table: pa.Table, tags: tuple[str, ...], fields: tuple[str, ...]) -> Raw:
    """Samples of a table with one column a tag and a field."""
    times = table["time"].cast(pa.timestamp("ms"), safe=False).cast(pa.int64()).to_numpy()
    text = pa.dictionary(pa.int32(), pa.string())
    named = {tag: table[tag].cast(pa.string()).cast(text) for tag in tags}
    values = {name: pc.fill_null(table[name].cast(pa.float64()), float("nan")).to_numpy() for name in fields}
    return from_wide(times, named, values)


def _schema(columns: Mapping[str, str]) -> MeasurementSchema:
    numbers = ("Float", "Int", "UInt")
    tags = tuple(name for name, kind in columns.items() if kind.startswith("Dictionary"))
    fields = tuple(name for name, kind in columns.items() if kind.startswith(numbers))
    rest = set(columns) - set(tags) - set(fields) - {"time"}
    return MeasurementSchema(tags=tags, fields=fields, texts=tuple(sorted(rest)))


def _time(time: np.datetime64) -> str:
    return f"TIMESTAMP '{time.astype('datetime64[ms]')}Z'"
