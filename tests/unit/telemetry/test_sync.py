import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from brownout.domain.errors import HistoryError
from brownout.domain.repairs import Repair
from brownout.telemetry.dataset import Dataset
from brownout.telemetry.grid import shards
from brownout.telemetry.history import History, week_of
from brownout.telemetry.source import DatasetSource
from brownout.telemetry.sync import sync

Write = Callable[..., Path]
STEP = np.timedelta64(3_600_000, "ms")


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


KILLED = """
import sys, time
from pathlib import Path
from brownout.telemetry.dataset import Dataset
from brownout.telemetry.source import DatasetSource
from brownout.telemetry.sync import sync

def slowly(stage, share):
    print(share, flush=True)
    time.sleep(0.2)

sync(DatasetSource(Dataset.open(Path(sys.argv[1]))), Path(sys.argv[2]), progress=slowly)
"""


@pytest.mark.parametrize("weeks_before", [0, 1, 2])
def test_killed_at_any_moment_the_next_sync_ends_in_the_same_bytes(
    write_dataset: Write, tmp_path: Path, weeks_before: int
) -> None:
    source = hourly(write_dataset, 600)
    sync(DatasetSource(source), tmp_path / "undisturbed")
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(source.folder), str(tmp_path / "killed")], stdout=subprocess.PIPE, text=True
    )
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
