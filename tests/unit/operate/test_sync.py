import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from brownout.domain.entities import Entity
from brownout.domain.errors import HistoryError
from brownout.domain.repairs import Repair, Repairs
from brownout.operate import sources
from brownout.operate.sources import DatasetSource, DatasetTables, Slice
from brownout.operate.sync import sync
from brownout.store.dataset import Dataset
from brownout.store.history import History, week_of
from brownout.store.shards import shards

Write = Callable[..., Path]


@pytest.fixture(autouse=True, params=["at once", "one entity at a time"])
def _some_at_a_time(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param != "at once":
        monkeypatch.setattr("brownout.operate.sources.CELLS", 1)


STEP = np.timedelta64(3_600_000, "ms")
START = np.datetime64(0, "ms")


def hourly(write: Write, hours: int, *, first: int = 0, header: str = 'name = "made"\ninterval_s = 3600\n') -> Dataset:
    times = np.datetime64("2026-03-04", "ms") + np.arange(first, hours) * STEP
    columns = {"m": [float(h) for h in range(first, hours)] * 2}
    stamps = [*times.astype(str)] * 2
    return Dataset.open(write(columns, times=stamps, entities=["a"] * len(times) + ["b"] * len(times), header=header))


def made(write: Write, hours: int, **options: Any) -> DatasetSource:
    return DatasetSource(hourly(write, hours, **options))


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "samples").glob("*.parquet"))}


def test_weeks_begin_on_monday() -> None:
    assert week_of(np.datetime64("2026-03-08T23:59", "ms")) == np.datetime64("2026-03-02", "ms")
    assert week_of(np.datetime64("2026-03-09T00:00", "ms")) == np.datetime64("2026-03-09", "ms")


def test_the_history_gives_the_same_panel_as_the_source(write_dataset: Write, tmp_path: Path) -> None:
    source = hourly(write_dataset, 400)
    result = sync(DatasetSource(source), tmp_path / "history")
    assert (result.slices, result.rows) == (3, 800)
    (expected,) = shards(source)
    (found,) = shards(History.open(tmp_path / "history"))
    np.testing.assert_array_equal(found.panel.values, expected.panel.values)
    assert found.panel.start == expected.panel.start
    assert found.panel.entities == expected.panel.entities


def test_a_second_sync_reads_only_the_open_week_and_changes_nothing(write_dataset: Write, tmp_path: Path) -> None:
    source = hourly(write_dataset, 400)
    sync(DatasetSource(source), tmp_path / "history")
    before = content(tmp_path / "history")
    assert sync(DatasetSource(source), tmp_path / "history").slices == 1
    assert content(tmp_path / "history") == before


def test_new_rows_are_added_and_late_ones_of_the_open_week_kept(write_dataset: Write, tmp_path: Path) -> None:
    sync(made(write_dataset, 200), tmp_path / "history")
    sync(made(write_dataset, 420), tmp_path / "history")
    (shard,) = shards(History.open(tmp_path / "history"))
    assert shard.panel.values[0, :, 0].tolist() == list(range(420))


def test_rows_that_the_source_has_dropped_stay_in_the_history(write_dataset: Write, tmp_path: Path) -> None:
    sync(made(write_dataset, 200), tmp_path / "history")
    sync(made(write_dataset, 230, first=190), tmp_path / "history")
    (shard,) = shards(History.open(tmp_path / "history"))
    assert shard.panel.values[1, :, 0].tolist() == list(range(230))


def test_rows_of_an_entity_that_the_source_has_dropped_stay_in_the_history(
    write_dataset: Write, tmp_path: Path
) -> None:
    sync(made(write_dataset, 10), tmp_path / "history")
    times = ["2026-03-04T08:00:00", "2026-03-04T09:00:00"]
    header = 'name = "made"\ninterval_s = 3600\n'
    later = Dataset.open(write_dataset({"m": [80, 90]}, times=times, entities=["b", "c"], header=header))
    sync(DatasetSource(later), tmp_path / "history")
    table = pq.read_table(tmp_path / "history" / "samples").to_pydict()
    found = {
        name: [value for entity, value in zip(table["entity"], table["m"], strict=True) if entity == name]
        for name in "abc"
    }
    assert found == {"a": list(range(8)), "b": [*range(8), 80], "c": [90]}


def test_a_kind_of_entity_has_its_own_columns_only(write_dataset: Write, tmp_path: Path) -> None:
    times, nan = [f"2026-03-04T0{hour}:00:00" for hour in range(3)] * 3, float("nan")
    columns = {"m": [1, 2, 3, nan, nan, nan, 7, 8, 9], "n": [nan, nan, nan, 4, 5, nan, nan, nan, nan]}
    folder = write_dataset(columns, times=times, entities=[*"aaabbbccc"], header="interval_s = 3600\n")
    (folder / "entities.csv").write_text("entity,kind\na,vm\nb,host\nc,vm\n")
    tables = list(DatasetTables(Dataset.open(folder), np.datetime64("2026-03-02"), np.datetime64("2026-03-09")))
    assert all(table.column_names == ["time", "entity", "n" if "b" in names(table) else "m"] for table in tables)
    assert sorted(name for table in tables for name in names(table)) == ["a", "b", "c"]
    sync(DatasetSource(Dataset.open(folder)), tmp_path / "history")
    found = {shard.panel.entities[0].kind: shard.panel for shard in shards(History.open(tmp_path / "history"))}
    assert found["vm"].values[:, :, 0].tolist() == [[1, 2, 3], [7, 8, 9]]
    assert found["host"].entity_ids == ("b",)


def names(table: pa.Table) -> list[str]:
    found: list[str] = pc.unique(table["entity"].cast(pa.string())).to_pylist()
    return found


