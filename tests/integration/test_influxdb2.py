"""InfluxDB 2.x: its real compiler judges the queries, VictoriaMetrics receives the writes; answers are scripted.

No InfluxDB 2 can be had as a package. Set BROWNOUT_TEST_INFLUXDB2_URL, _TOKEN, _ORG and _BUCKET to test against one.
"""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import node
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import Answer, Script, scripted
from servers import free_port, served

from brownout.adapters.influx.flux import FluxDatabase, literal, newest_text, query_text, schema_text
from brownout.adapters.influx.http import Connection
from brownout.domain.errors import DatabaseError
from brownout.ingest.line_protocol import Points, batches
from brownout.ingest.raw import Request

TOKEN = "token-of-the-tests"  # noqa: S105 - of no server
START = np.datetime64("2026-03-02", "ms")
ASKED = Request(measurement="cpu", fields=("usage_idle",), start=START, end=START + np.timedelta64(6, "h"))
PIECES = ['"', "\\", "${", "}", "\n", "\r", "\t", '") |> drop()', "//", "\\x24{", "$", "{", '"""', "\\u{41}"]
HOSTILE = st.lists(st.one_of(st.sampled_from(PIECES), st.characters(exclude_categories=("Cs", "Cc"))), max_size=12).map(
    "".join
)
compiled = pytest.mark.skipif(not node.found(), reason=node.HOW_TO_GET_IT)


def points() -> Points:
    return Points(
        measurement="brownout_forecast",
        tags=[{"host": 'k "1", =', "metric": "console_update_ms"}, {"host": "<b>k2</b>"}],
        series=np.array([0, 0, 1]),
        times=START.astype(np.int64) + np.array([0, 60_000, 0]),
        fields={"yhat": np.array([1.5, np.nan, 3.0]), "open": np.array([1, 0, 1])},
    )


@compiled
def test_the_real_compiler_accepts_every_kind_of_query() -> None:
    hostile = replace(ASKED, where={'a"b': 'x"\\${r}\n', "cpu": "cpu-total"}, fields=("a", 'b"'))
    queries = [query_text("b", request) for request in (ASKED, hostile, replace(ASKED, every_s=300))]
    queries += [newest_text('b"', "cpu", ("a", "b")), schema_text("b"), schema_text("b", "cpu", "Tag")]
    assert [node.check_flux([query])[0].valid for query in queries] == [True] * len(queries)
    assert not node.check_flux(['from(bucket: "b") |> filter(fn: (r) => 1)'])[0].valid


@compiled
@settings(max_examples=20)
@given(texts=st.lists(HOSTILE, min_size=1, max_size=60))
def test_the_real_compiler_reads_a_literal_as_the_text_that_it_was_made_of(texts: list[str]) -> None:
    assert [found.strings for found in node.check_flux([literal(text) for text in texts])] == [[text] for text in texts]


@compiled
def test_hostile_values_are_nothing_but_values_to_the_real_compiler() -> None:
    value = '" or true) |> to(bucket: "x") //${1}\n\\'
    request = replace(ASKED, measurement=value, fields=(value,), where={value: value})
    (found,) = node.check_flux([query_text(value, request)])
    assert found.strings.count(value) == 5
    assert not {"x", "to"} & set(found.strings)


