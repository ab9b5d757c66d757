from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from brownout.domain.errors import DataError
from brownout.domain.metrics import Family, Worse
from brownout.store.dataset import Dataset

T = ["2026-03-02T00:00:00", "2026-03-02T00:01:00"]


def test_a_folder_is_read_with_labels_and_roles(write_dataset: Callable[..., Path]) -> None:
    header = (
        'name = "n"\ntest_start = "2026-03-02 00:01:00+00:00"\n'
        '[metrics.cpu]\nrole = "cpu"\ncapacity = 100\nunit = "%"\n'
    )
    folder = write_dataset(
        {"cpu": [1, 2], "other": [3, None]},
        times=T,
        entities=["vm1", "vm1"],
        header=header,
    )
    (folder / "entities.csv").write_text("entity,kind,parent,group,cores\nvm1,vm,kvm1,g,4\n")
    (folder / "incidents.csv").write_text(
        "incident,group,start,end,entity,cause\ni1,g,2026-03-02T00:00:00Z,2026-03-02T00:01:00Z,vm1,cpu\n"
    )
    data = Dataset.open(folder)
    cpu, other = data.metrics
    assert (cpu.family, cpu.limit, cpu.worse, cpu.lower) == (Family.CPU, 90, Worse.UP, 0)
    assert (other.limit, other.lower) == (None, -np.inf)
    assert data.topology["vm1"].labels == {"cores": "4"}
    assert data.topology["vm1"].group == "g"
    assert data.test_start == np.datetime64("2026-03-02T00:01", "ms")
    assert [incident.cause for incident in data.incidents] == ["cpu"]
    assert data.anomalies == ()


def test_reading_filters_by_entity_and_half_open_range(write_dataset: Callable[..., Path]) -> None:
    data = Dataset.open(write_dataset({"m": [1, 2, 3]}, times=[*T, T[0]], entities=["a", "a", "b"]))
    table = data.read(["a"], start=np.datetime64(T[0], "ms"), end=np.datetime64(T[1], "ms"))
    assert table["m"].to_pylist() == [1]
    assert data.read(["nobody"]).num_rows == 0


def test_a_canonical_column_keeps_what_the_catalogue_knows(write_dataset: Callable[..., Path]) -> None:
    header = 'name = "n"\n[metrics.console_update_ms]\nrole = "latency"\nunit = "ms"\n'
    data = Dataset.open(write_dataset({"console_update_ms": [1, 2]}, times=T, entities=["c", "c"], header=header))
    assert data.metrics[0].limit == 150


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_times_of_any_resolution_and_zone_are_utc(tmp_path: Path, zone: str | None) -> None:
    (tmp_path / "dataset.toml").write_text('name = "n"\n')
    stamps = pa.array([1_700_000_000 * 10**9, 1_700_000_060 * 10**9], pa.timestamp("ns", zone))
    pq.write_table(pa.table({"time": stamps, "entity": ["a", "a"], "m": [1.0, 2.0]}), tmp_path / "samples.parquet")
    data = Dataset.open(tmp_path)
    assert data.spans()["a"].first == np.datetime64(1_700_000_000_000, "ms")
    assert data.read(["a"], start=np.datetime64(1_700_000_060_000, "ms")).num_rows == 1


def break_toml(folder: Path) -> None:
    (folder / "dataset.toml").write_text("name = ")


def lose_toml(folder: Path) -> None:
    (folder / "dataset.toml").unlink()


def cut_samples(folder: Path) -> None:
    path = folder / "samples.parquet"
    path.write_bytes(path.read_bytes()[:-20])


def drop_time(folder: Path) -> None:
    path = folder / "samples.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["time"]), path)


def text_metric(folder: Path) -> None:
    path = folder / "samples.parquet"
    pq.write_table(pq.read_table(path).append_column("note", pa.array(["x", "y"])), path)


def no_metric(folder: Path) -> None:
    path = folder / "samples.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["m"]), path)


def stray_metric(folder: Path) -> None:
    (folder / "dataset.toml").write_text('[metrics.wrong]\nrole = "cpu"\n')


def short_labels(folder: Path) -> None:
    (folder / "entities.csv").write_text("name,kind\na,vm\n")


def empty_label(folder: Path) -> None:
    (folder / "entities.csv").write_text("entity,kind\n,vm\n")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (break_toml, "not valid TOML"),
        (lose_toml, "not a dataset folder"),
        (cut_samples, "cannot be read"),
        (drop_time, "no column 'time'"),
        (text_metric, "note"),
        (no_metric, "no metric columns"),
        (stray_metric, "wrong"),
        (short_labels, "no column"),
        (empty_label, "Line 2"),
    ],
)
def test_a_damaged_folder_is_named(
    write_dataset: Callable[..., Path], damage: Callable[[Path], None], said: str
) -> None:
    folder = write_dataset({"m": [1, 2]}, times=T, entities=["a", "a"])
    damage(folder)
    with pytest.raises(DataError, match=said) as caught:
        Dataset.open(folder)
    assert caught.value.remedy


PLACED = "entity,start,parent\nvm1,2026-03-02T00:01:00Z,kvm2\nvm1,2026-03-01T00:00:00Z,kvm1\n"


def placed(write_dataset: Callable[..., Path], text: str) -> Path:
    folder = write_dataset({"m": [1, 2]}, times=T, entities=["vm1", "vm1"])
    (folder / "entities.csv").write_text("entity,kind,parent\nvm1,vm,kvm9\nkvm1,host,\nkvm2,host,\n")
    (folder / "placements.csv").write_text(text)
    return folder


def test_placements_say_where_a_guest_was_in_any_order(write_dataset: Callable[..., Path]) -> None:
    topology = Dataset.open(placed(write_dataset, PLACED)).topology
    assert topology["vm1"].parent == "kvm2"
    assert [topology.root("vm1", np.datetime64(time, "ms")) for time in ("2026-01-01", *T)] == ["kvm1", "kvm1", "kvm2"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (PLACED + "vm7,2026-03-02T00:00:00Z,kvm1\n", "vm7"),
        (PLACED + "vm1,2026-03-01T00:00:00Z,kvm2\n", "two parents of 'vm1' from 2026-03-01"),
        (PLACED + "vm1,yesterday,kvm2\n", "Line 4 of .*placements.csv.*'yesterday'"),
        ("entity,start\nvm1,2026-03-02T00:00:00Z\n", "no column"),
    ],
)
def test_placements_that_cannot_be_are_refused(write_dataset: Callable[..., Path], text: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        Dataset.open(placed(write_dataset, text))


def test_rows_of_spans_are_counted_without_those_that_name_nobody(
    write_dataset: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    times = [f"2026-03-02T00:0{minute}:00" for minute in (0, 2, 4, 1, 3, 5)]
    folder = write_dataset({"cpu": [1.0] * 6}, times=times, entities=["a", "a", "a", "b", None, "b"])
    monkeypatch.setattr("brownout.store.row_groups.AT_ONCE", 2)
    start = np.datetime64("2026-03-02T00:00", "ms")
    bounds = [(start + np.timedelta64(a, "m"), start + np.timedelta64(b, "m")) for a, b in ((0, 3), (2, 5), (3, 4))]
    assert Dataset.open(folder).rows_between(bounds) == [3, 2, 0]
    assert Dataset.open(folder).rows_between([]) == []
