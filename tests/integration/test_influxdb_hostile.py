"""A hostile or broken server costs its deadline and a bounded memory, and is told in one sentence."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hostile import MODES, Handler, hostile
from scripted import Answer, Script, scripted

from brownout.adapters.influx.connect import connect, identify
from brownout.adapters.influx.flux import FluxDatabase
from brownout.adapters.influx.http import Connection
from brownout.adapters.influx.influxql import InfluxQlDatabase
from brownout.adapters.influx.sql import SqlDatabase
from brownout.domain.errors import BrownoutError, DatabaseError
from brownout.ingest.raw import Request
from brownout.settings import InfluxSettings

SECRET = "S3cretZebra42"  # noqa: S105 - of no server
START = np.datetime64("2026-03-02", "ms")
ASKED = Request(measurement="cpu", fields=("usage_idle",), start=START, end=START + np.timedelta64(6, "h"))
BUDGET_S = 2.0
MIB = 64

READER = """
import json, re, sys, time
from pathlib import Path
import numpy as np
from brownout.adapters.influx.flux import FluxDatabase
from brownout.adapters.influx.http import Connection
from brownout.adapters.influx.influxql import InfluxQlDatabase
from brownout.domain.errors import DatabaseError
from brownout.ingest.raw import Request

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

url, mode, budget = sys.argv[1], sys.argv[2], float(sys.argv[3])
connection = Connection(url=url, timeout_s=budget, budget_s=budget, attempts=2)
start = np.datetime64("2026-03-02", "ms")
asked = Request(measurement="cpu", fields=("usage_idle",), start=start, end=start + np.timedelta64(6, "h"))
databases = {
    "flux_without_end": lambda: FluxDatabase(connection, bucket="b", org="o", token="t").read(asked),
    "nested_json": lambda: InfluxQlDatabase(connection, database="d").schemas(),
    "many_small_values": lambda: InfluxQlDatabase(connection, database="d").schemas(),
}
before, begun = peak(), time.monotonic()
try:
    databases.get(mode, lambda: InfluxQlDatabase(connection, database="d").read(asked))()
    said = "no error"
except DatabaseError as error:
    said = str(error)
