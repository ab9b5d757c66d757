"""A sync killed between any two of its steps: the next one ends in the bytes of one that nobody disturbed."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from brownout.domain.repairs import Repair
from brownout.numerics.slots import days
from brownout.operate.late_rows import of_an_age
from brownout.operate.sources import DatasetSource
from brownout.operate.sync import sync
from brownout.store.dataset import Dataset
from brownout.store.history import HOURS, History
from brownout.store.retention import Keep

Write = Callable[..., Path]
START, HOUR = np.datetime64("2026-03-06T00:00", "ms"), np.timedelta64(3_600_000, "ms")
LATE = 5
"""Hours of entity b, from the first on, that arrive after their time was read."""


@dataclass(frozen=True)
class Live(DatasetSource):
    """A source that is read six hours at a time until a clock says now, and again at an age of 80 hours."""

    now: np.datetime64 = START
    slice_length: np.timedelta64 = HOURS

    def range(self) -> tuple[np.datetime64, np.datetime64] | None:
        return START, self.now

    def late(self, rows: Any, *, since: np.datetime64, before: np.datetime64) -> list[np.datetime64]:
        del rows
        return of_an_age([days(80 / 24)], self.slice_length, since=since, before=before)


def live(write: Write, name: str, hours: int, *, late: bool) -> Live:
    rows = [(entity, hour) for entity in "ab" for hour in range(hours) if late or entity == "a" or hour >= LATE]
    folder = write(
        {"m": [float("inf") if hour == 3 else float(hour) for _, hour in rows]},
        times=[str(START + hour * HOUR) for _, hour in rows],
        entities=[entity for entity, _ in rows],
        header='name = "made"\ninterval_s = 3600\n',
        name=name,
    )
    return Live(Dataset.open(folder), now=START + hours * HOUR)


def content(folder: Path) -> dict[str, bytes]:
    paths = [*sorted((folder / "samples").iterdir()), folder / "history.json"]
    return {path.name: path.read_bytes() for path in paths}


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Run in a process of its own that ends, as if killed, before its step of that number; whether it was killed."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    left = [step]
    for place, name in ((os, "fsync"), (Path, "replace"), (Path, "unlink"), (os, "link"), (pq.ParquetWriter, "close")):
        real = getattr(place, name)

        def counted(*arguments: Any, real: Any = real, **options: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                os._exit(9)
            return real(*arguments, **options)

        setattr(place, name, counted)
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


THIN = Keep(thin_after_days=0.1, thin_to_s=7200)


@pytest.mark.parametrize(
    ("before", "after", "keep"),
    [(60, 80, Keep()), (80, 90, Keep()), (80, 90, THIN)],
    ids=["a week is joined", "late rows join their week", "late rows join a thinned week"],
)
def test_killed_before_any_step_the_next_sync_ends_in_the_same_bytes(
    write_dataset: Write, tmp_path: Path, before: int, after: int, keep: Keep
) -> None:
    early, grown = live(write_dataset, "early", before, late=False), live(write_dataset, "grown", after, late=True)
    first = tmp_path / "first"
    sync(early, first, keep=keep)
    undisturbed = Path(shutil.copytree(first, tmp_path / "undisturbed"))
    sync(grown, undisturbed, keep=keep)
    expected = content(undisturbed)
    step = 0
    while True:
        folder = Path(shutil.copytree(first, tmp_path / f"killed{step}"))
        killed = killed_at(step, lambda folder=folder: sync(grown, folder, keep=keep))  # type: ignore[misc]
        if killed:
            sync(grown, folder, keep=keep)
        assert content(folder) == expected, f"killed before step {step}"
        shutil.rmtree(folder)
        if not killed:
            break
        step += 2
    assert step > 20


def test_rows_behind_the_watermark_are_found_added_once_and_counted(write_dataset: Write, tmp_path: Path) -> None:
    early, grown = live(write_dataset, "early", 80, late=False), live(write_dataset, "grown", 90, late=True)
    sync(early, tmp_path / "history")
    for _ in range(2):
        sync(grown, tmp_path / "history")
        history = History.open(tmp_path / "history")
        assert history.spans()["b"].first == START
        assert history.read(["b"]).num_rows == 90
        assert history.repairs().by_kind() == {Repair.NON_FINITE: 2, Repair.LATE: LATE}


def test_a_data_set_that_grew_in_the_past_is_counted_week_by_week(write_dataset: Write, tmp_path: Path) -> None:
    sources = [live(write_dataset, name, 500, late=late).dataset for name, late in (("early", False), ("grown", True))]
    sync(DatasetSource(sources[0]), tmp_path / "history")
    assert sync(DatasetSource(sources[0]), tmp_path / "history").slices == 1
    assert sync(DatasetSource(sources[1]), tmp_path / "history").slices == 2
    assert History.open(tmp_path / "history").read(["b"]).num_rows == 500
    assert sync(DatasetSource(sources[1]), tmp_path / "history").slices == 1


def test_each_slice_is_read_again_once_an_age() -> None:
    ages, hours = [days(1), days(7)], np.arange(0, 24 * 20, 5)
    again: list[np.datetime64] = []
    for since, before in zip(START + hours[:-1] * HOUR, START + hours[1:] * HOUR, strict=True):
        again += of_an_age(ages, HOURS, since=since, before=before)
    wanted = [start for start in again if start >= START]
    counts = {start: wanted.count(start) for start in wanted}
    assert set(counts.values()) == {1, 2}
    assert all(counts[start] == 2 for start in counts if start < START + days(12))


def test_rows_without_entity_or_time_and_far_away_are_counted_once(write_dataset: Write, tmp_path: Path) -> None:
    times = [str(START + hour * HOUR) for hour in range(300)]
    times[5], times[7] = None, "2036-01-01T00:00:00"  # type: ignore[call-overload]
    names: list[Any] = ["a"] * 300
    names[9] = None
    folder = write_dataset({"m": [1.0] * 300}, times=times, entities=names, header="interval_s = 3600\n")
    for _ in range(2):
        sync(DatasetSource(Dataset.open(folder)), tmp_path / "history")
        found = History.open(tmp_path / "history").repairs().by_kind()
        assert (found[Repair.NO_TIME], found[Repair.CLOCK_JUMP]) == (2, 1)
    assert isinstance(pq.read_table(tmp_path / "history" / "samples"), pa.Table)
