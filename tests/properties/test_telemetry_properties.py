import naive
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brownout.domain.entities import Topology
from brownout.domain.metrics import Metric, MetricKind
from brownout.domain.panel import Panel
from brownout.domain.repairs import Repair
from brownout.ingest.clean import clean
from brownout.ingest.spans import spans_of
from brownout.store.shards import ShardPlan, to_panel

NAMES = ("a", "b", "<script>")
values = st.one_of(st.floats(-20, 120, width=32), st.sampled_from([float("nan"), float("inf"), float("-inf")]))
rows = st.lists(
    st.tuples(st.integers(0, 900).map(lambda s: s * 1000), st.sampled_from(NAMES), values), min_size=1, max_size=60
)


def table_of(samples: list[naive.Row]) -> pa.Table:
    times, entities, numbers = zip(*samples, strict=True)
    return pa.table(
        {
            "time": pa.array(times, pa.timestamp("ms", "UTC")),
            "entity": pa.array(entities),
            "m": pa.array(numbers, pa.float64()),
        }
    )


class Store:
    """Just enough of a store to grid cleaned rows."""

    name = "made"
    metrics = (Metric(name="m", lower=0, upper=100),)
    interval_s = 60
    topology = Topology.of([])


def gridded(samples: list[naive.Row]) -> Panel:
    metric = Store.metrics
    plan = ShardPlan(
        entities=NAMES, kind="entity", interval_s=60, start=np.datetime64(0, "ms"), end=np.datetime64(901_000, "ms")
    )
    return to_panel(clean(table_of(samples), NAMES, metric)[0], Store(), plan)[0]  # type: ignore[arg-type]


@given(rows)
def test_the_grid_holds_what_a_plain_loop_computes(samples: list[naive.Row]) -> None:
    expected = naive.grid_means(samples, 60_000, 0, 100)
    block = gridded(samples).values[:, :, 0]
    found = {(NAMES[i], int(t)): block[i, t] for i, t in zip(*np.nonzero(np.isfinite(block)), strict=True)}
    assert found.keys() == expected.keys()
    for key, value in found.items():
        assert value == pytest.approx(expected[key], rel=1e-5, abs=1e-5)


@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_distinct_rows_does_not_matter(samples: list[naive.Row], random: object) -> None:
    distinct = list({(t, e): (t, e, v) for t, e, v in samples}.values())
    shuffled = distinct.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(gridded(distinct).values, gridded(shuffled).values)


@given(rows)
def test_rows_are_either_kept_or_counted_as_repairs(samples: list[naive.Row]) -> None:
    cleaned, repairs = clean(table_of(samples), NAMES, Store.metrics)
    kinds = repairs.by_kind()
    assert len(cleaned.times) + kinds.get(Repair.DUPLICATE, 0) == len(samples) == repairs.rows
    kept = {(t, e): v for t, e, v in samples}
    lost = sum(not np.isnan(v) for v in kept.values()) - int(np.isfinite(cleaned.values).sum())
    assert lost == kinds.get(Repair.NON_FINITE, 0) + kinds.get(Repair.OUT_OF_RANGE, 0)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 900).map(lambda s: s * 1000),
            st.sampled_from(NAMES),
            st.one_of(st.integers(0, 2**45).map(float), st.just(float("nan"))),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_rates_are_what_a_plain_loop_computes(samples: list[naive.Row]) -> None:
    cleaned, _ = clean(table_of(samples), NAMES, [Metric(name="m", kind=MetricKind.COUNTER)])
    present = np.flatnonzero(np.isfinite(cleaned.values[:, 0]))
    found = {(NAMES[cleaned.codes[i]], int(cleaned.times[i])): cleaned.values[i, 0] for i in present}
    expected = naive.rates(samples)
    assert found.keys() == expected.keys()
    for key, value in found.items():
        assert value == pytest.approx(expected[key], rel=1e-5)


@given(rows)
def test_a_span_holds_the_first_and_the_last_sample(samples: list[naive.Row]) -> None:
    spans = spans_of(table_of(samples), None)
    for name in {entity for _, entity, _ in samples}:
        times = [time for time, entity, _ in samples if entity == name]
        assert spans[name].first == np.datetime64(min(times), "ms")
        assert spans[name].last == np.datetime64(max(times), "ms")