print(json.dumps([said, time.monotonic() - begun, peak() - before]))
"""


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as script:
        yield script


def database(script: Script, **options: float) -> InfluxQlDatabase:
    connection = Connection(url=script.url, **{"budget_s": 5.0, "attempts": 4, **options})  # type: ignore[arg-type]
    return InfluxQlDatabase(connection, database="d", user="u", password=SECRET)


@pytest.mark.parametrize("mode", MODES)
def test_whatever_a_server_sends_it_costs_its_deadline_and_a_bounded_memory(mode: str) -> None:
    said_why = {
        "rows_without_end": "limit|budget_s",
        "flux_without_end": "limit|budget_s",
        "row_without_end": "limit|budget_s",
        "bomb": "limit|budget_s",
        "bomb_of_nothing": "limit|budget_s",
        "byte_a_second": "budget_s",
        "byte_of_the_head_a_second": "budget_s",
        "error_without_end": "400: no no no",
        "nested_json": "nested too deeply|no JSON",
        "many_small_values": "more than 400,000 values",
        "continued_without_end": "budget_s",
    }
    with hostile(MODES[mode]) as server:
        done = subprocess.run(
            [sys.executable, "-c", READER, server.url, mode, str(BUDGET_S)], capture_output=True, text=True, check=True
        )
    said, seconds, mib = json.loads(done.stdout)
    assert any(why in said for why in said_why[mode].split("|")), said
    assert seconds < BUDGET_S + 2
    assert mib < MIB
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("rows_without_end", "samples of the answer take more than 0.125 MiB, the limit"),
        ("flux_without_end", "samples of the answer take more than 0.125 MiB, the limit"),
        ("row_without_end", "a row is longer than 1 MiB, the limit"),
        ("bomb", "samples of the answer take more than 0.125 MiB, the limit"),
        ("bomb_of_nothing", "the answer is longer than 4 MiB of text, the limit"),
    ],
)
def test_where_there_is_time_it_is_the_size_that_ends_an_answer(mode: str, said: str) -> None:
    with hostile(MODES[mode]) as server:
        connection = Connection(url=server.url, timeout_s=300.0, budget_s=300.0, attempts=2, answer_mib=0.125)
        found = InfluxQlDatabase(connection, database="d")
        if mode == "flux_without_end":
            found = FluxDatabase(connection, bucket="b", org="o", token="t")  # type: ignore[assignment] # noqa: S106
        with pytest.raises(DatabaseError, match=said):
            found.read(ASKED)


@pytest.mark.parametrize("header", ["nan", "-5", "inf", "1e999", "Wed, 99 Foo", "86400", "99999999999999999999"])
def test_no_retry_after_makes_us_wait_longer_than_the_budget(script: Script, header: str) -> None:
    script.answers = [Answer(b"slow down", 503, (("Retry-After", header),))] * 9
    begun = time.monotonic()
    with pytest.raises(DatabaseError, match="503: slow down"):
        database(script, budget_s=2.0).schemas()
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed_and_credentials_go_nowhere_else(script: Script, status: int) -> None:
    with scripted() as other:
        other.answers = [Answer(status=204)] * 9
        script.answers = [Answer(status=status, headers=(("Location", f"{other.url}/query?token=x"),))] * 3
        with pytest.raises(DatabaseError, match=f"{status}: the server sends us on to {other.url}") as caught:
            database(script).read(ASKED)
        with pytest.raises(DatabaseError, match="not followed"):
            database(script).schemas()
        with pytest.raises(DatabaseError, match="not followed"):
            database(script).write(["a v=1 1\n"])
    assert "Set url" in caught.value.remedy
    assert other.asked == []


@pytest.mark.parametrize(
    ("header", "rows", "said"),
    [
        ("name,tags,time,usage_idle,bogus", 'cpu,"host=a",1772409600000,1,2', "unexpected columns"),
        ("name,tags,time,bogus", 'cpu,"host=a",1772409600000,1', "unexpected columns"),
        ("name,tags,time,usage_idle", 'cpu,"host=a",1772409600000,hello', "invalid value 'hello'"),
        ("name,tags,time,usage_idle", 'cpu,"host=a",99999999999999999999,1', "malformed"),
        ("name,tags,time,usage_idle", 'cpu,"host=a",9000000000000000000,1', "a time that cannot be"),
        ("name,tags,time,usage_idle", 'cpu,"host=a",-9000000000000000,1', "a time that cannot be"),
    ],
)
def test_columns_are_checked_by_name_and_type(script: Script, header: str, rows: str, said: str) -> None:
    script.answers = [Answer(f"{header}\n{rows}\n\nname,tags,name\ndatabases,,d\n".encode())]
    with pytest.raises(DatabaseError, match=said):
        database(script).read(ASKED)


def test_columns_in_another_order_are_taken_by_their_names(script: Script) -> None:
    body = b'name,tags,time,b,a\ncpu,"host=x",1772409600000,2,1\n\nname,tags,name\ndatabases,,d\n'
    script.answers = [Answer(body)]
    found = database(script).read(Request(measurement="m", fields=("a", "b"), start=ASKED.start, end=ASKED.end))
    assert found.values.tolist() == [[1, 2]]


def test_rows_after_the_end_of_an_answer_are_an_error(script: Script) -> None:
    rows = 'cpu,"host=a",1772409600000,1\n'
    body = f"name,tags,time,usage_idle\n{rows}\nname,tags,name\ndatabases,,d\n{rows}"
    script.answers = [Answer(body.encode())]
    with pytest.raises(DatabaseError, match="goes on after its end"):
        database(script).read(ASKED)


FORMS = (
    *(b"[]", b"[1,2]", b"{}", b'{"results":null}', b'{"results":["x",{}]}', b'{"results":[{"series":5},{}]}'),
    *(b'{"results":[{"series":[{"values":null}]},{}]}', b"<html>log in</html>", b"\xff\xfe", b""),
)


@pytest.mark.parametrize("body", FORMS)
def test_no_form_of_a_schema_is_a_traceback(script: Script, body: bytes) -> None:
    script.answers = [Answer(body)]
    with pytest.raises(DatabaseError) as caught:
        database(script).schemas()
    assert caught.value.remedy


@pytest.mark.parametrize("version", ["²", "²7.0", "v", "", "7", "\x1b[2J1.8", "1" * 5000])
def test_an_odd_version_is_an_error_that_shows_it_harmlessly(script: Script, version: str) -> None:
    script.answers = [
        Answer(b'{"version": %s}' % json.dumps(version).encode(), headers=(("Content-Type", "application/json"),))
    ]
    with pytest.raises(BrownoutError) as caught:
        connect(InfluxSettings(url=script.url))
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_parquet_file_of_many_equal_rows_is_refused_before_it_is_unpacked(script: Script) -> None:
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    rows = 5_000_000
    columns = {"time": pa.repeat(pa.scalar(START.astype("datetime64[ns]")), rows), "usage_idle": pa.repeat(1.0, rows)}
    pq.write_table(pa.table(columns), sink, compression="zstd")
    assert len(sink.getvalue()) < 1_000_000
    script.answers = [Answer(sink.getvalue())] * 30
    found = SqlDatabase(Connection(url=script.url), database="d", token="t")  # noqa: S106 - of no server
    found._tags = {"cpu": ()}  # spares the answer to the question for the schema
    with pytest.raises(DatabaseError, match="limit"):
        found.read(ASKED)


def test_an_answer_that_is_too_long_is_read_in_parts_and_the_next_ones_at_once(script: Script) -> None:
    def answer(hours: range) -> Answer:
        times = [int(START.astype(np.int64)) + hour * 3_600_000 + n * 10 for hour in hours for n in range(10_000)]
        rows = "".join(f'cpu,"host=a",{time},{time % 97}\n' for time in times)
        return Answer(f"name,tags,time,usage_idle\n{rows}\nname,tags,name\ndatabases,,d\n".encode())

    whole, first, second = answer(range(6)), answer(range(3)), answer(range(3, 6))
    script.answers = [whole]
    expected = database(script).read(ASKED)
    script.answers = [whole, first, second, first, second]
    limited = database(script, answer_mib=1.0)
    for asked in (4, 6):
        found = limited.read(ASKED)
        np.testing.assert_array_equal(found.times, expected.times)
        np.testing.assert_array_equal(found.values, expected.values)
        assert found.tags == expected.tags
        assert len(script.asked) == asked


def echo(handler: Handler) -> None:
    said = str(handler.headers.get("Authorization"))
    handler.short(400, f"bad header: {said} {SECRET} {SECRET.upper()} {' '.join(SECRET)}".encode(), X_Echo=said)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_secret_that_the_server_repeats_is_not_shown(
    version: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(1)
    monkeypatch.setenv("BROWNOUT_INFLUXDB_TOKEN", f" {SECRET}\n")
    with hostile(echo) as server:
        settings = InfluxSettings(url=server.url, version=version, org="o", user="u" if version == 1 else "")
        calls: list[Callable[[], object]] = [
            lambda: identify(settings),
            lambda: connect(settings).schemas(),
            lambda: connect(settings).read(ASKED),
            lambda: connect(settings).write(["a v=1 1\n"]),
        ]
        for call in calls:
            with pytest.raises(DatabaseError) as caught:
                call()
            error: BaseException | None = caught.value
            while error is not None:
                assert not leaks(f"{error!r} {error}")
                error = error.__cause__ or error.__context__
        assert all(SECRET in header or "Basic" in header for header in server.asked)
        assert not leaks(repr(vars(connect(settings))))
    assert not leaks(caplog.text)


def leaks(text: str) -> bool:
    from base64 import b64encode

    forms = [SECRET, b64encode(f"u:{SECRET}".encode()).decode()[4:-4], b64encode(SECRET.encode()).decode()[:-4]]
    letters = "".join(sign for sign in text.casefold() if sign.isalnum())
    return any(form.casefold() in letters for form in forms)
