"""Answers of InfluxDB 2.x and 3 as their formats define them: samples, for no such server can be had as a package."""

import io

import numpy as np
import pyarrow as pa
import pytest

from brownout.adapters.influx import flux, sql
from brownout.adapters.influx.annotated import FluxError, parse_annotated
from brownout.adapters.influx.http import seconds_to_wait
from brownout.ingest.raw import Request

HEAD = (
    "#datatype,string,long,dateTime:RFC3339,double,string,string,string\r\n"
    "#group,false,false,false,false,true,true,true\r\n"
    "#default,_result,,,,,,\r\n"
    ",result,table,_time,_value,_field,cpu,host\r\n"
)
ROWS = (
    ",,0,2026-03-02T00:00:00Z,60,usage_idle,cpu-total,k1\r\n"
    ",,0,2026-03-02T00:01:00Z,61.5,usage_idle,cpu-total,k1\r\n"
    ",,1,2026-03-02T00:00:00Z,1,usage_iowait,cpu-total,k1\r\n"
    ',,2,2026-03-02T00:01:00.25Z,62,usage_idle,cpu-total,"k,2 ""x"""\r\n'
)
OTHER = (
    "#datatype,string,long,dateTime:RFC3339,double,string,string\r\n"
    "#group,false,false,false,false,true,true\r\n"
    "#default,_result,,,,,\r\n"
    ",result,table,_time,_value,_field,host\r\n"
    ',,3,2026-03-02T00:00:00Z,63,usage_idle,"#datatype\n#datatype,string"\r\n'
    "\r\n"
)
ERROR = (
    "#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n"
    ',"failed to read: ""shard"" 7",897\r\n'
)
FIELDS = ("usage_idle", "usage_iowait")
NONE = np.nan


def parse(text: str) -> dict[tuple[str, str], list[float]]:
    found = parse_annotated(io.BytesIO(text.encode()), FIELDS)
    return {
        (found.tags[series].get("host", ""), str(np.datetime64(int(time), "ms"))): values.tolist()
        for series, time, values in zip(found.series, found.times, found.values, strict=True)
    }


def test_blocks_with_other_columns_hashes_and_quotes_in_tags() -> None:
    found = parse(HEAD + ROWS + "\r\n" + OTHER)
    assert len(found) == 4
    np.testing.assert_array_equal(found["k1", "2026-03-02T00:00:00.000"], [60, 1])
    np.testing.assert_array_equal(found["k1", "2026-03-02T00:01:00.000"], [61.5, NONE])
    np.testing.assert_array_equal(found['k,2 "x"', "2026-03-02T00:01:00.250"], [62, NONE])
    np.testing.assert_array_equal(found["#datatype\n#datatype,string", "2026-03-02T00:00:00.000"], [63, NONE])
    tags = parse_annotated(io.BytesIO((HEAD + ROWS + "\r\n" + OTHER).encode()), FIELDS).tags
    assert [set(found) for found in tags] == [{"host", "cpu"}, {"host", "cpu"}, {"host"}]


def test_an_error_after_rows_with_status_200_is_an_error() -> None:
    with pytest.raises(FluxError, match='failed to read: "shard" 7'):
        parse(HEAD + ROWS + "\r\n" + ERROR)
    with pytest.raises(FluxError):
        parse(ERROR)


@pytest.mark.parametrize(
    "text",
    [
        (HEAD + ROWS)[:-9],  # inside a row
        HEAD[: len(HEAD) // 2],  # inside the annotations
        HEAD + ROWS.replace("61.5", "sixty"),
        HEAD + ROWS + ",,1,2026-03-02T00:00:00Z\r\n",
        "<html>no gateway</html>\r\n",
    ],
    ids=["row", "header", "number", "columns", "proxy"],
)
def test_what_is_cut_short_or_malformed_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="answer"):
        parse(text)


def test_an_empty_answer_has_no_samples() -> None:
    assert parse("\r\n") == {}
    assert parse("") == {}
    assert parse(HEAD) == {}


def test_a_long_answer_is_that_of_a_loop() -> None:
    rng = np.random.default_rng(1)
    lines, expected = [], {}
    for table, (host, name) in enumerate((h, f) for h in ("a", "b", "c") for f in FIELDS):
        for minute in np.flatnonzero(rng.random(50) < 0.8):
            value = round(float(rng.normal()), 6)
            time = f"2026-03-02T00:{minute:02}:00Z"
            lines.append(f",,{table},{time},{value},{name},cpu-total,{host}\r\n")
            expected.setdefault((host, time[:-1] + ".000"), [NONE, NONE])[FIELDS.index(name)] = value
    found = parse(HEAD + "".join(lines) + "\r\n")
    assert set(found) == set(expected)
    for key, values in expected.items():
        np.testing.assert_array_equal(found[key], values)


REQUEST = Request(
    measurement='c"pu', fields=('idle"', "wait"), start=np.datetime64("2026-03-02", "ms"),
    end=np.datetime64("2026-03-03", "ms"), where={"host": "it's"},
)  # fmt: skip


def test_sql_quotes_identifiers_and_binds_values() -> None:
    query, parameters = sql.query_text(REQUEST, ("host", "cpu"))
    assert query == (
        'SELECT time, "host", "cpu", "idle""", "wait" FROM "c""pu" '
        "WHERE time >= TIMESTAMP '2026-03-02T00:00:00.000Z' "
        "AND time < TIMESTAMP '2026-03-03T00:00:00.000Z' AND \"host\" = $v0"
    )
    assert parameters == {"v0": "it's"}


def test_a_parquet_answer_of_influxdb_3() -> None:
    table = pa.table(
        {
            "time": pa.array([2_000_000_000, 1_000_000_000, 1_000_000_000], pa.timestamp("ns")),
            "host": pa.array(["a", "a", None]).dictionary_encode(),
            "idle": pa.array([1, 2, None], pa.int64()),
            "wait": pa.array([None, 0.5, 0.25]),
        }
    )
    found = sql.parse_parquet(table, ("host",), ("idle", "wait"))
    assert found.tags == ({"host": "a"}, {})
    assert found.times.tolist() == [1000, 2000, 1000]
    np.testing.assert_array_equal(found.values, [[2, 0.5], [1, NONE], [NONE, 0.25]])


def test_a_literal_of_flux_has_no_way_out() -> None:
    assert flux.literal('a"b\\c${d}\n') == '"a\\"b\\\\c\\x24{d}\\n"'


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("9999", 9999), ("-3", 0), ("soon", None), (None, None), ("", None), ("nan", None), ("inf", None)],
)
def test_retry_after_is_read_with_care(header: str | None, seconds: float | None) -> None:
    assert seconds_to_wait(header) == seconds


def test_retry_after_may_be_a_date() -> None:
    assert seconds_to_wait("Wed, 21 Oct 2015 07:28:00 GMT") == 0
