"""Whole numbers of 64 bits keep all their digits until they are rates, by each of the three ways of asking."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brownout.adapters.influx.annotated import parse_annotated
from brownout.adapters.influx.chunked_csv import parse_answer
from brownout.adapters.influx.rows import whole_numbers
from brownout.adapters.influx.sql import columns_of, parse_parquet
from brownout.adapters.influx.time_parts import joined
from brownout.ingest.counters import growth, rates
from brownout.ingest.raw import Raw

FIRST = 1_795_838_400_000
SIGNED = [9_050_060_112_725_601 + 60 * k for k in range(5)]
UNSIGNED = [2**63 + 1_000_003 + 61 * k for k in range(5)]
SMALL = [10 * k for k in range(5)]


def chunked(values: list[int], kind: pa.DataType) -> Raw:
    rows = "".join(f'm,"host=a",{FIRST + 60_000 * k},{value}\n' for k, value in enumerate(values))
    text = f"name,tags,time,n\n{rows}\nname,tags,name\ndatabases,,x\n"
    return parse_answer([text.encode()], ("n",), whole={"n": kind})


def annotated(values: list[int], kind: pa.DataType) -> Raw:
    name = "long" if kind == pa.int64() else "unsignedLong"
    head = (
        f"#datatype,string,long,dateTime:RFC3339,{name},string,string\r\n#group,false,false,false,false,true,true\r\n"
        "#default,_result,,,,,\r\n,result,table,_time,_value,_field,host\r\n"
    )
    rows = "".join(f",,0,{np.datetime64(FIRST + 60_000 * k, 'ms')}Z,{value},n,a\r\n" for k, value in enumerate(values))
    return parse_annotated(io.BytesIO(f"{head}{rows}\r\n".encode()), ("n",))


def parquet(values: list[int], kind: pa.DataType) -> Raw:
    times = pa.array([FIRST + 60_000 * k for k in range(len(values))], pa.timestamp("ms"))
    table = pa.table({"time": times, "host": ["a"] * len(values), "n": pa.array(values, kind)})
    file = io.BytesIO()
    pq.write_table(table, file)
    return parse_parquet(columns_of(file.getvalue(), ["time", "host", "n"], 1 << 20), ("host",), ("n",))


@pytest.mark.parametrize("answer", [chunked, annotated, parquet])
@pytest.mark.parametrize(("values", "kind"), [(SIGNED, pa.int64()), (UNSIGNED, pa.uint64())])
def test_rates_are_exact(answer, values: list[int], kind: pa.DataType) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    found = answer(values, kind)
    assert found.low is not None
    exact = np.diff(np.array([int(v) - values[0] for v in values])) / 60
    speeds, resets = rates(found.values[:, 0], found.times, found.series, found.low[:, 0])
    np.testing.assert_array_equal(speeds[1:], exact)
    assert not len(resets)
    grown, _ = growth(found.values[:, 0], found.times, found.series, found.low[:, 0])
    np.testing.assert_array_equal(grown[1:], np.array(values[1:], object) - values[0])


@pytest.mark.parametrize("answer", [chunked, annotated, parquet])
def test_small_numbers_take_no_more_room(answer) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    found = answer(SMALL, pa.int64())
    assert found.low is None
    assert found.values[:, 0].tolist() == SMALL


def test_a_field_that_became_a_float_meanwhile_is_read_as_one() -> None:
    text = f'name,tags,time,n\nm,"host=a",{FIRST},7\nm,"host=a",{FIRST + 1},1.5\n\nname,tags,name\ndatabases,,x\n'
    assert parse_answer([text.encode()], ("n",), whole={"n": pa.int64()}).values[:, 0].tolist() == [7.0, 1.5]


def test_parts_of_a_request_keep_what_each_has() -> None:
    found = joined(("n",), [chunked(SMALL, pa.int64()), chunked(SIGNED, pa.int64())])
    assert found.low is not None
    total = [int(high) + int(low) for high, low in zip(found.values[:, 0], found.low[:, 0], strict=True)]
    assert sorted(total) == sorted(SMALL + SIGNED)


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.none(), min_size=1))
def test_nothing_is_lost_of_any_signed_number(values: list[int | None]) -> None:
    high, low = whole_numbers(pa.array(values, pa.int64()))
    rest = np.zeros(len(values)) if low is None else low
    assert [None if np.isnan(h) else int(h) + int(r) for h, r in zip(high, rest, strict=True)] == values


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1))
def test_nothing_is_lost_of_any_unsigned_number(values: list[int]) -> None:
    high, low = whole_numbers(pa.array(values, pa.uint64()))
    rest = np.zeros(len(values)) if low is None else low
    assert [int(h) + int(r) for h, r in zip(high, rest, strict=True)] == values
