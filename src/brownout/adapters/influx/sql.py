"""InfluxDB 3: SQL over ``/api/v3/query_sql``, answers as Parquet."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from brownout.adapters.influx.credentials import Credentials
from brownout.adapters.influx.delivery import deliver
from brownout.adapters.influx.http import Ask, Connection, HttpServer, TooLargeError
from brownout.adapters.influx.rows import plausible, whole_numbers
from brownout.adapters.influx.series_assembly import from_wide
from brownout.adapters.influx.time_parts import PartReader
from brownout.adapters.influx.transport import Deadline
from brownout.ingest.raw import MeasurementSchema, Raw, Request
from brownout.numerics.arrays import Doubles

__all__ = ["SqlDatabase", "columns_of", "parse_parquet", "query_text", "quoted"]

Taken = TypeVar("Taken")
CELL_BYTES = 8
FEW_BYTES = 1 << 20
BATCH_ROWS = 1 << 16

SCHEMAS = (
    "SELECT table_name, column_name, data_type FROM information_schema.columns "
    "WHERE table_schema = 'iox' ORDER BY table_name, ordinal_position"
)


class SqlDatabase:
    """One database of an InfluxDB 3."""

    def __init__(self, connection: Connection, *, database: str, token: str, version: str = "3") -> None:
        self.name = f"InfluxDB database {database}"
        self.label = f"InfluxDB {version} at {connection.url}, database {database}"
        self._server = HttpServer(connection, Credentials("Bearer" if token else "", "", token))
        self._database = database
        self._tags: dict[str, tuple[str, ...]] = {}
        self._parts = PartReader(self._read, connection.budget_s)

    def schemas(self) -> Mapping[str, MeasurementSchema]:
        """All tables of the database."""
        types_by_table: dict[str, dict[str, str]] = {}
        columns = ("table_name", "column_name", "data_type")
        for table, name, kind in zip(*self._texts(SCHEMAS, columns, doing="listing tables"), strict=True):
            types_by_table.setdefault(table, {})[name] = kind
        schemas = {name: _schema(columns) for name, columns in types_by_table.items()}
        self._tags = {name: schema.tags for name, schema in schemas.items()}
        return schemas

    def read(self, request: Request) -> Raw:
        """The samples asked for."""
        try:
            return self._parts.read(request)
        except TooLargeError as error:
            remedy = "Raise answer_mib in [influxdb] if the server is to be trusted."
            failure = self._server.error(f"reading {request}", f"{error}", remedy=remedy)
        raise failure

    def newest(self, measurement: str, fields: tuple[str, ...]) -> np.datetime64 | None:
        """Time of the newest sample of the last two days: InfluxDB 3 Core refuses to look through many files."""
        known = " OR ".join(f"{quoted(name)} IS NOT NULL" for name in fields)
        if not known:
            return None
        query = (
            f"SELECT max(time) AS time FROM {quoted(measurement)} WHERE time >= now() - INTERVAL '2 days' AND ({known})"
        )
        doing = f"asking {measurement}"
        return self._query(query, {}, newest_of, doing, Deadline(self._server.connection.budget_s))

    def write(self, batches: Iterable[str]) -> int:
        """Write batches of lines, gzipped; refused ones are logged, and the number of the others is returned."""
        where = {"db": self._database, "precision": "millisecond"}
        return deliver(self._server, Ask(doing="writing", path="/api/v3/write_lp", parameters=where), batches)

    def _tags_of(self, measurement: str) -> tuple[str, ...]:
        if measurement not in self._tags:
            self.schemas()
        return self._tags.get(measurement, ())

    def _read(self, request: Request, deadline: Deadline) -> Raw:
        tags = self._tags_of(request.measurement)
        query, parameters = query_text(request, tags)
        wanted = ["time", *tags, *request.fields]
        return self._query(
            query,
            parameters,
            lambda file: parse_parquet(columns_of(file, wanted, self._server.connection.limit), tags, request.fields),
            f"reading {request}",
            deadline,
        )

    def _texts(self, query: str, names: tuple[str, ...], *, doing: str) -> list[list[str]]:
        def take(file: bytes) -> list[list[str]]:
            table = columns_of(file, list(names), self._server.connection.limit)
            return [[str(value) for value in table[name].to_pylist()] for name in names]

        try:
            return self._query(query, {}, take, doing, Deadline(self._server.connection.budget_s))
        except TooLargeError as error:
            failure = self._server.error(doing, f"{error}", remedy="Check that the url is that of an InfluxDB.")
        raise failure

    def _query(
        self,
        query: str,
        parameters: Mapping[str, str],
        take: Callable[[bytes], Taken],
        doing: str,
        deadline: Deadline,
    ) -> Taken:
        """The result of ``take`` for an answer, a Parquet file, whose footer shows that it is complete."""
        content: dict[str, Any] = {"db": self._database, "q": query, "format": "parquet"}
        if parameters:
            content["params"] = dict(parameters)
        ask = Ask.json("/api/v3/query_sql", content, doing=doing, accept="*/*")
        limit = self._server.connection.limit
        try:
            return take(self._server.stream(ask, lambda pieces: _whole(pieces, limit), deadline))
        except (ValueError, OSError) as error:
            problem = str(error)
        remedy = "Try again; look for the query in the server's log."
        raise self._server.error(doing, f"database {self._database}: {problem}", remedy=remedy)


def newest_of(file: bytes) -> np.datetime64 | None:
    """The newest time in an answer."""
    times = columns_of(file, ["time"], FEW_BYTES)["time"]
    if not pa.types.is_timestamp(times.type):
        raise ValueError(f"the column time holds {times.type}, not times")
    newest = times.cast(pa.timestamp("ms"), safe=False).cast(pa.int64())[0].as_py() if len(times) else None
    return None if newest is None else np.datetime64(newest, "ms")


def columns_of(file: bytes, names: list[str], limit: int) -> pa.Table:
    """Columns of a file of Parquet; ValueError where it is none or lacks one, TooLargeError beyond the limit.

    The size is that which the file states before anything is unpacked: rows that repeat take no room in a file.
    """
    try:
        parquet = pq.ParquetFile(pa.BufferReader(file), memory_map=False)
        missing = [name for name in names if name not in parquet.schema_arrow.names]
        if missing:
            raise ValueError(f"the answer lacks the columns {missing}, it has {parquet.schema_arrow.names[:50]}")
        rows, wanted = parquet.metadata.num_rows, len(names)
        unpacked = sum(parquet.metadata.row_group(n).total_byte_size for n in range(parquet.num_row_groups))
        if max(rows * wanted * CELL_BYTES, unpacked) > limit:
            raise TooLargeError(f"the samples of the answer take more than {limit / (1 << 20):g} MiB, the limit")
        batches = list(parquet.iter_batches(batch_size=BATCH_ROWS, columns=names, use_threads=False))
        return pa.Table.from_batches(batches) if batches else parquet.schema_arrow.empty_table()
    except (pa.ArrowException, OSError) as error:
        problem = str(error)
    raise ValueError(f"the answer is no whole Parquet file: {problem}")


def _whole(pieces: Iterable[bytes], limit: int) -> bytes:
    """A file, no longer than the limit."""
    content = bytearray()
    for piece in pieces:
        content += piece
        if len(content) > limit:
            raise TooLargeError(f"the answer is longer than {limit / (1 << 20):g} MiB, the limit")
    return bytes(content)


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
    """Samples of a table with one column a tag and a field; ValueError where one has another type."""
    if not pa.types.is_timestamp(table["time"].type):
        raise ValueError(f"the column time holds {table['time'].type}, not times")
    texts = [name for name in fields if not _is_number(table[name].type)]
    if texts:
        raise ValueError(f"the columns {texts} hold no numbers")
    times = table["time"].cast(pa.timestamp("ms"), safe=False).cast(pa.int64())
    if times.null_count:
        raise ValueError("a row has no time")
    text = pa.dictionary(pa.int32(), pa.string())
    named = {tag: table[tag].cast(pa.string()).cast(text) for tag in tags}
    split = {name: _numbers(table[name]) for name in fields}
    low = {name: rest for name, (_, rest) in split.items() if rest is not None}
    return from_wide(plausible(times.to_numpy()), named, {name: values for name, (values, _) in split.items()}, low)


def _numbers(column: pa.ChunkedArray) -> tuple[Doubles, Doubles | None]:
    if pa.types.is_integer(column.type):
        array = column.combine_chunks()
        return whole_numbers(array.chunk(0) if isinstance(array, pa.ChunkedArray) else array)
    return pc.fill_null(column.cast(pa.float64(), safe=False), float("nan")).to_numpy(), None


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind))


def _schema(columns: Mapping[str, str]) -> MeasurementSchema:
    numbers = ("Float", "Int", "UInt")
    tags = tuple(name for name, kind in columns.items() if kind.startswith("Dictionary"))
    fields = tuple(name for name, kind in columns.items() if kind.startswith(numbers))
    rest = set(columns) - set(tags) - set(fields) - {"time"}
    return MeasurementSchema(tags=tags, fields=fields, texts=tuple(sorted(rest)))


def _time(time: np.datetime64) -> str:
    return f"TIMESTAMP '{time.astype('datetime64[ms]')}Z'"
