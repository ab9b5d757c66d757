"""A simulated fleet as a dataset folder."""

import csv
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from brownout.domain.entities import Topology
from brownout.domain.errors import DataError
from brownout.domain.metrics import Metric
from brownout.domain.panel import Panel
from brownout.domain.ports import Progress, no_progress
from brownout.domain.truth import Anomaly, Event, Incident
from brownout.numerics.slots import epoch_ms
from brownout.simulation.fleet import Fleet, Plan, stream
from brownout.simulation.fleet_settings import FleetSettings
from brownout.store.history import WEEK, week_of
from brownout.store.parquet import ROWS_A_GROUP, samples_writer

__all__ = ["stream_dataset", "write_dataset"]

Panels = Mapping[str, Panel]


def write_dataset(fleet: Fleet, folder: Path, *, name: str) -> None:
    """Write the folder whole or not at all; one that holds something already is refused."""
    _write(
        folder,
        name,
        _Facts(fleet.settings, fleet.topology, fleet.incidents, fleet.anomalies, fleet.events),
        [fleet.panels],
    )


def stream_dataset(plan: Plan, folder: Path, *, name: str, progress: Progress = no_progress) -> None:
    """Simulate a fleet into a folder, some hosts and days at a time: memory does not grow with either."""
    incidents, anomalies = plan.truth
    facts = _Facts(plan.settings, plan.topology, incidents, anomalies, plan.events)
    _write(folder, name, facts, _with_progress(stream(plan), plan.steps, progress))


def _with_progress(parts: Iterator[Panels], steps: int, progress: Progress) -> Iterator[Panels]:
    for number, part in enumerate(parts, 1):
        progress("simulate", number / steps)
        yield part


@dataclass(frozen=True)
class _Facts:
    """What a folder says beside the samples."""

    settings: FleetSettings
    topology: Topology
    incidents: tuple[Incident, ...]
    anomalies: tuple[Anomaly, ...]
    events: tuple[Event, ...]


def _write(folder: Path, name: str, facts: _Facts, parts: Iterable[Panels]) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder} is not empty.", remedy="Choose another folder, or remove this one.")
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    _write_samples(part, name, facts, parts)
    _write_entities(part / "entities.csv", facts.topology)
    _write_csv(
        part / "anomalies.csv",
        ("entity", "start", "end"),
        ((a.entity, _iso(a.start), _iso(a.end)) for a in facts.anomalies),
    )
    _write_csv(
        part / "incidents.csv",
        ("incident", "group", "start", "end", "entity", "cause", "onset"),
        (
            (i.id, i.group, _iso(i.start), _iso(i.end), i.entity, i.cause, "" if i.onset is None else _iso(i.onset))
            for i in facts.incidents
        ),
    )
    if facts.events:
        _write_background(part, facts)
    if folder.exists():
        folder.rmdir()
    part.replace(folder)


def _write_background(part: Path, facts: _Facts) -> None:
    """Where guests that moved were, and what was done that is no fault."""
    first = facts.settings.start
    _write_csv(
        part / "placements.csv",
        ("entity", "start", "parent"),
        (
            (entity.id, _iso(start), parent)
            for entity in facts.topology
            if entity.former
            for start, parent in zip(
                (first, *(until for until, _ in entity.former)),
                (*(parent for _, parent in entity.former), entity.parent),
                strict=True,
            )
        ),
    )
    _write_csv(
        part / "events.csv",
        ("event", "kind", "entity", "start", "end", "source", "target"),
        ((e.id, e.kind, e.entity, _iso(e.start), _iso(e.end), e.source, e.target) for e in facts.events),
    )


def _write_samples(part: Path, name: str, facts: _Facts, parts: Iterable[Panels]) -> None:
    """All parts have the same metrics, so the first one gives the schema."""
    writer: pq.ParquetWriter | None = None
    for panels in parts:
        if writer is None:
            metrics = {metric.name: metric for panel in panels.values() for metric in panel.metrics}
            (part / "dataset.toml").write_text(_header(facts.settings, name, metrics.values()), encoding="utf-8")
            schema = pa.schema(
                [("time", pa.timestamp("ms", "UTC")), ("entity", pa.dictionary(pa.int32(), pa.string()))]
                + [(metric, pa.float32()) for metric in metrics]
            )
            writer = samples_writer(part / "samples.parquet", schema)
        for panel in panels.values():
            for table in _tables(panel, writer.schema):
                writer.write_table(table)
    if writer is not None:
        writer.close()


def _header(settings: FleetSettings, name: str, metrics: Iterable[Metric]) -> str:
    lines = [
        f"name = {json.dumps(name)}",
        f"interval_s = {settings.interval_s}",
        f'source = "simulated by brownout, seed {settings.seed}"',
        'licence = "Apache-2.0"',
        'task = "diagnose"',
    ]
    for metric in metrics:
        lines += ["", f'[metrics."{metric.name}"]', f'role = "{metric.role}"', f'unit = "{metric.unit}"']
        if metric.capacity is not None:
            lines.append(f"capacity = {metric.capacity:g}")
    return "\n".join(lines) + "\n"


def _weeks(panel: Panel) -> Iterator[tuple[int, int]]:
    """First slot and the one after the last of each week from Monday, as a history is read and kept."""
    edges = np.arange(week_of(panel.start) + WEEK, panel.end, WEEK)
    bounds = [0, *(panel.slot(edge) for edge in edges), panel.values.shape[1]]
    yield from ((a, b) for a, b in pairwise(bounds) if b > a)


def _tables(panel: Panel, schema: pa.Schema) -> Iterator[pa.Table]:
    """A table, which becomes a row group, for some entities and one week: reading either skips the others."""
    for start, end in _weeks(panel):
        batch = max(ROWS_A_GROUP // (end - start), 1)
        for first in range(0, len(panel.entities), batch):
            yield _table(
                panel.select(entities=range(first, min(first + batch, len(panel.entities)))), start, end, schema
            )


def _table(panel: Panel, start: int, end: int, schema: pa.Schema) -> pa.Table:
    """Rows of the slots from start until before end with any value."""
    names, length = panel.entity_ids, end - start
    columns = np.ascontiguousarray(panel.values[:, start:end].reshape(len(names) * length, -1).T)
    present = np.isfinite(columns).any(axis=0)
    times = np.tile(epoch_ms(panel.times[start:end]), len(names))[present]
    owners = np.repeat(np.arange(len(names), dtype=np.int32), length)[present]
    measured = {metric.name: columns[column, present] for column, metric in enumerate(panel.metrics)}
    arrays = [pa.array(times, schema.field("time").type)]
    arrays.append(pa.DictionaryArray.from_arrays(pa.array(owners), pa.array(names)))
    for field in list(schema)[2:]:
        values = measured.get(field.name)
        arrays.append(pa.nulls(len(times), field.type) if values is None else pa.array(values, from_pandas=True))
    return pa.Table.from_arrays(arrays, schema=schema)


def _write_entities(path: Path, topology: Topology) -> None:
    labels = sorted({label for entity in topology for label in entity.labels})
    _write_csv(
        path,
        ("entity", "kind", "parent", "group", *labels),
        ((e.id, e.kind, e.parent, e.group, *(e.labels.get(label, "") for label in labels)) for e in topology),
    )


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _iso(time: np.datetime64) -> str:
    return f"{time.astype('datetime64[s]')}Z"
