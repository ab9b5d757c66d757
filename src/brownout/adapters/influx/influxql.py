"""InfluxQL over ``/query``: InfluxDB 1.x, and 2.x for compatibility; answers as chunked CSV."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from brownout.adapters.influx.chunked_csv import BrokenOffError, parse_answer
from brownout.adapters.influx.credentials import Credentials
from brownout.adapters.influx.delivery import deliver
from brownout.adapters.influx.http import Ask, Connection, HttpServer, TooLargeError
from brownout.adapters.influx.time_parts import PartReader
from brownout.adapters.influx.transport import Deadline
from brownout.domain.errors import DatabaseError
from brownout.ingest.raw import MeasurementSchema, Raw, Request
from brownout.numerics.slots import epoch_ms

__all__ = ["NUMERIC", "InfluxQlDatabase", "query_text", "quoted"]

NUMERIC = frozenset({"float", "integer", "unsigned"})
WHOLE = {"integer": pa.int64(), "unsigned": pa.uint64()}
NOT_FOUND = 404
Kinds = Mapping[str, Mapping[str, frozenset[str]]]


class InfluxQlDatabase:
    """One database of an InfluxDB 1.x; with ``token`` a bucket of a 2.x, through the same endpoint."""

    def __init__(  # noqa: PLR0913 - what a connection string would hold
        self,
        connection: Connection,
        *,
        database: str,
        retention_policy: str = "",
        user: str = "",
        password: str = "",
        token: str = "",
        version: str = "1",
    ) -> None:
        basic = Credentials("Basic" if user else "", user, password)
        self.name = f"InfluxDB database {database}"
        self.label = f"InfluxDB {version} at {connection.url}, database {database}"
        self.kinds: Kinds = {}
        self._server = HttpServer(connection, Credentials("Token", "", token) if token else basic)
        self._database = database
        self._policy = retention_policy
        self._parts = PartReader(self._read, connection.budget_s)

    def schemas(self) -> Mapping[str, MeasurementSchema]:
        """All measurements of the database.

        A field that is text in some shards and a number in others is both: its numbers are read.
        """
        fields, tags = self._ask("SHOW FIELD KEYS; SHOW TAG KEYS", doing="listing measurements", results=2)
        keys = {name: tuple(row[0] for row in rows) for name, rows in tags}
        types: dict[str, dict[str, set[str]]] = {}
        for measurement, rows in fields:
            for row in rows:
                types.setdefault(measurement, {}).setdefault(row[0], set()).add(row[1] if len(row) > 1 else "")
        self.kinds = {m: {name: frozenset(own) for name, own in columns.items()} for m, columns in types.items()}
        return {
            name: MeasurementSchema(
                tags=keys.get(name, ()),
                fields=tuple(column for column, kinds in columns.items() if kinds & NUMERIC),
                texts=tuple(column for column, kinds in columns.items() if not kinds <= NUMERIC),
            )
            for name, columns in self.kinds.items()
        }

    def read(self, request: Request) -> Raw:
        """The samples asked for."""
        try:
            return self._parts.read(request)
        except TooLargeError as error:
            remedy = "Raise answer_mib in [influxdb] if the server is to be trusted."
            failure = self._server.error(f"reading {request}", f"{error}", remedy=remedy)
        raise failure

    def newest(self, measurement: str, fields: tuple[str, ...]) -> np.datetime64 | None:
        """Time of the newest sample."""
        if not fields:
            return None
        source, columns = _source(measurement, self._policy), ", ".join(self._columns(measurement, fields))
        doing = f"asking {measurement}"
        (series,) = self._ask(f"SELECT {columns} FROM {source} ORDER BY time DESC LIMIT 1", doing=doing, results=1)
        times = [row[0] for _, rows in series for row in rows]
        if not times:
            return None
        if not isinstance(times[0], int) or not 0 <= times[0] < 1 << 43:
            raise self._server.error(
                doing, "the newest sample has a time that cannot be", remedy="Look for its writer."
            )
        return np.datetime64(times[0], "ms")

    def write(self, batches: Iterable[str]) -> int:
        """Write batches of lines, gzipped; refused ones are logged, and the number of the others is returned."""
        where = {"db": self._database, "precision": "ms"} | ({"rp": self._policy} if self._policy else {})
        return deliver(self._server, Ask(doing="writing", path="/write", parameters=where), batches)

    def _columns(self, measurement: str, fields: tuple[str, ...]) -> list[str]:
        """Fields; of one that is text somewhere the numbers only, where it has any."""
        kinds = self.kinds.get(measurement, {})
        return [quoted(name) + ("" if kinds.get(name, NUMERIC) <= NUMERIC else "::float") for name in fields]

    def _whole(self, request: Request) -> dict[str, pa.DataType]:
        """Types of the fields that are whole numbers wherever they stand; means are none."""
        kinds = self.kinds.get(request.measurement, {}) if request.every_s is None else {}
        types = {name: WHOLE.get(next(iter(kinds[name]))) for name in request.fields if len(kinds.get(name, ())) == 1}
        return {name: arrow_type for name, arrow_type in types.items() if arrow_type is not None}

    def _read(self, request: Request, deadline: Deadline) -> Raw:
        columns = self._columns(request.measurement, request.fields)
        query, parameters = query_text(request, self._policy, columns)
        form = {"q": f"{query}; SHOW DATABASES", "params": json.dumps(parameters), "db": self._database, "epoch": "ms"}
        doing = f"reading {request}"
        ask = Ask.form(
            "/query", form | {"chunked": "true", "chunk_size": "20000"}, doing=doing, accept="application/csv"
        )
        limit, whole = self._server.connection.limit, self._whole(request)
        try:
            return self._server.stream(
                ask, lambda pieces: parse_answer(pieces, request.fields, limit=limit, whole=whole), deadline
            )
        except BrokenOffError as error:
            problem, empty = str(error), error.empty
        except ValueError as error:
            problem, empty = str(error), False
        if empty:
            self._ask(f"{query} LIMIT 1", doing=doing, results=1, parameters=parameters)  # as JSON it says why
        remedy = "Look for query-timeout and max-select-point in influxdb.conf, and for its log."
        raise self._server.error(doing, f"database {self._database}: {problem}", remedy=remedy)

    def _ask(
        self, query: str, *, doing: str, results: int, parameters: Mapping[str, str] | None = None
    ) -> list[list[tuple[str, list[list[Any]]]]]:
        """Names and rows of the series of each statement of a short query; an error inside the answer is an error."""
        form = {"q": query, "db": self._database, "epoch": "ms"}
        if parameters:
            form["params"] = json.dumps(parameters)
        answer = self._server.json(Ask.form("/query", form, doing=doing))
        entries = answer.get("results") if isinstance(answer, dict) else None
        parts = [part for part in entries if isinstance(part, dict)] if isinstance(entries, list) else []
        errors = [str(part["error"]) for part in [answer, *parts] if isinstance(part, dict) and "error" in part]
        if errors:
            raise self._error(errors[0], doing)
        series = [_series(part) for part in parts]
        if len(series) == results and None not in series:
            return [rows for rows in series if rows is not None]
        problem = f"the answer is not one of /query: {len(parts)} results instead of {results}, or other columns"
        raise self._server.error(doing, problem, remedy="Check that the url is that of an InfluxDB.")

    def _error(self, error: str, doing: str) -> DatabaseError:
        # InfluxDB 1.6 says no more than "not executed" where there is no such database.
        missing = error == "not executed" or "database not found" in error
        reason = "there is no such database" if missing else error
        remedy = "Check the database's name and what the user may read."
        if not missing:
            remedy = "Check what the user may read; look for query-timeout in influxdb.conf, and for its log."
        what = f"database {self._database}: {reason}"
        return self._server.error(doing, what, remedy=remedy, status=NOT_FOUND if missing else 400)


def query_text(request: Request, policy: str = "", columns: list[str] | None = None) -> tuple[str, dict[str, str]]:
    """InfluxQL with values as bound parameters; returns them too. ``columns`` are the fields as they are selected."""
    parameters = {f"v{number}": value for number, value in enumerate(request.where.values())}
    conditions = [f"time >= {_ms(request.start)}ms", f"time < {_ms(request.end)}ms"]
    conditions += [f"{quoted(tag)} = ${name}" for tag, name in zip(request.where, parameters, strict=True)]
    names = columns or [quoted(name) for name in request.fields]
    groups = "*"
    if request.every_s is not None:
        names = [f"mean({name}) AS {quoted(own)}" for name, own in zip(names, request.fields, strict=True)]
        groups = f"time({request.every_s}s), * fill(none)"
    source = _source(request.measurement, policy)
    return f"SELECT {', '.join(names)} FROM {source} WHERE {' AND '.join(conditions)} GROUP BY {groups}", parameters


def quoted(name: str) -> str:
    """An identifier that stays one whatever it holds."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _series(result: Mapping[str, Any]) -> list[tuple[str, list[list[Any]]]] | None:
    """Names and rows of the series of a result; None where it has another form."""
    entries = result.get("series", [])
    if not isinstance(entries, list):
        return None
    checked = []
    for series in entries:
        rows = series.get("values") if isinstance(series, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, list) and row for row in rows):
            return None
        checked.append((str(series.get("name", "")), rows))
    return checked


def _source(measurement: str, policy: str) -> str:
    return f"{quoted(policy)}.{quoted(measurement)}" if policy else quoted(measurement)


def _ms(time: np.datetime64) -> int:
    return epoch_ms(time)