def test_repairs_are_counted_once_however_often_it_is_synced(write_dataset: Write, tmp_path: Path) -> None:
    times = ["2026-03-02T00:00:00", "2026-03-02T00:00:00", "2026-03-12T00:00:00"]
    source = Dataset.open(write_dataset({"m": [1, 2, np.inf]}, times=times, entities=["a"] * 3))
    for _ in range(2):
        sync(DatasetSource(source), tmp_path / "history")
    history = History.open(tmp_path / "history")
    assert history.repairs().by_kind() == {Repair.DUPLICATE: 1, Repair.NON_FINITE: 1}
    assert history.repairs(since=np.datetime64("2026-03-10", "ms")).by_kind() == {Repair.NON_FINITE: 1}


def test_an_empty_source_leaves_an_empty_history(write_dataset: Write, tmp_path: Path) -> None:
    source = Dataset.open(write_dataset({"m": []}, times=[], entities=[]))
    assert sync(DatasetSource(source), tmp_path / "history").rows == 0
    assert History.open(tmp_path / "history").files == ()
    with pytest.raises(HistoryError, match="no samples"):
        History.open(tmp_path / "history").spans()


def test_another_source_is_refused(write_dataset: Write, tmp_path: Path) -> None:
    sync(made(write_dataset, 10), tmp_path / "history")
    with pytest.raises(HistoryError, match="'made', not from 'other'"):
        sync(made(write_dataset, 10, header='name = "other"\ninterval_s = 3600\n'), tmp_path / "history")


def test_two_syncs_exclude_each_other(write_dataset: Write, tmp_path: Path) -> None:
    source = hourly(write_dataset, 10)
    folder = tmp_path / "history"

    def second(_stage: str, _share: float) -> None:
        with pytest.raises(HistoryError, match="Another sync"):
            sync(DatasetSource(source), folder)

    assert sync(DatasetSource(source), folder, progress=second).rows == 20


def test_a_damaged_description_is_named(write_dataset: Write, tmp_path: Path) -> None:
    sync(made(write_dataset, 10), tmp_path / "history")
    (tmp_path / "history" / "history.json").write_text('{"format": 1')
    with pytest.raises(HistoryError, match="damaged"):
        History.open(tmp_path / "history")
    with pytest.raises(HistoryError, match="holds no history"):
        History.open(tmp_path / "nowhere")


@dataclass(frozen=True)
class Told(DatasetSource):
    """A source that has counted rows and repairs itself, as a database does."""

    def read(self, start: np.datetime64, end: np.datetime64, known: Sequence[Entity] = ()) -> Slice:
        found = super().read(start, end, known)
        return Slice(found.tables, (), Repairs({(Repair.COUNTER_RESET, "b"): 3}, 50))


def test_repairs_of_all_entities_and_of_the_source_itself_are_counted(write_dataset: Write, tmp_path: Path) -> None:
    times = ["2026-03-02T00:00:00", "2026-03-02T00:01:00"] * 2
    source = Dataset.open(write_dataset({"m": [1, np.inf, np.inf, 2]}, times=times, entities=[*"aabb"]))
    expected = {(Repair.NON_FINITE, "a"): 1, (Repair.NON_FINITE, "b"): 1, (Repair.COUNTER_RESET, "b"): 3}
    result = sync(Told(source), tmp_path / "history")
    assert result.rows == 4
    assert result.repairs == History.open(tmp_path / "history").repairs() == Repairs(expected, 50)


@dataclass(frozen=True)
class Clocked(DatasetSource):
    """A source that is read until a clock says now, as a database is."""

    now: np.datetime64 = START

    def range(self) -> tuple[np.datetime64, np.datetime64] | None:
        return self.now - np.timedelta64(60, "D"), self.now


def test_a_clock_that_was_years_ahead_neither_ends_sync_nor_deletes_the_history(
    write_dataset: Write, tmp_path: Path
) -> None:
    now = np.datetime64("2026-03-20", "ms")
    sync(Clocked(hourly(write_dataset, 200), now=now), tmp_path / "history")
    before = content(tmp_path / "history")
    ahead = np.datetime64("2031-01-01", "ms")
    sync(Clocked(hourly(write_dataset, 200), now=ahead), tmp_path / "history")
    assert content(tmp_path / "history") == before
    result = sync(Clocked(hourly(write_dataset, 300), now=now), tmp_path / "history")
    assert result.watermark == now
    (shard,) = shards(History.open(tmp_path / "history"))
    assert shard.panel.values.shape[1] == 300


KILLED = """
import sys, time
from pathlib import Path
from brownout.operate import sources as source
from brownout.store.dataset import Dataset
from brownout.operate.sources import DatasetSource
from brownout.operate.sync import sync

def slowly(stage, share):
    print(share, flush=True)
    time.sleep(0.2)

source.CELLS = int(sys.argv[3])
sync(DatasetSource(Dataset.open(Path(sys.argv[1]))), Path(sys.argv[2]), progress=slowly)
"""


@pytest.mark.parametrize("weeks_before", [0, 1, 2])
def test_killed_at_any_moment_the_next_sync_ends_in_the_same_bytes(
    write_dataset: Write, tmp_path: Path, weeks_before: int
) -> None:
    source = hourly(write_dataset, 600)
    sync(DatasetSource(source), tmp_path / "undisturbed")
    command = [sys.executable, "-c", KILLED, source.folder, tmp_path / "killed", str(sources.CELLS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(weeks_before):
        process.stdout.readline()
    time.sleep(0.05 * weeks_before)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    sync(DatasetSource(source), tmp_path / "killed")
    assert content(tmp_path / "killed") == content(tmp_path / "undisturbed")
    assert pq.read_table(tmp_path / "killed" / "samples").num_rows == 1200
