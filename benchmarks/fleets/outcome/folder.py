"""Write a fleet as a dataset folder with its truth, one entity at a time."""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from fleets.build import Fleet
from fleets.outcome.crossings import Limit
from fleets.outcome.truth import truth_of
from fleets.site.entities import Column, columns_of, kind_of

__all__ = ["write_folder"]

LOST = 0.002
"""Share of the samples that never arrive."""


def write_folder(fleet: Fleet, folder: Path, limits: Sequence[Limit]) -> dict[str, Any]:
    """Write the folder and return the truth that stands in it."""
    folder.mkdir(parents=True, exist_ok=True)
    truth = truth_of(fleet, limits)
    (folder / "truth.json").write_text(json.dumps(truth, indent=1), encoding="utf-8")
    _header(fleet, folder)
    _samples(fleet, folder)
    _entities(fleet, folder)
    _labels(fleet, folder, truth)
    return truth


def _header(fleet: Fleet, folder: Path) -> None:
    order = fleet.order
    lines = [
        f'name = "fleet-{order.mode}-{order.seed}"',
        f"interval_s = {order.interval_s}",
        'source = "simulated by benchmarks/fleets"',
        'licence = "Apache-2.0"',
        'task = "night"',
        *(f"\n[metrics.{name}]" for name in sorted(fleet.readings)),
    ]
    (folder / "dataset.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _columns(fleet: Fleet) -> Iterator[tuple[Column, slice]]:
    """All entities with the slots in which they have their name."""
    last = {
        guest: moves[-1][1] for guest, moves in fleet.done.moves.items() if moves and moves[-1][0] < fleet.axis.seen
    }
    labels = _labels_now(fleet)
    for column in columns_of(fleet.layout, last):
        whole = slice(0, fleet.axis.seen)
        if column.kind == "vm":
            column = replace(column, labels={**column.labels, **labels.get(column.row, {})})  # noqa: PLW2901
        if column.kind in ("vm", "console") and column.row in fleet.done.renamed:
            slot, name = fleet.done.renamed[column.row]
            old = fleet.layout.guests[column.row].name
            yield column, slice(0, slot)
            yield (
                replace(
                    column,
                    entity=column.entity.replace(old, name, 1),
                    parent=name if column.kind == "console" else column.parent,
                ),
                slice(slot, fleet.axis.seen),
            )
        else:
            yield column, whole


def _labels_now(fleet: Fleet) -> dict[int, dict[str, str]]:
    """Configuration of guests with a fault of configuration that goes on at the end."""
    return {p.guest: dict(p.kind.labels) for p in fleet.plans if p.end > fleet.axis.seen and p.guest >= 0}


def _samples(fleet: Fleet, folder: Path) -> None:
    metrics = sorted(fleet.readings)
    schema = pa.schema(
        [("time", pa.timestamp("ms", "UTC")), ("entity", pa.string()), *((name, pa.float32()) for name in metrics)]
    )
    rng = fleet.done and np.random.default_rng([fleet.order.seed, 99])
    with pq.ParquetWriter(folder / "samples.parquet", schema, compression="zstd", compression_level=1) as writer:
        for column, named in _columns(fleet):
            times, kept = _times(fleet, column, named, rng)
            if not len(kept):
                continue
            arrays = [
                pa.array(fleet.readings[name][column.row, kept], from_pandas=True)
                if kind_of(name) == column.kind
                else pa.nulls(len(kept), pa.float32())
                for name in metrics
            ]
            entity = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(kept), np.int32)), [column.entity]).cast(
                pa.string()
            )
            writer.write_table(
                pa.Table.from_arrays([pa.array(times, pa.timestamp("ms", "UTC")), entity, *arrays], schema=schema)
            )


