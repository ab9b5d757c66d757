"""What every store of samples promises, held by each one and by the fake that tests use in its place."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Write
from fakes import MemoryStore

from brownout.domain.ports import SampleStore
from brownout.operate.sources import DatasetSource
from brownout.operate.sync import sync
from brownout.store.as_of import StoreAsOf
from brownout.store.dataset import Dataset
from brownout.store.history import History

START = np.datetime64("2026-03-02T00:00", "m")
LATER = np.datetime64("2027-01-01", "ms")
ROWS = [(name, START + minute) for name, minutes in (("a", range(10)), ("b", range(3, 6))) for minute in minutes]


@pytest.fixture(params=["dataset", "history", "memory", "as of"])
def store(request: pytest.FixtureRequest, write_dataset: Write, tmp_path: Path) -> SampleStore:
    folder = write_dataset(
        {"cpu": [float(place) for place in range(len(ROWS))]},
        times=[str(time) for _, time in ROWS],
        entities=[name for name, _ in ROWS],
    )
    (folder / "entities.csv").write_text("entity,kind,parent\na,host,\nb,vm,a\n")
    dataset = Dataset.open(folder)
    if request.param == "dataset":
        return dataset
    if request.param == "memory":
        return MemoryStore(pq.read_table(folder / "samples.parquet"), dataset.metrics, dataset.topology, 60)
    if request.param == "as of":
        return StoreAsOf(dataset, LATER)
    sync(DatasetSource(dataset), tmp_path / "history")
    return History.open(tmp_path / "history")


def values(table: pa.Table) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for name, value in zip(table["entity"].cast(pa.string()).to_pylist(), table["cpu"].to_pylist(), strict=True):
        found.setdefault(name, []).append(value)
    return found


def test_spans_are_those_of_the_samples(store: SampleStore) -> None:
    spans = store.spans()
    assert {name: (span.first, span.last) for name, span in spans.items()} == {
        "a": (START, START + 9),
        "b": (START + 3, START + 5),
    }
    assert {span.interval_s for span in spans.values()} == {60}


def test_reading_gives_what_was_asked_for_in_order_of_time(store: SampleStore) -> None:
    assert values(store.read(["a", "b"])) == {"a": [float(n) for n in range(10)], "b": [10.0, 11.0, 12.0]}
    start, end = (START + 4).astype("datetime64[ms]"), (START + 6).astype("datetime64[ms]")
    assert values(store.read(["a"], start=start, end=end)) == {"a": [4.0, 5.0]}
    assert values(store.read(["b"], start=start)) == {"b": [11.0, 12.0]}


def test_nothing_is_read_of_nobody_and_of_no_time(store: SampleStore) -> None:
    assert store.read([]).num_rows == 0
    assert store.read(["nobody"]).num_rows == 0
    assert store.read(["a"], start=LATER).num_rows == 0
    assert {"time", "entity"} <= set(store.read([]).column_names)


def test_metrics_and_topology_are_those_of_the_data(store: SampleStore) -> None:
    assert [metric.name for metric in store.metrics] == ["cpu"]
    assert store.topology["b"].parent == "a"
    assert store.interval_s == 60
