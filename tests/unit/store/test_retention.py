"""Upkeep of the history: compaction, thinning, retention."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from brownout.domain.entities import Entity
from brownout.domain.metrics import Metric
from brownout.domain.repairs import Repair, Repairs
from brownout.store.history import HOURS, WEEK, Description, History, file_of, write_description, write_samples
from brownout.store.retention import Keep, maintain

MONDAY = np.datetime64("2026-03-02", "ms")
MINUTE = np.timedelta64(60_000, "ms")
METRICS = (Metric(name="m"), Metric(name="n"))


def slice_table(start: np.datetime64, rows: int = 360) -> pa.Table:
    times = np.tile(start + np.arange(rows) * MINUTE, 2)
    values = (times.astype(np.int64) // 60_000 % 1000).astype(np.float32)
    return pa.table(
        {
            "time": pa.array(times.astype(np.int64), pa.timestamp("ms", "UTC")),
            "entity": pa.array(["a"] * rows + ["b"] * rows).dictionary_encode(),
            "m": pa.array(values),
            "n": pa.array(np.where(values % 3 == 0, np.nan, values).astype(np.float32), from_pandas=True),
        }
    )


@pytest.fixture
def history(tmp_path: Path) -> tuple[Path, Description]:
    """Nine days in files of six hours."""
    description = Description(
        source="s", interval_s=60, metrics=METRICS, entities=(Entity(id="a"), Entity(id="b")),
        watermark=MONDAY + 36 * HOURS,
    )  # fmt: skip
    for number in range(36):
        start = MONDAY + number * HOURS
        table = slice_table(start)
        write_samples(
            file_of(tmp_path, start, HOURS), table.schema, [(table, Repairs({(Repair.DUPLICATE, "a"): 1}, 720))]
        )
    write_description(tmp_path, description)
    return tmp_path, description


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "samples").iterdir())


def rows(folder: Path) -> pa.Table:
    table = History.open(folder).read(("a", "b"))
    named = table.set_column(1, "entity", table["entity"].cast(pa.string()))
    return named.sort_by([("entity", "ascending"), ("time", "ascending")]).combine_chunks()


@pytest.mark.parametrize("at_a_time", [1, 2**22])
def test_a_closed_week_becomes_one_file_with_the_same_rows_and_repairs(
    history: tuple[Path, Description], at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brownout.store.retention.CELLS", at_a_time)
    folder, description = history
    before, spans = rows(folder), History.open(folder).spans()
    maintain(folder, description, Keep(), closed=MONDAY + 34 * HOURS)
    assert names(folder) == [
        "2026-03-02.parquet",
        *(f"2026-03-{d:02}T{h:02}.parquet" for d in (9, 10) for h in (0, 6, 12, 18)),
    ]
    assert rows(folder).equals(before)
    assert History.open(folder).spans() == spans
    assert History.open(folder).repairs() == Repairs({(Repair.DUPLICATE, "a"): 36}, 36 * 720)
    kept = (folder / "samples" / "2026-03-02.parquet").read_bytes()
    maintain(folder, description, Keep(), closed=MONDAY + 34 * HOURS)
    assert (folder / "samples" / "2026-03-02.parquet").read_bytes() == kept


def test_hours_that_a_kill_left_beside_their_week_are_not_read_twice(history: tuple[Path, Description]) -> None:
    folder, description = history
    before = rows(folder)
    hours = (folder / "samples" / "2026-03-02T00.parquet").read_bytes()
    maintain(folder, description, Keep(), closed=MONDAY + 34 * HOURS)
    (folder / "samples" / "2026-03-02T00.parquet").write_bytes(hours)
    assert rows(folder).num_rows == before.num_rows
    maintain(folder, description, Keep(), closed=MONDAY + 34 * HOURS)
    assert "2026-03-02T00.parquet" not in names(folder)


def test_an_open_week_is_left_alone(history: tuple[Path, Description]) -> None:
    folder, description = history
    before = names(folder)
    maintain(folder, description, Keep(), closed=MONDAY + 27 * HOURS)
    assert names(folder) == before


def test_old_weeks_keep_means_over_five_minutes_once(history: tuple[Path, Description]) -> None:
    folder, description = history
    before = History.open(folder).read(("a",), end=MONDAY + WEEK)
    keep = Keep(thin_after_days=1, thin_to_s=300)
    for _ in range(2):
        maintain(folder, description, keep, closed=MONDAY + 34 * HOURS)
        thin = History.open(folder).read(("a",), end=MONDAY + WEEK)
        assert thin.num_rows == before.num_rows // 5
        for metric in ("m", "n"):
            slots = before[metric].to_numpy().reshape(-1, 5)
            np.testing.assert_allclose(thin[metric].to_numpy(), np.nanmean(slots, axis=1), rtol=1e-6)
    assert thin["time"][1].as_py() - thin["time"][0].as_py() == np.timedelta64(300, "s").astype(object)


def test_very_old_weeks_go(history: tuple[Path, Description]) -> None:
    folder, description = history
    maintain(folder, description, Keep(days=1, thin_after_days=1), closed=MONDAY + 34 * HOURS)
    assert not [name for name in names(folder) if name < "2026-03-09"]
    assert len(names(folder)) == 8
