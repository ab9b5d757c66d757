"""InfluxDB 3: answers are scripted, for no such server can be had as a package.

Set BROWNOUT_TEST_INFLUXDB3_URL, _DATABASE and _TOKEN to test against one.
"""

import gzip
import io
import json
import os
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scripted import Answer, Script, scripted

from brownout.adapters.influx.http import Connection
from brownout.adapters.influx.sql import SqlDatabase
from brownout.domain.errors import DatabaseError
from brownout.ingest.line_protocol import Points, batches
from brownout.ingest.raw import Request

TOKEN = "token-of-the-tests"  # noqa: S105 - of no server
START = np.datetime64("2026-03-02", "ms")
ASKED = Request(
    measurement='c"pu',
    fields=("usage_idle",),
    start=START,
    end=START + np.timedelta64(6, "h"),
    where={"host": "k' OR 1=1"},
)


def parquet(columns: dict[str, pa.Array | list[object]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


SCHEMA = parquet(
    {
        "table_name": ['c"pu'] * 4,
        "column_name": ["host", "time", "usage_idle", "note"],
        "data_type": ["Dictionary(Int32, Utf8)", "Timestamp(Nanosecond, None)", "Float64", "Utf8"],
    }
)
ROWS = parquet(
    {
        "time": pa.array(np.array([START, START + np.timedelta64(60_000, "ms")], "datetime64[ns]")),
        "host": pa.array(["k1", "k1"]).dictionary_encode(),
        "usage_idle": pa.array([60.0, None]),
    }
)


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as script:
        yield script


def database(script: Script) -> SqlDatabase:
    return SqlDatabase(Connection(url=script.url, attempts=3), database="telegraf", token=TOKEN)


def test_schemas_tell_tags_numbers_and_text_with_scripted_answers(script: Script) -> None:
    script.answers = [Answer(SCHEMA)]
    (schema,) = database(script).schemas().values()
    assert (schema.tags, schema.fields, schema.texts) == (("host",), ("usage_idle",), ("note",))


def test_a_slice_is_asked_for_with_bound_values_with_scripted_answers(script: Script) -> None:
    script.answers = [Answer(SCHEMA), Answer(b"busy", 429, (("Retry-After", "0.1"),)), Answer(ROWS)]
    raw = database(script).read(ASKED)
    np.testing.assert_array_equal(raw.values, [[60], [np.nan]])
    assert [dict(tags) for tags in raw.tags] == [{"host": "k1"}]
    path, body = script.asked[-1]
    asked = json.loads(body)
    assert (path, asked["db"], asked["format"]) == ("/api/v3/query_sql", "telegraf", "parquet")
    assert asked["params"] == {"v0": "k' OR 1=1"}
    assert 'FROM "c""pu" WHERE' in asked["q"]
    assert "OR 1=1" not in asked["q"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(ROWS[:-9]), "no whole Parquet file"),
        (Answer(b'{"error":"no such column"}', 400), "400: .*no such column"),
        (Answer(b"who are you", 401), "401: who are you"),
    ],
    ids=["cut without a word", "400", "401"],
)
def test_what_does_not_help_is_an_error_that_names_the_slice_with_scripted_answers(
    script: Script, answer: Answer, said: str
) -> None:
    script.answers = [Answer(SCHEMA), answer]
    with pytest.raises(DatabaseError, match=said) as caught:
        database(script).read(ASKED)
    assert "from 2026-03-02T00:00" in str(caught.value)
    assert TOKEN not in repr(caught.value)


def test_points_go_to_the_line_protocol_of_3_with_a_scripted_answer(script: Script) -> None:
    script.answers = [Answer(status=204)]
    assert database(script).write(["m,host=a x=1 5\n"]) == 1
    path, body = script.asked[0]
    assert path == "/api/v3/write_lp?db=telegraf&precision=millisecond"
    assert gzip.decompress(body) == b"m,host=a x=1 5\n"


def test_a_live_influxdb_3_takes_points_and_gives_them_back() -> None:
    names = [f"BROWNOUT_TEST_INFLUXDB3_{name}" for name in ("URL", "DATABASE", "TOKEN")]
    if not all(os.environ.get(name) for name in names):
        pytest.skip(f"no InfluxDB 3 to test with: set {', '.join(names)}")
    url, name, token = (os.environ[name] for name in names)
    live = SqlDatabase(Connection(url=url), database=name, token=token)
    moment = np.datetime64("now", "s").astype("datetime64[ms]") - np.timedelta64(600_000, "ms")
    own = Points(
        measurement=f"brownout_test_{moment.astype(np.int64)}",
        tags=[{"host": 'k "1"'}, {"host": "k2"}],
        series=np.array([0, 0, 1]),
        times=moment.astype(np.int64) + np.array([0, 60_000, 0]),
        fields={"yhat": np.array([1.5, np.nan, 3.0]), "open": np.array([1, 0, 1])},
    )
    live.write(batches(own))
    asked = replace(
        ASKED,
        measurement=own.measurement,
        fields=("yhat",),
        start=moment,
        end=moment + np.timedelta64(1, "h"),
        where={},
    )
    raw = live.read(asked)
    assert sorted(tags["host"] for tags in raw.tags) == ['k "1"', "k2"]
    assert np.nansum(raw.values) == 4.5
    (only,) = live.read(replace(asked, where={"host": "k2"})).tags
    assert only["host"] == "k2"
    assert live.newest(own.measurement, ("yhat", "open")) == moment + np.timedelta64(60_000, "ms")
