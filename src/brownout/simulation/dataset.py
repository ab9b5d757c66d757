"""A simulated fleet as a dataset folder."""

import csv
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from brownout.domain.entities import Topology
from brownout.domain.errors import DataError
from brownout.domain.metrics import Metric
from brownout.domain.panel import Panel
from brownout.domain.ports import Progress, no_progress
from brownout.domain.truth import Anomaly, Incident
from brownout.simulation.fleet import PART, Fleet, Plan, stream
from brownout.simulation.settings import FleetSettings

__all__ = ["stream_dataset", "write_dataset"]

Panels = Mapping[str, Panel]


def write_dataset(fleet: Fleet, folder: Path, *, name: str) -> None:
    """Write the folder whole or not at all; one that holds something already is refused."""
    _write(folder, name, _Facts(fleet.settings, fleet.topology, fleet.incidents, fleet.anomalies), [fleet.panels])


def stream_dataset(plan: Plan, folder: Path, *, name: str, progress: Progress = no_progress) -> None:
    """Simulate a fleet into a folder, some hosts at a time: memory does not grow with the fleet."""
    incidents, anomalies = plan.truth
    facts = _Facts(plan.settings, plan.topology, incidents, anomalies)
    _write(folder, name, facts, _told(stream(plan), len(plan.layout.cores), progress))


def _told(parts: Iterator[Panels], hosts: int, progress: Progress) -> Iterator[Panels]:
    for number, part in enumerate(parts, 1):
        progress("simulate", min(number * PART / hosts, 1.0))
        yield part


@dataclass(frozen=True)
class _Facts:
    """What a folder says beside the samples."""

    settings: FleetSettings
    topology: Topology
    incidents: tuple[Incident, ...]
    anomalies: tuple[Anomaly, ...]


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
        ("incident", "group", "start", "end", "entity", "cause"),
        ((i.id, i.group, _iso(i.start), _iso(i.end), i.entity, i.cause) for i in facts.incidents),
    )
    if folder.exists():
        folder.rmdir()
    part.replace(folder)


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
            writer = pq.ParquetWriter(part / "samples.parquet", schema, compression="zstd")
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


def _tables(panel: Panel, schema: pa.Schema) -> Iterator[pa.Table]:
    """One table an entity: a row group each, so that reading one entity skips the others."""
    millis = panel.times.astype("datetime64[ms]").astype(np.int64)
    for row, entity in enumerate(panel.entities):
        block = panel.values[row]
        kept = np.isfinite(block).any(axis=1)
        count = int(kept.sum())
        columns = {metric.name: block[kept, place] for place, metric in enumerate(panel.metrics)}
        arrays = [pa.array(millis[kept], schema.field("time").type)]
        arrays.append(pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([entity.id])))
        for field in list(schema)[2:]:
            values = columns.get(field.name)
            arrays.append(pa.nulls(count, field.type) if values is None else pa.array(values, from_pandas=True))
        yield pa.Table.from_arrays(arrays, schema=schema)


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
