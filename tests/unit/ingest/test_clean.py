import numpy as np
import pyarrow as pa
import pytest

from brownout.domain.metrics import Metric, MetricKind
from brownout.domain.repairs import Repair
from brownout.ingest.clean import clean

GAUGE = Metric(name="busy", lower=0, upper=100)
COUNTER = Metric(name="bytes", kind=MetricKind.COUNTER)


def table_of(rows: list[tuple[int | None, str | None, float | None]], name: str = "busy") -> pa.Table:
    seconds, entities, values = zip(*rows, strict=True)
    return pa.table(
        {
            "time": pa.array([None if s is None else s * 1000 for s in seconds], pa.timestamp("ms", "UTC")),
            "entity": pa.array(entities, pa.string()),
            name: pa.array(values, pa.float64()),
        }
    )


def test_rows_come_out_sorted_and_distinct_and_the_last_of_two_wins() -> None:
    rows, repairs = clean(table_of([(60, "a", 1), (0, "a", 2), (60, "a", 3), (0, "b", 4)]), ["b", "a"], [GAUGE])
    assert rows.codes.tolist() == [0, 1, 1]
    assert rows.times.tolist() == [0, 0, 60_000]
    assert rows.values[:, 0].tolist() == [4, 2, 3]
    assert repairs.by_kind() == {Repair.DUPLICATE: 1, Repair.UNORDERED: 1}
    assert repairs.rows == 4


def test_interleaved_entities_are_not_unordered() -> None:
    rows, repairs = clean(table_of([(60, "a", 1), (0, "b", 2), (120, "a", 3), (60, "b", 4)]), ["a", "b"], [GAUGE])
    assert repairs.by_kind() == {}
    assert (rows.codes.tolist(), rows.times.tolist()) == ([0, 0, 1, 1], [60_000, 120_000, 0, 60_000])
    assert rows.values[:, 0].tolist() == [1, 3, 2, 4]


def test_rows_of_one_entity_out_of_order_are_put_in_order() -> None:
    rows, repairs = clean(table_of([(60, "a", 1), (0, "a", 2), (120, "a", 3)]), ["a"], [GAUGE])
    assert rows.values[:, 0].tolist() == [2, 1, 3]
    assert repairs.by_kind() == {Repair.UNORDERED: 1}


def test_impossible_values_are_treated_as_not_measured_and_counted_by_entity() -> None:
    rows, repairs = clean(
        table_of([(0, "a", np.inf), (60, "a", -1), (120, "b", 101), (180, "b", np.nan), (240, "b", None)]),
        ["a", "b"],
        [GAUGE],
    )
    assert np.isnan(rows.values).all()
    assert repairs.counts == {
        (Repair.NON_FINITE, "a"): 1,
        (Repair.OUT_OF_RANGE, "a"): 1,
        (Repair.OUT_OF_RANGE, "b"): 1,
    }


def test_rows_without_time_or_entity_are_dropped_and_counted() -> None:
    rows, repairs = clean(table_of([(None, "a", 1), (0, None, 2), (0, "a", 3)]), ["a"], [GAUGE])
    assert rows.values.tolist() == [[3]]
    assert repairs.by_kind() == {Repair.NO_TIME: 2}


def test_a_counter_becomes_a_rate_and_a_reset_drops_one_point() -> None:
    table = table_of(
        [(0, "a", 100), (10, "a", 150), (20, "a", None), (40, "a", 210), (50, "a", 5), (60, "a", 25)], "bytes"
    )
    rows, repairs = clean(table, ["a"], [COUNTER])
    np.testing.assert_allclose(rows.values[:, 0], [np.nan, 5, np.nan, 2, np.nan, 2])
    assert repairs.by_kind() == {Repair.COUNTER_RESET: 1}
    assert rows.metrics[0].kind is MetricKind.GAUGE


def test_a_counter_keeps_its_last_digits() -> None:
    # float32 has 24 bits: at 2^40 it could not see a rise of 3000.
    rows, _ = clean(table_of([(0, "a", 2.0**40), (10, "a", 2.0**40 + 3000)], "bytes"), ["a"], [COUNTER])
    assert rows.values[1, 0] == 300


def test_counters_of_two_entities_do_not_mix() -> None:
    rows, repairs = clean(table_of([(0, "a", 1000), (0, "b", 10), (10, "b", 20)], "bytes"), ["a", "b"], [COUNTER])
    np.testing.assert_allclose(rows.values[:, 0], [np.nan, np.nan, 1])
    assert repairs.by_kind() == {}


def test_an_empty_table_gives_no_rows() -> None:
    rows, repairs = clean(table_of([(0, "a", 1)]).slice(0, 0), ["a"], [GAUGE])
    assert rows.values.shape == (0, 1)
    assert repairs.by_kind() == {}


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64()])
def test_a_counter_of_64_bits_loses_no_digit(kind: pa.DataType) -> None:
    # float64 has 53 bits: at 2^62 it sees steps of 512 only. Rows of two entities, one reset, one gap.
    base = 2**62 if kind == pa.int64() else 2**63 + 12_345
    counts = {
        "a": [base, base + 30, None, base + 90, 7, 27],
        "b": [2**53 + 1, 2**53 + 2, 2**53 + 3, 2**53 + 33, None, None],
    }
    table = pa.table(
        {
            "time": pa.array([step * 10_000 for _ in counts for step in range(6)], pa.timestamp("ms", "UTC")),
            "entity": pa.array([name for name in counts for _ in range(6)], pa.string()),
            "bytes": pa.array([value for column in counts.values() for value in column], kind),
        }
    )
    rows, repairs = clean(table, ["a", "b"], [COUNTER])
    assert rows.values[:6, 0].tolist()[1::2] == [3.0, 3.0, 2.0]
    assert rows.values[8:10, 0].tolist() == pytest.approx([0.1, 3.0])
    assert repairs.counts == {(Repair.COUNTER_RESET, "a"): 1}


def test_a_gauge_of_64_bits_is_read() -> None:
    table = pa.table(
        {
            "time": pa.array([0], pa.timestamp("ms", "UTC")),
            "entity": pa.array(["a"], pa.string()),
            "size": pa.array([2**63 + 1], pa.uint64()),
        }
    )
    rows, _ = clean(table, ["a"], [Metric(name="size")])
    assert rows.values[0, 0] == np.float32(2**63)


@pytest.mark.parametrize("unreal", [0, 2**63, 2**64 - 1])
def test_a_sample_of_64_bits_that_says_nothing_is_counted_and_makes_no_rise(unreal: int) -> None:
    """Counted by 60 a minute around it: one a second, whatever stands between."""
    values = pa.array([2**60, 2**60 + 60, unreal, 2**60 + 180, 2**60 + 240], pa.uint64())
    table = table_of([(60 * n, "a", 0) for n in range(5)], "bytes").set_column(2, "bytes", values)
    rows, repairs = clean(table, ["a"], [COUNTER])
    np.testing.assert_allclose(rows.values[:, 0], [np.nan, 1, np.nan, 1, 1])
    assert sum(repairs.by_kind().values()) == 1
