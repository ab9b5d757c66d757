"""Answers cut anywhere into pieces, and requests read in parts, give what they give whole."""

import csv
import io
from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brownout.adapters.influx.annotated import parse_annotated
from brownout.adapters.influx.bucket import means_of
from brownout.adapters.influx.chunked_csv import BrokenOffError, parse_answer
from brownout.adapters.influx.http import TooLargeError
from brownout.adapters.influx.rows import row_blocks
from brownout.adapters.influx.time_parts import PartReader, cut_at, joined
from brownout.adapters.influx.transport import Deadline
from brownout.ingest.raw import Raw, Request

START = np.datetime64("2026-03-02", "ms")
MINUTE = np.timedelta64(60_000, "ms")
BASE = int(START.astype(np.int64))
ASKED = Request(measurement="m", fields=("a", "b"), start=START, end=START + 360 * MINUTE)


def samples(raw: Raw) -> dict[tuple[str, int], tuple[str, ...]]:
    """Rows by series and time, NaN as text so that it equals itself."""
    return {
        (str(sorted(raw.tags[series].items())), int(time)): tuple(map(str, values.tolist()))
        for series, time, values in zip(raw.series, raw.times, raw.values, strict=True)
    }


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def written(rows: list[list[str]]) -> bytes:
    sink = io.StringIO()
    csv.writer(sink, lineterminator="\n").writerows(rows)
    return sink.getvalue().encode()


cells = st.text(st.sampled_from('ab",\n\r #='), max_size=5)
cut = st.lists(st.integers(0, 10_000), max_size=8)


@given(rows=st.lists(st.lists(cells, min_size=2, max_size=2), max_size=30), cuts=cut, size=st.integers(1, 60))
def test_blocks_end_with_whole_rows_however_the_pieces_are_cut(
    rows: list[list[str]], cuts: list[int], size: int
) -> None:
    data = written(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("brownout.adapters.influx.rows.BLOCK", size)
        blocks = list(row_blocks(pieces(data, cuts)))
    assert b"".join(blocks) == data
    assert [row for block in blocks for row in csv.reader(io.StringIO(block.decode(), newline=""))] == list(
        csv.reader(io.StringIO(data.decode(), newline=""))
    )


@given(
    values=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(-5, 5)), min_size=1, max_size=40),
    cuts=cut,
    size=st.integers(1, 400),
)
def test_both_formats_give_the_samples_of_a_loop_however_they_are_cut(
    values: list[tuple[int, int, int]], cuts: list[int], size: int
) -> None:
    table = {(host, minute): value for host, minute, value in values}
    keys = sorted(table)
    expected = {
        (f"[('host', 'h{host}')]", BASE + minute * 60_000): (str(float(table[host, minute])), "nan")
        for host, minute in keys
    }
    ql = "name,tags,time,a,b\n" + "".join(f'm,"host=h{h}",{BASE + m * 60_000},{table[h, m]},\n' for h, m in keys)
    ql += "\nname,tags,name\ndatabases,,d\n"
    head = "#datatype,string,long,dateTime:RFC3339,long,string,string\r\n#group,false,false,false,false,true,true\r\n"
    head += "#default,_result,,,,,\r\n,result,table,_time,_value,_field,host\r\n"
    flux = head + "".join(f",,{h},{START + m * MINUTE}Z,{table[h, m]},a,h{h}\r\n" for h, m in keys) + "\r\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("brownout.adapters.influx.rows.BLOCK", size)
        assert samples(parse_answer(pieces(ql.encode(), cuts), ("a", "b"))) == expected
        assert samples(parse_annotated(pieces(flux.encode(), cuts), ("a", "b"))) == expected


@pytest.mark.parametrize("size", range(1, 120))
def test_no_cut_of_an_answer_is_taken_for_a_whole_one(size: int) -> None:
    whole = (
        b'name,tags,time,a\nm,"host=a",1772409600000,1\nm,"host=b",1772409600000,2\n\nname,tags,name\ndatabases,,d\n'
    )
    end = whole.index(b"name,tags,name\n") + len(b"name,tags,name\n")
    if size >= end:
        with suppress(ValueError):  # cut within the list of databases
            assert len(parse_answer([whole[:size]], ("a",))) == 2
        return
    with pytest.raises(ValueError, match="answer"):
        parse_answer([whole[:size]], ("a",))


