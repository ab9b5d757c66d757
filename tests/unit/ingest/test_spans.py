import numpy as np
import pyarrow as pa

from brownout.ingest.spans import spans_of


def table_of(times: list[str], entities: list[str]) -> pa.Table:
    stamps = pa.array(np.array(times, "datetime64[ms]"), pa.timestamp("ms", "UTC"))
    return pa.table({"time": stamps, "entity": pa.array(entities)})


def test_the_interval_is_the_usual_distance() -> None:
    times = ["2026-01-01T00:00:00", "2026-01-01T00:05:00", "2026-01-01T00:10:01", "2026-01-01T01:00:00"]
    span = spans_of(table_of(times, ["a"] * 4), None)["a"]
    assert span.interval_s == 301
    assert (span.rows, span.stray) == (4, 0)
    assert spans_of(table_of(times, ["a"] * 4), 300)["a"].interval_s == 300


def test_a_sample_of_another_decade_is_a_clock_jump() -> None:
    good = np.datetime64("2026-01-01", "ms") + np.arange(200) * np.timedelta64(300_000, "ms")
    times = ["1970-01-01T00:00:10", *good.astype(str), "2099-01-01"]
    span = spans_of(table_of(times, ["a"] * 202), None)["a"]
    assert (span.first, span.last, span.stray) == (good[0], good[-1], 2)


def test_two_seasons_of_data_are_one_span() -> None:
    first = np.datetime64("2026-01-01", "ms") + np.arange(200) * np.timedelta64(300_000, "ms")
    second = first + np.timedelta64(200, "D")
    span = spans_of(table_of([*first.astype(str), *second.astype(str)], ["a"] * 400), None)["a"]
    assert (span.first, span.last, span.stray) == (first[0], second[-1], 0)


def test_one_sample_has_a_span_and_no_data_has_none() -> None:
    assert spans_of(table_of(["2026-01-01"], ["a"]), None)["a"].rows == 1
    assert (
        spans_of(table_of([], []).cast(pa.schema([("time", pa.timestamp("ms", "UTC")), ("entity", pa.string())])), None)
        == {}
    )


def test_rows_may_come_in_any_order() -> None:
    hours = [f"2026-01-01T0{hour}:00:00" for hour in range(6)]
    ordered = spans_of(table_of(hours * 2, ["a"] * 6 + ["b"] * 6), None)
    interleaved = spans_of(table_of([hour for hour in hours for _ in "ab"], ["a", "b"] * 6), None)
    backwards = spans_of(table_of(hours[::-1] * 2, ["a"] * 6 + ["b"] * 6), None)
    assert ordered["a"].rows == 6
    assert interleaved == ordered
    assert backwards == ordered