def _times(
    fleet: Fleet, column: Column, named: slice, rng: np.random.Generator
) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.int64]]:
    """Times and slots of an entity's samples, in order of time: without what is lost, with what a wrong clock did."""
    axis, done = fleet.axis, fleet.done
    there = np.zeros(axis.seen, bool)
    there[named] = True
    for owner, row, when in done.absent:
        if (owner, row) == column.owner or (owner == "console" and column.owner[0] == "probe"):
            there[when] = False
    there &= rng.random(axis.seen) >= LOST
    if column.kind in ("vm", "console") or column.kind == "host":
        there &= ~_late(fleet, column, rng)
    slots = np.flatnonzero(there)
    seconds = rng.uniform(0, 0.5 * axis.interval_s) + rng.uniform(0, 0.15 * axis.interval_s, len(slots))
    late = np.zeros(len(slots))
    for wrong in done.wrong:
        if _stamped_by(fleet, column, wrong.host, wrong.when.start):
            late[(slots >= wrong.when.start) & (slots < wrong.when.stop)] = wrong.late_s
    after = np.round(1000 * (slots * float(axis.interval_s) + seconds + late)).astype("timedelta64[ms]")
    times = axis.start + after
    order = np.argsort(times, kind="stable")
    return times[order], slots[order]


def _late(fleet: Fleet, column: Column, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Samples of guests that come too late because their QEMU did not answer the collector."""
    draws = rng.random(fleet.axis.seen)
    if column.kind != "vm":
        return np.zeros(fleet.axis.seen, bool)
    waiting = np.nan_to_num(fleet.readings["console_mainloop_ms"][column.row, : fleet.axis.seen])
    return np.asarray((waiting > 300) & (draws < 0.3))


def _stamped_by(fleet: Fleet, column: Column, host: int, slot: int) -> bool:
    """Whether the agent on a host stamps an entity's samples; the probe stamps those of consoles and links."""
    if column.kind in ("console", "link"):
        return False
    if column.kind == "vm":
        return fleet.done.host_at(fleet.layout, column.row, slot) == host
    return column.row == host


def _entities(fleet: Fleet, folder: Path) -> None:
    columns = [column for column, named in _columns(fleet) if named.stop > named.start]
    labels = sorted({name for column in columns for name in column.labels})
    header = ["entity", "kind", "parent", "group", "site", *labels]
    _write(
        folder / "entities.csv",
        header,
        ([c.entity, c.kind, c.parent, "", c.site, *(c.labels.get(name, "") for name in labels)] for c in columns),
    )
    rows = []
    for guest, moves in sorted(fleet.done.moves.items()):
        at = [(0, int(fleet.layout.home[guest])), *moves]
        names = [c.entity for c in columns if c.kind == "vm" and c.row == guest]
        rows += [
            [name, _text(fleet, slot), fleet.layout.hosts[host].name]
            for name in names
            for slot, host in at
            if slot < fleet.axis.seen
        ]
    if rows:
        _write(folder / "placements.csv", ["entity", "start", "parent"], rows)


def _labels(fleet: Fleet, folder: Path, truth: dict[str, Any]) -> None:
    faults = truth["faults"]
    _write(
        folder / "incidents.csv",
        ["incident", "group", "start", "end", "entity", "cause"],
        ([f["id"], "", f["start"], f["end"], f["entity"], f["cause"]] for f in faults),
    )
    spans = {(shown["entity"], f["start"], f["end"]) for f in faults for shown in f["shows"] if shown["shift"] >= 3}
    spans |= {(f["entity"], f["start"], f["end"]) for f in faults}
    _write(folder / "anomalies.csv", ["entity", "start", "end"], sorted(spans))
    events = [e for e in fleet.done.events if e.kind in ("migration", "maintenance") and e.start < fleet.axis.seen]
    _write(
        folder / "events.csv",
        ["event", "kind", "entity", "start", "end", "source", "target"],
        (
            [f"e{n:02d}", e.kind, e.entity, _text(fleet, e.start), _text(fleet, e.end), e.source, e.target]
            for n, e in enumerate(events, start=1)
        ),
    )


def _text(fleet: Fleet, slot: int) -> str:
    return f"{np.datetime_as_string(fleet.axis.time(slot), unit='s')}Z"


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
