"""InfluxDB 1.x: InfluxQL over ``/query``, answers as chunked CSV.

CSV of InfluxDB 1.x loses errors silently: on a time-out in the middle the answer just ends, with status 200. So each
query is followed by ``SHOW DATABASES``, whose block is there only if the query before it succeeded.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import IO, Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from brownout.adapters.influx.assemble import from_series
from brownout.adapters.influx.http import Connection, HttpServer
from brownout.domain.errors import DatabaseError
from brownout.ingest.raw import MeasurementSchema, Raw, Request
from brownout.numerics.slots import epoch_ms

__all__ = ["InfluxQlDatabase", "parse_answer", "query_text", "quoted", "tags_of"]

SENTINEL = "name,tags,name"
NUMERIC = frozenset({"float", "integer", "unsigned"})
ESCAPED = re.compile(r"\\([,= ])")
KEY = re.compile(r"^((?:[^=\\]|\\.)+)=")


class InfluxQlDatabase:
    """One database of an InfluxDB 1.x."""

    def __init__(  # noqa: PLR0913 - what a connection string would hold
        self,
        connection: Connection,
        *,
        database: str,
        retention_policy: str = "",
        user: str = "",
        password: str = "",
        version: str = "1",
    ) -> None:
        auth = httpx.BasicAuth(user, password) if user else None
        self.name = f"InfluxDB database {database}"
        self.label = f"InfluxDB {version} at {connection.url}, database {database}"
        self._server = HttpServer(connection, headers={}, auth=auth)
        self._database = database
        self._policy = retention_policy

    def schemas(self) -> Mapping[str, MeasurementSchema]:
        """All measurements of the database."""
        fields, tags = self._ask("SHOW FIELD KEYS; SHOW TAG KEYS", doing="listing measurements")
        keys = {series["name"]: tuple(row[0] for row in series["values"]) for series in tags}
        types: dict[str, dict[str, set[str]]] = {}
        for series in fields:
            for name, kind in series["values"]:
                types.setdefault(series["name"], {}).setdefault(name, set()).add(kind)
        return {
            name: MeasurementSchema(
                tags=keys.get(name, ()),
                fields=tuple(column for column, kinds in columns.items() if kinds <= NUMERIC),
                texts=tuple(column for column, kinds in columns.items() if not kinds <= NUMERIC),
            )
            for name, columns in types.items()
        }

    def read(self, request: Request) -> Raw:
        """The samples asked for."""
        query, parameters = query_text(request, self._policy)
        form = {
            "q": f"{query}; SHOW DATABASES",
            "params": json.dumps(parameters),
            "db": self._database,
            "epoch": "ms",
            "chunked": "true",
            "chunk_size": "20000",
        }
        with self._server.download(
            "POST", "/query", doing=f"reading {request}", data=form, headers={"Accept": "application/csv"}
        ) as answer:
            try:
                return parse_answer(answer, request.fields)
            except ValueError as error:
                msg = f"{self.label}, reading {request}: {error}."
                remedy = "Look for query-timeout and max-select-point in influxdb.conf, and for its log."
                raise DatabaseError(msg, remedy=remedy) from error

    def newest(self, measurement: str, fields: tuple[str, ...]) -> np.datetime64 | None:
        """Time of the newest sample."""
        if not fields:
            return None
        source = _source(measurement, self._policy)
        columns = ", ".join(quoted(name) for name in fields)
        (found,) = self._ask(
            f"SELECT {columns} FROM {source} ORDER BY time DESC LIMIT 1", doing=f"asking {measurement}"
        )
        return np.datetime64(int(found[0]["values"][0][0]), "ms") if found else None

    def write(self, batches: Iterable[str]) -> int:
        """Write batches of lines, gzipped."""
        where = {"db": self._database, "precision": "ms"} | ({"rp": self._policy} if self._policy else {})
        return self._server.write("/write", where, batches)

    def _ask(self, query: str, *, doing: str) -> list[list[dict[str, Any]]]:
        """Series of each statement of a short query; an error inside the answer is an error."""
        form = {"q": query, "db": self._database, "epoch": "ms"}
        answer = self._server.text("POST", "/query", doing=doing, data=form).json()
        results = answer.get("results", [])
        errors = [part["error"] for part in [answer, *results] if "error" in part]
        if errors:
            # InfluxDB 1.6 says no more than this where there is no such database.
            error = "there is no such database" if errors[0] == "not executed" else errors[0]
            msg = f"{self.label}, {doing}: {error}."
            raise DatabaseError(msg, remedy="Check the database's name and what the user may read.")
        return [result.get("series", []) for result in results]


def query_text(request: Request, policy: str = "") -> tuple[str, dict[str, str]]:
    """InfluxQL with values as bound parameters; returns them too."""
    parameters = {f"v{number}": value for number, value in enumerate(request.where.values())}
    conditions = [f"time >= {_ms(request.start)}ms", f"time < {_ms(request.end)}ms"]
    conditions += [f"{quoted(tag)} = ${name}" for tag, name in zip(request.where, parameters, strict=True)]
    names = [quoted(name) for name in request.fields]
    groups = "*"
    if request.every_s is not None:
        names = [f"mean({name}) AS {name}" for name in names]
        groups = f"time({request.every_s}s), * fill(none)"
    source = _source(request.measurement, policy)
    return f"SELECT {', '.join(names)} FROM {source} WHERE {' AND '.join(conditions)} GROUP BY {groups}", parameters


def quoted(name: str) -> str:
    """An identifier that stays one whatever it holds."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def parse_answer(answer: IO[bytes], fields: tuple[str, ...]) -> Raw:
    """Samples in a CSV answer; ValueError where it was broken off or is malformed."""
    header = answer.readline()
    while header in (b"\n", b"\r\n"):
        header = answer.readline()
    columns = header.decode().rstrip("\r\n").split(",")
    if ",".join(columns) == SENTINEL:
        return Raw.empty(fields)
    if columns[:3] != ["name", "tags", "time"] or len(columns) != len(fields) + 3:
        msg = "the answer was broken off before its first row" if not header else f"unexpected columns {columns}"
        raise ValueError(msg)
    complete = False

    def skip(row: pacsv.InvalidRow) -> str:
        nonlocal complete
        if row.text == SENTINEL:
            complete = True
        elif not complete:
            return "error"
        return "skip"

    text = pa.dictionary(pa.int32(), pa.string())
    kinds = {"name": text, "tags": text, "time": pa.int64()} | {
        f"f{place}": pa.float64() for place in range(len(fields))
    }
    table = pacsv.open_csv(
        answer,
        read_options=pacsv.ReadOptions(column_names=list(kinds), block_size=4 << 20),
        parse_options=pacsv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
        convert_options=pacsv.ConvertOptions(
            column_types=kinds, include_columns=list(kinds)[1:], strings_can_be_null=False
        ),
    ).read_all()
    if not complete:
        raise ValueError("the answer was broken off in the middle")
    codes, texts = _numbered(table["tags"])
    values = {name: pc.fill_null(table[f"f{place}"], float("nan")).to_numpy() for place, name in enumerate(fields)}
    return from_series(table["time"].to_numpy(), codes, tuple(tags_of(found) for found in texts), values)


def tags_of(text: str) -> dict[str, str]:
    r"""Tags of a series from ``host=a\,b,name=x``, where commas, equals signs and spaces of values are escaped.

    A backslash is not escaped, so that a comma after one may end a value that ends in a backslash: it does where an
    equals sign that is not escaped follows, for values have none.
    """
    parts: list[str] = []
    for piece in text.split(","):
        if KEY.match(piece):
            parts.append(piece)
        elif parts:
            parts[-1] += "," + piece
    pairs = (KEY.split(part, maxsplit=1)[1:] for part in parts)
    return {ESCAPED.sub(r"\1", key): ESCAPED.sub(r"\1", value) for key, value in pairs if value}


def _numbered(column: pa.ChunkedArray) -> tuple[np.ndarray[Any, np.dtype[np.int64]], list[str]]:
    array = column.unify_dictionaries().combine_chunks()
    array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
    return array.indices.cast(pa.int64()).to_numpy(), array.dictionary.to_pylist()


def _source(measurement: str, policy: str) -> str:
    return f"{quoted(policy)}.{quoted(measurement)}" if policy else quoted(measurement)


def _ms(time: np.datetime64) -> int:
    return epoch_ms(time)