@pytest.fixture(scope="module")
def victoria(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("victoria-metrics")
    if program is None:
        pytest.skip("no victoria-metrics on this machine: apt install victoria-metrics")
    folder, port = tmp_path_factory.mktemp("victoria"), free_port()
    command = [program, f"-httpListenAddr=127.0.0.1:{port}", f"-storageDataPath={folder}/data", "-retentionPeriod=10y"]
    with served(command, f"http://127.0.0.1:{port}/health", folder / "log"):
        yield f"http://127.0.0.1:{port}"


def test_what_is_written_arrives_at_victoriametrics_which_takes_the_2x_protocol(victoria: str) -> None:
    database = FluxDatabase(Connection(url=victoria), bucket="b", org="o", token=TOKEN)
    assert database.write(batches(points())) == 3
    assert database.write(batches(points())) == 3
    httpx.get(f"{victoria}/internal/force_flush").raise_for_status()
    window = {
        "match[]": '{__name__=~"brownout_.*"}',
        "start": "2026-03-01T00:00:00Z",
        "end": "2026-03-04T00:00:00Z",
        "reduce_mem_usage": "1",
    }
    exported = httpx.get(f"{victoria}/api/v1/export", params=window).text.splitlines()
    found = {}
    for line in exported:
        series = json.loads(line)
        samples = dict(zip(series["timestamps"], series["values"], strict=True))
        found[series["metric"]["__name__"], series["metric"]["host"]] = samples
    moment = int(START.astype(np.int64))
    assert found == {
        ("brownout_forecast_yhat", 'k "1", ='): {moment: 1.5},
        ("brownout_forecast_open", 'k "1", ='): {moment: 1, moment + 60_000: 0},
        ("brownout_forecast_yhat", "<b>k2</b>"): {moment: 3},
        ("brownout_forecast_open", "<b>k2</b>"): {moment: 1},
    }


CSV = (
    b"#datatype,string,long,dateTime:RFC3339,double,string,string\r\n#group,false,false,false,false,true,true\r\n"
    b"#default,_result,,,,,\r\n,result,table,_time,_value,_field,host\r\n"
    b",,0,2026-03-02T00:00:00Z,60,usage_idle,k1\r\n,,0,2026-03-02T00:01:00Z,61,usage_idle,k1\r\n\r\n"
)
ERROR = b"#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,shard 7 is gone,897\r\n"
BUSY = Answer(b'{"message":"busy"}', 503, (("Retry-After", "0.1"),))


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as script:
        yield script


def database(script: Script) -> FluxDatabase:
    return FluxDatabase(Connection(url=script.url, attempts=3), bucket="b", org="o", token=TOKEN)


@pytest.mark.parametrize("first", [BUSY, Answer(CSV, cut=len(CSV) - 30)], ids=["503", "cut"])
def test_what_helps_to_try_again_is_tried_again_with_scripted_answers(script: Script, first: Answer) -> None:
    script.answers = [first, Answer(CSV)]
    assert database(script).read(ASKED).values.ravel().tolist() == [60, 61]
    assert len(script.asked) == 2


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(CSV + ERROR), "shard 7 is gone"),
        (Answer(b'{"code":"unauthorized","message":"unauthorized access"}', 401), "401: .*unauthorized access"),
        (Answer(CSV[:-20]), "reading cpu"),
    ],
    ids=["error inside a 200", "401", "ends in a row"],
)
def test_what_does_not_help_is_an_error_that_names_the_slice_with_scripted_answers(
    script: Script, answer: Answer, said: str
) -> None:
    script.answers = [answer]
    with pytest.raises(DatabaseError, match=said) as caught:
        database(script).read(ASKED)
    assert "cpu from 2026-03-02T00:00" in str(caught.value)
    assert TOKEN not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"


def test_a_live_influxdb_2_takes_points_and_gives_them_back(tmp_path: Path) -> None:
    names = [f"BROWNOUT_TEST_INFLUXDB2_{name}" for name in ("URL", "BUCKET", "ORG", "TOKEN")]
    if not all(os.environ.get(name) for name in names):
        pytest.skip(f"no InfluxDB 2 to test with: set {', '.join(names)}")
    url, bucket, org, token = (os.environ[name] for name in names)
    live = FluxDatabase(Connection(url=url), bucket=bucket, org=org, token=token)
    name = f"brownout_test_{tmp_path.name}"
    moment = np.datetime64("now", "s").astype("datetime64[ms]")
    own = replace(points(), measurement=name, times=moment.astype(np.int64) + np.array([0, 60_000, 0]) - 600_000)
    live.write(batches(own))
    asked = replace(ASKED, measurement=name, fields=("yhat", "open"), start=moment - np.timedelta64(1, "h"), end=moment)
    raw = live.read(asked)
    assert sorted(tags["host"] for tags in raw.tags) == ["<b>k2</b>", 'k "1", =']
    assert np.nansum(raw.values[:, 0]) == 4.5
    assert set(live.schemas()[name].fields) == {"yhat", "open"}
    newest = live.newest(name, ("yhat", "open"))
    assert newest is not None
    assert int(newest.astype(np.int64)) == int(own.times.max())