def test_an_answer_that_ended_before_it_began_is_told_apart() -> None:
    with pytest.raises(BrokenOffError) as caught:
        parse_answer([b""], ("a",))
    assert caught.value.empty


def test_an_answer_beyond_the_limit_is_refused_before_it_is_whole() -> None:
    taken = 0

    def endless() -> object:
        nonlocal taken
        yield b"name,tags,time,a\n"
        while True:
            taken += 1
            yield b'm,"host=a",1772409600000,1\n' * 1000

    with pytest.raises(TooLargeError, match="1 MiB"):
        parse_answer(endless(), ("a",), limit=1 << 20)  # type: ignore[arg-type]
    assert taken < 300


def source(request: Request) -> Raw:
    """Two series at every minute asked for."""
    times = np.arange(request.start, request.end, MINUTE).astype(np.int64)
    series = np.repeat([0, 1], len(times))
    values = np.column_stack([np.tile(times, 2) / 7, series]).astype(float)
    return Raw(request.fields, ({"host": "a"}, {"host": "b"}), series, np.tile(times, 2), values)


@pytest.mark.parametrize("most", [1, 7, 60, 200, 1000])
def test_a_request_in_parts_gives_what_it_gives_whole(most: int) -> None:
    asked: list[Request] = []

    def read(request: Request, _deadline: Deadline) -> Raw:
        asked.append(request)
        found = source(request)
        if len(found) > 2 * most:
            raise TooLargeError("too long")
        return found

    reader = PartReader(read, budget_s=60)
    first = reader.read(ASKED)
    tries = len(asked)
    again = reader.read(ASKED)
    assert samples(first) == samples(again) == samples(source(ASKED))
    assert len(asked) - tries <= tries  # what was learned is not tried again


def test_a_request_that_is_always_too_long_is_an_error_within_its_budget() -> None:
    def read(_request: Request, _deadline: Deadline) -> Raw:
        raise TooLargeError("too long")

    with pytest.raises(TooLargeError):
        PartReader(read, budget_s=60).read(ASKED)


def test_parts_meet_where_they_are_cut() -> None:
    times = [START + minute * MINUTE for minute in (-5, 0, 60, 60, 300, 360, 400)]
    parts = cut_at(ASKED, times)
    assert [part.start for part in parts] == [
        ASKED.start,
        START + 60 * MINUTE,
        START + 60 * MINUTE,
        START + 300 * MINUTE,
    ]
    assert parts[-1].end == ASKED.end
    assert samples(joined(ASKED.fields, [source(part) for part in parts])) == samples(source(ASKED))


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 50), st.sampled_from([1.0, 2.5, float("nan")])), max_size=40
    ),
    every=st.sampled_from([60, 300, 600]),
)
def test_means_are_those_of_a_loop(rows: list[tuple[int, int, float]], every: int) -> None:
    table = {(host, minute): value for host, minute, value in rows}
    keys = sorted(table)
    raw = Raw(
        ("a",), tuple({"host": str(n)} for n in range(3)), np.array([k[0] for k in keys], np.int64),
        np.array([BASE + k[1] * 60_000 for k in keys], np.int64), np.array([[table[k]] for k in keys]).reshape(-1, 1),
    )  # fmt: skip
    slots: dict[tuple[int, int], list[float]] = {}
    for host, minute in keys:
        slot = (BASE + minute * 60_000) // (every * 1000) * every * 1000
        slots.setdefault((host, slot), []).append(table[host, minute])
    found = means_of(raw, every)
    assert list(zip(found.series.tolist(), found.times.tolist(), strict=True)) == list(slots)
    for mean, own in zip(found.values[:, 0], slots.values(), strict=True):
        known = [value for value in own if value == value]  # noqa: PLR0124 - NaN is not itself
        np.testing.assert_allclose(mean, np.mean(known) if known else np.nan)
