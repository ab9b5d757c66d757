"""From minutes in the lab to days of a site: the quiet slots of a run repeated, its faults laid into them hours apart.

Every sample is one that was measured; what is made up is when. A slot of the lab stands for a minute, and all that was
measured in it stays together. How long something runs already is counted anew, since it would jump.
"""

import csv
import random
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["Run", "composed", "rows_of"]

MINUTE_MS = 60_000
QUIET_DAYS, APART_H = 2, 3
"""Days before the first fault, and hours from one to the next."""
BLOCK = 4
"""Quiet slots that follow each other in the run and in what is made of it."""
SETTLED = 3
"""Slots after a fault until the run counts as quiet again."""
RUNNING = ("host_uptime_h", "vm_uptime_h")

Index = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Run:
    """A data set of the lab: its samples, its slots, and the slots of each injection."""

    folder: Path
    table: pa.Table
    slots: Index
    injections: Sequence[tuple[Mapping[str, str], int, int]]

    @classmethod
    def read(cls, folder: Path) -> "Run":
        """Read a run."""
        table = pq.read_table(folder / "samples.parquet")
        times = np.unique(table["time"].cast(pa.int64()).to_numpy())
        spans = [
            (row, *(int(np.searchsorted(times, _ms(row[key]))) for key in ("start", "end")))
            for row in rows_of(folder / "injections.csv")
        ]
        return cls(folder, table, times, spans)

    @property
    def quiet(self) -> Index:
        """First slots of blocks in which nothing was injected."""
        busy = np.zeros(len(self.slots) + SETTLED, bool)
        for _, start, end in self.injections:
            busy[max(start - 1, 0) : end + SETTLED] = True
        calm = ~busy[: len(self.slots)]
        return np.array([n for n in range(len(calm) - BLOCK) if calm[n : n + BLOCK].all()], np.int64)


def composed(source: Path, target: Path, *, seed: int = 0) -> Path:
    """Write days of a site from a run of the lab, as a dataset folder with truth."""
    run = Run.read(source)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    chosen, placed = _timeline(run, random.Random(seed))
    first = int(run.slots[0]) // 86_400_000 * 86_400_000
    pq.write_table(_laid_out(run, chosen, first), target / "samples.parquet", compression="zstd")
    shutil.copy(source / "entities.csv", target / "entities.csv")
    head = (source / "dataset.toml").read_text().splitlines()
    head = ["interval_s = 60" if line.startswith("interval_s") else line for line in head]
    (target / "dataset.toml").write_text("\n".join(head) + "\n")
    moved = [
        {**row, "start": _iso(first + start * MINUTE_MS), "end": _iso(first + end * MINUTE_MS)}
        for row, start, end in placed
    ]
    _write(target / "injections.csv", moved, list(moved[0]))
    faults = [
        {**row, "incident": f"{n:03d}", "group": "", "cause": row["causes"].split("|")[0]}
        for n, row in enumerate(row for row in moved if row["causes"])
    ]
    _write(target / "incidents.csv", faults, ["incident", "group", "start", "end", "entity", "cause"])
    return target


def rows_of(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _timeline(run: Run, draw: random.Random) -> tuple[Index, list[tuple[Mapping[str, str], int, int]]]:
    """For each minute the slot that it is made of; and each injection with its minutes."""
    quiet = _calm(run.quiet, draw)
    chosen = [next(quiet) for _ in range(QUIET_DAYS * 1440)]
    placed = []
    for row, start, end in run.injections:
        begin = len(chosen)
        chosen += list(range(start, min(end + SETTLED, len(run.slots))))
        placed.append((row, begin, begin + end - start))
        chosen += [next(quiet) for _ in range(APART_H * 60)]
    return np.array(chosen, np.int64), placed


def _calm(starts: Index, draw: random.Random) -> Iterator[int]:
    while True:
        start = int(draw.choice(starts))
        yield from range(start, start + BLOCK)


def _laid_out(run: Run, chosen: Index, first: int) -> pa.Table:
    """Rows of the chosen slots, a minute each."""
    place = np.searchsorted(run.slots, run.table["time"].cast(pa.int64()).to_numpy())
    order = np.argsort(place, kind="stable")
    bounds = np.searchsorted(place[order], np.arange(len(run.slots) + 1))
    rows = np.concatenate([order[bounds[slot] : bounds[slot + 1]] for slot in chosen])
    minutes = np.repeat(np.arange(len(chosen)), bounds[chosen + 1] - bounds[chosen])
    table = run.table.take(pa.array(rows))
    times = pa.array(first + minutes * MINUTE_MS).cast(pa.timestamp("ms", "UTC"))
    table = table.set_column(table.schema.get_field_index("time"), "time", times)
    for name in set(RUNNING) & set(table.column_names):
        hours = np.where(table[name].is_valid().to_numpy(), 1000 + minutes / 60, np.nan)
        column = pa.array(hours, pa.float32(), from_pandas=True)
        table = table.set_column(table.schema.get_field_index(name), name, column)
    return table.sort_by([("entity", "ascending"), ("time", "ascending")])


def _write(path: Path, rows: Sequence[Mapping[str, str]], names: Sequence[str]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def _ms(text: str) -> int:
    return int(np.datetime64(text.removesuffix("Z"), "ms").astype(np.int64))


def _iso(ms: int) -> str:
    return f"{np.datetime64(ms, 'ms')}Z"
