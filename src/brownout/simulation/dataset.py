"""A simulated fleet as a dataset folder."""

import csv
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from brownout.domain.errors import DataError
from brownout.domain.metrics import Metric
from brownout.domain.panel import Panel
from brownout.simulation.fleet import Fleet

__all__ = ["write_dataset"]


def write_dataset(fleet: Fleet, folder: Path, *, name: str) -> None:
    """Write the folder whole or not at all; one that holds something already is refused."""
    if folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder} is not empty.", remedy="Choose another folder, or remove this one.")
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    metrics = {metric.name: metric for panel in fleet.panels.values() for metric in panel.metrics}
    (part / "dataset.toml").write_text(_header(fleet, name, metrics.values()), encoding="utf-8")
    schema = pa.schema(
        [("time", pa.timestamp("ms", "UTC")), ("entity", pa.dictionary(pa.int32(), pa.string()))]
        + [(metric, pa.float32()) for metric in metrics]
    )
    with pq.ParquetWriter(part / "samples.parquet", schema, compression="zstd") as writer:
        for panel in fleet.panels.values():
            for table in _tables(panel, schema):
                writer.write_table(table)
    _write_entities(part / "entities.csv", fleet)
    _write_csv(
        part / "anomalies.csv",
        ("entity", "start", "end"),
        ((a.entity, _iso(a.start), _iso(a.end)) for a in fleet.anomalies),
    )
    _write_csv(
        part / "incidents.csv",
        ("incident", "group", "start", "end", "entity", "cause"),
        ((i.id, i.group, _iso(i.start), _iso(i.end), i.entity, i.cause) for i in fleet.incidents),
    )
    if folder.exists():
        folder.rmdir()
    part.replace(folder)


def _header(fleet: Fleet, name: str, metrics: Iterable[Metric]) -> str:
    lines = [
        f"name = {json.dumps(name)}",
        f"interval_s = {fleet.settings.interval_s}",
        f'source = "simulated by brownout, seed {fleet.settings.seed}"',
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


def _write_entities(path: Path, fleet: Fleet) -> None:
    labels = sorted({label for entity in fleet.topology for label in entity.labels})
    _write_csv(
        path,
        ("entity", "kind", "parent", "group", *labels),
        ((e.id, e.kind, e.parent, e.group, *(e.labels.get(label, "") for label in labels)) for e in fleet.topology),
    )


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _iso(time: np.datetime64) -> str:
    return f"{time.astype('datetime64[s]')}Z"
