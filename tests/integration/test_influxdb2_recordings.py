"""A bucket of InfluxDB 2.x, with answers of a real 2.8; InfluxQL also runs on a real 1.x, which answers alike."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from influx import Influx
from recordings import recorded
from scripted import Answer, Script, scripted

from brownout.adapters.influx.bucket import BucketDatabase, means_of
from brownout.adapters.influx.flux import FluxDatabase
from brownout.adapters.influx.http import Connection
from brownout.domain.errors import DatabaseError
from brownout.ingest.raw import Raw, Request

TOKEN = "token-of-the-tests"  # noqa: S105 - of no server
START = np.datetime64("2026-11-28T07:00", "ms")
HOUR = np.timedelta64(3_600_000, "ms")
BLOCKS = Request(measurement="libvirt_block", fields=("rd_bytes", "wr_bytes"), start=START, end=START + HOUR)
CHANGED = Request(
    measurement="t", fields=("v",), start=np.datetime64("2026-11-14T07:00", "ms"), end=np.datetime64("2026-11-15T05:00")
)
REFUSED = Answer(b'{"code":"not found","message":"path not found"}', 404)
LATER = (
    b"#datatype,string,long,dateTime:RFC3339,double,string,string\r\n#group,false,false,false,false,true,true\r\n"
    b"#default,_result,,,,,\r\n,result,table,_time,_value,_field,host\r\n"
    b",,0,2026-11-15T01:00:00Z,1.5,v,a\r\n,,0,2026-11-15T02:00:00Z,2.5,v,a\r\n,,1,2026-11-15T01:00:00Z,3.5,v,c\r\n\r\n"
)
ALL_FIVE = (
    b"name,tags,time,v\nt,host=a,1794641383000,1\nt,host=a,1794704400000,1.5\nt,host=a,1794708000000,2.5\n"
    b"t,host=b,1794641383000,2\nt,host=c,1794704400000,3.5\n\nname,tags,name\ndatabases,,b\n"
)


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as script:
        yield script


def flux(script: Script) -> FluxDatabase:
    return FluxDatabase(Connection(url=script.url, attempts=2), bucket="b", org="o", token=TOKEN)


def bucket(script: Script) -> BucketDatabase:
    return BucketDatabase(Connection(url=script.url, attempts=2), bucket="b", org="o", token=TOKEN)


def schema(**fields: str) -> Answer:
    """What ``/query`` tells of a measurement ``t``; a field may have several types, with a + between."""
    values = [[name, kind] for name, kinds in fields.items() for kind in kinds.split("+")]
    results = [
        {"series": [{"name": "t", "columns": ["fieldKey", "fieldType"], "values": values}]},
        {"series": [{"name": "t", "columns": ["tagKey"], "values": [["host"]]}]},
    ]
    return Answer(json.dumps({"results": results}).encode())


def strings(*names: str) -> Answer:
    """A short answer of Flux."""
    head = "#datatype,string,long,string\r\n#group,false,false,false\r\n#default,_result,,\r\n,result,table,_value\r\n"
    return Answer((head + "".join(f",,0,{name}\r\n" for name in names) + "\r\n").encode())


def samples(raw: Raw) -> dict[tuple[str, int], list[float]]:
    return {
        (",".join(f"{k}={v}" for k, v in sorted(raw.tags[series].items())), int(time)): values.tolist()
        for series, time, values in zip(raw.series, raw.times, raw.values, strict=True)
    }


def paths(script: Script) -> list[str]:
    return [urlsplit(path).path for path, _ in script.asked]


def test_text_among_the_fields_is_left_out_and_named_once(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    script.answers = [recorded("ok-three-types")] * 2
    asked = replace(BLOCKS, fields=("allocation", "name", "rd_bytes"))
    database = flux(script)
    found, again = database.read(asked), database.read(asked)
    np.testing.assert_array_equal(found.values, again.values)
    assert np.isfinite(found.values[:, 0]).all()
    assert np.isnan(found.values[:, 1]).all()
    assert found.values[0, 0] == 3944448
    assert [record.getMessage() for record in caplog.records] == [
        f"{database.label}, libvirt_block: field name holds text, which is left out"
    ]


def test_a_field_whose_type_changed_gives_all_its_samples_by_influxql(script: Script) -> None:
    script.answers = [schema(v="integer+float"), Answer(ALL_FIVE)]
    database = bucket(script)
    assert database.schemas()["t"].fields == ("v",)
    assert len(database.read(CHANGED)) == 5
    assert paths(script) == ["/query", "/query"]


def test_a_field_whose_type_changed_gives_all_its_samples_by_flux_shard_by_shard(script: Script) -> None:
    seen = Answer(b'{"buckets":[{"name":"b","retentionRules":[{"shardGroupDurationSeconds":604800}]}]}')
    script.answers = [REFUSED, strings("t"), strings("host"), strings("v"), seen]
    script.answers += [recorded("type-changed"), Answer(LATER)]
    by_flux = bucket(script).read(CHANGED)
    queries = [json.loads(body)["query"] for path, body in script.asked[-2:]]
    assert "stop: 2026-11-15T00:00:00.000Z" in queries[0]
    assert "start: 2026-11-15T00:00:00.000Z" in queries[1]
    script.answers = [schema(v="integer+float"), Answer(ALL_FIVE)]
    assert samples(by_flux) == samples(bucket(script).read(CHANGED))


def test_rows_are_asked_for_in_influxql_and_means_in_flux(script: Script) -> None:
    numbers = LATER.replace(b"1.5", b"4.5")
    script.answers = [schema(v="float"), Answer(ALL_FIVE), Answer(numbers), schema(v="float+string"), Answer(ALL_FIVE)]
    database = bucket(script)
    database.read(CHANGED)
    database.read(replace(CHANGED, every_s=300))
    assert paths(script) == ["/query", "/query", "/api/v2/query"]
    database.schemas()
    database.read(replace(CHANGED, every_s=300))  # Flux would fail on the text, or give one type only
    assert paths(script)[-1] == "/query"
    assert 'mean("v"::float) AS "v"' in parse_qs(script.asked[-1][1].decode())["q"][0]


def test_where_flux_cannot_make_means_of_text_they_are_made_of_rows(script: Script) -> None:
    script.answers = [REFUSED, strings("t"), strings("host"), strings("v"), Answer(b'{"buckets":[]}')]
    script.answers += [recorded("to-float-of-text"), Answer(LATER), recorded("empty")]
    asked = replace(CHANGED, every_s=7200)
    found = bucket(script).read(asked)
    assert samples(found) == {
        ("host=a", 1794700800000): [1.5],
        ("host=a", 1794708000000): [2.5],
        ("host=c", 1794700800000): [3.5],
    }


def test_flux_as_recorded_and_influxql_of_a_real_server_give_equal_samples_and_means(
    script: Script, influx: Influx
) -> None:
    script.answers = [recorded("to-float")] * 3
    by_flux = flux(script).read(BLOCKS)
    assert len(by_flux) == 6
    real = influx.database("recorded")
    lines = [
        f"libvirt_block,{tags} rd_bytes={int(values[0])}i,wr_bytes={int(values[1])}i {time}\n"
        for (tags, time), values in samples(by_flux).items()
    ]
    assert real.write(lines) == 6
    assert samples(real.read(BLOCKS)) == samples(by_flux)
    for every in (10, 60, 300):
        means = real.read(replace(BLOCKS, every_s=every))
        assert samples(means_of(by_flux, every)) == samples(means)


def test_numbers_of_a_field_that_is_text_in_one_shard_are_read_from_a_real_server(influx: Influx) -> None:
    database = influx.database("texts")
    week, first = 7 * 86_400_000, int(START.astype(np.int64))
    database.write(
        [f"t,host=a v=1i,s=2 {first}\n", f't,host=a v=1.5,s="x" {first + week}\nt,host=b s="y" {first + week}\n']
    )
    schema = database.schemas()["t"]
    assert (set(schema.fields), schema.texts) == ({"v", "s"}, ("s",))
    asked = Request(measurement="t", fields=("v", "s"), start=START, end=START + 200 * HOUR)
    assert [row[0] for row in samples(database.read(asked)).values()] == [1, 1.5]
    only = replace(asked, fields=("s",))
    assert list(samples(database.read(only)).values()) == [[2]]
    assert len(database.read(replace(only, start=START + HOUR))) == 0  # that shard has text only
    assert list(samples(database.read(replace(only, every_s=300))).values()) == [[2]]


@pytest.mark.parametrize("answer", ["no-bucket", "bucket-not-permitted"])
def test_a_bucket_that_cannot_be_found_is_told_with_both_reasons_and_what_is_seen(script: Script, answer: str) -> None:
    seen = Answer(b'{"buckets":[{"name":"other"},{"name":"fleet\\u001b[2J"}]}')
    script.answers = [recorded("ql-no-database"), recorded(answer), seen]
    with pytest.raises(DatabaseError, match="could not find bucket") as caught:
        bucket(script).schemas()
    assert "Bucket b is not there, or the token may not use it; it sees fleet\\x1b[2J, other." in caught.value.what


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("wrong-token", "401: unauthorized access"),
        ("wrong-org", '400: failed to decode request body: organization name "exampel" not found'),
        ("compile-error", "400: error @1:25-1:29: undefined identifier rnge"),
        ("error-in-the-middle", "400: runtime error .*shard 7 is gone"),
        ("schema-collision", "400: error .*expected int but found float"),
        ("error-after-rows", "shard 7 is gone"),
    ],
)
def test_errors_of_flux_are_quoted_without_their_wrapping(script: Script, answer: str, said: str) -> None:
    script.answers = [recorded(answer)]
    with pytest.raises(DatabaseError, match=said) as caught:
        flux(script).read(BLOCKS)
    assert "b'" not in str(caught.value)
    assert '"code"' not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "said"), [("ql-wrong-token", "401: Unauthorized"), ("ql-parse-error", "400: failed to parse query")]
)
def test_errors_of_influxql_are_quoted_without_their_wrapping(script: Script, answer: str, said: str) -> None:
    script.answers = [recorded(answer), recorded("wrong-token")]
    with pytest.raises(DatabaseError, match=f"{said}|unauthorized access"):
        bucket(script).schemas()


def test_a_line_of_another_type_is_told_and_the_others_are_kept(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    script.answers = [recorded("write-type-conflict"), Answer(status=204)]
    assert bucket(script).write(["pq v=1i 1\npq v=2.5 2\npq v=3i 3\n", "pq v=4i 4\n"]) == 3
    (record,) = caplog.records
    assert "1 of 4 lines were refused, the others are kept" in record.getMessage()
    assert 'input field "v" on measurement "pq" is type float, already exists as type integer' in record.getMessage()


def test_a_line_that_cannot_be_read_is_told_and_the_others_are_sent_again(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    script.answers = [recorded("write-partial"), Answer(status=204)]
    assert bucket(script).write(["a v=1 1\nbad line here\nb v=2 2\n"]) == 2
    import gzip

    assert [gzip.decompress(body) for _, body in script.asked] == [
        b"a v=1 1\nbad line here\nb v=2 2\n",
        b"a v=1 1\nb v=2 2\n",
    ]
    assert "1 of 3 lines were refused" in caplog.text
    assert "invalid field format" in caplog.text


def test_a_bad_line_that_is_not_named_is_found_by_halves(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    unnamed = Answer(b'{"code":"invalid","message":"unable to parse one of them"}', 400)
    script.answers = [unnamed, Answer(status=204), unnamed, unnamed, Answer(status=204)]
    assert bucket(script).write(["a v=1 1\nb v=1 1\nbad\nc v=1 1\n"]) == 3
    assert "1 of 4 lines were refused" in caplog.text


@pytest.mark.parametrize("answer", ["write-read-only", "write-not-permitted"])
def test_a_token_that_may_not_write_is_an_error(script: Script, answer: str) -> None:
    script.answers = [recorded(answer)]
    with pytest.raises(DatabaseError, match="403: insufficient permissions for write"):
        bucket(script).write(["a v=1 1\n"])


@pytest.mark.parametrize(
    "answer", [Answer(b"<html>log in</html>", 200), Answer(status=302, headers=(("Location", "http://other/write"),))]
)
def test_an_answer_that_does_not_say_that_points_were_stored_is_an_error(script: Script, answer: Answer) -> None:
    script.answers = [answer]
    with pytest.raises(DatabaseError, match=r"instead of 204|sends us on to http://other/write"):
        bucket(script).write(["a v=1 1\n"])
    assert len(script.asked) == 1
