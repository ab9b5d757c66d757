"""Rows that differ in time and value only are read by cutting both out: the samples are those of the CSV reader."""

import io

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brownout.adapters.influx import annotated
from brownout.adapters.influx.annotated import parse_annotated
from brownout.adapters.influx.equal_rows import equal_rows
from brownout.ingest.raw import Raw

NAMES = ["", "result", "table", "_time", "_value", "_field", "cpu", "host"]
HEAD = (
    "#datatype,string,long,dateTime:RFC3339,{kind},string,string,string\r\n"
    "#group,false,false,false,false,true,true,true\r\n#default,_result,,,,,,\r\n"
    ",result,table,_time,_value,_field,cpu,host\r\n"
)


def row(table: int, minute: int, value: str, host: str = "k1", end: str = "\r\n") -> str:
    return f",,{table},2026-03-02T{minute // 60 % 24:02}:{minute % 60:02}:00Z,{value},idle,cpu-total,{host}{end}"


def rows(*lengths: int, value: str = "{}.5") -> str:
    return "".join(
        row(number, minute, value.format(minute), f"k{number}")
        for number, length in enumerate(lengths)
        for minute in range(length)
    )


def read(text: str, kind: str = "double") -> Raw:
    return parse_annotated(io.BytesIO((HEAD.format(kind=kind) + text + "\r\n").encode()), ("idle",))


def taken(text: str) -> bool:
    return equal_rows(text.encode(), NAMES, pa.float64()) is not None


def test_what_the_database_sends_is_cut_out() -> None:
    found = equal_rows(rows(300, 1, 200).encode(), NAMES, pa.float64())
    assert found is not None
    assert found.tables.tolist() == [0] * 300 + [1] + [2] * 200
    assert found.values.to_pylist()[298:302] == [298.5, 299.5, 0.5, 0.5]


@pytest.mark.parametrize(
    "text",
    [
        rows(*[3] * 60),  # many short tables
        rows(300).replace(",7.5,", ",,"),  # an empty value
        rows(300).replace("00:07:00Z", "00:07:00.25Z"),  # a time of another length
        rows(300).replace("00:07:00Z", "00:07:00"),
        rows(300)[:-2],  # the last row has no end
        rows(300) + "\r\n",  # the end of a table
        rows(100) + row(7, 0, "1") * 71 + row(3, 0, "1") + row(7, 0, "1") * 78,  # another table within one
    ],
    ids=["short", "empty", "fraction", "zone", "cut", "end", "order"],
)
def test_everything_else_is_left_to_the_reader_of_csv(text: str) -> None:
    assert not taken(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [(",7.5,", ",7.5,1,"), (",7.5,", ",sixty,"), ("00:07:00Z", "soon"), (",7.5,idle", ",7.5"), ("\r\n,,0,", "\r\n")],
)
def test_a_malformed_row_among_equal_ones_is_an_error(old: str, new: str) -> None:
    with pytest.raises(ValueError, match="malformed"):
        read(rows(300).replace(old, new, 1))


@pytest.mark.parametrize(
    ("kind", "value"), [("double", "{}.25"), ("double", "-1e-{}"), ("long", "90071992547409{:03}"), ("long", "-{}")]
)
def test_both_ways_give_equal_samples(kind: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = rows(300, 150, 400, value=value)
    found = read(text, kind)
    monkeypatch.setattr(annotated, "equal_rows", lambda *_: None)
    expected = read(text, kind)
    assert found.tags == expected.tags
    for one in ("series", "times", "values"):
        np.testing.assert_array_equal(getattr(found, one), getattr(expected, one))
    assert (found.low is None) == (expected.low is None)
    if found.low is not None:
        np.testing.assert_array_equal(found.low, expected.low)


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=100, max_size=100))
def test_every_number_comes_back(values: list[float]) -> None:
    found = read("".join(row(0, minute, repr(value)) for minute, value in enumerate(values)))
    np.testing.assert_array_equal(found.values[:, 0], values)
