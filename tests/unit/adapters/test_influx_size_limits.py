"""Answers without end, with no clock and no server: the size limits alone end them, and at the size that they state."""

from collections.abc import Iterator

import pytest

from brownout.adapters.influx.annotated import parse_annotated
from brownout.adapters.influx.chunked_csv import parse_answer
from brownout.adapters.influx.http import TooLargeError
from brownout.adapters.influx.rows import LONGEST_ROW, row_blocks

LIMIT = 4 << 20
AT_MOST = 64 << 20
"""Bytes sent until a limit must have ended the answer; a reader without one would go on for ever."""


def without_end(head: bytes, rows: bytes) -> Iterator[bytes]:
    """A head, then the same rows again and again; fails where nobody stops reading."""
    yield head
    sent = 0
    while sent < AT_MOST:
        yield rows
        sent += len(rows)
    pytest.fail(f"{sent >> 20} MiB were read of an answer whose limit is {LIMIT >> 20} MiB")


def test_rows_of_influxql_without_end_meet_the_limit_of_memory() -> None:
    rows = b'cpu,"host=a",1772409600000,1\n' * 5000
    with pytest.raises(TooLargeError, match="samples of the answer take more than 4 MiB"):
        parse_answer(without_end(b"name,tags,time,usage_idle\n", rows), ("usage_idle",), limit=LIMIT)


def test_rows_of_flux_without_end_meet_the_limit_of_memory() -> None:
    head = (
        b"#datatype,string,long,dateTime:RFC3339,double,string,string\r\n"
        b"#group,false,false,false,false,true,true\r\n"
        b"#default,_result,,,,,\r\n"
        b",result,table,_time,_value,_field,host\r\n"
    )
    rows = b",,0,2026-03-02T00:00:00Z,60,usage_idle,k1\r\n" * 5000
    with pytest.raises(TooLargeError, match="samples of the answer take more than 4 MiB"):
        parse_annotated(without_end(head, rows), ("usage_idle",), limit=LIMIT)


def test_one_row_without_end_meets_the_longest_row() -> None:
    assert LONGEST_ROW < AT_MOST
    with pytest.raises(TooLargeError, match=f"a row is longer than {LONGEST_ROW >> 20} MiB"):
        for _ in row_blocks(without_end(b"name,tags,time,usage_idle\n", b"x" * (1 << 20))):
            pass
