"""From the lab's InfluxDB to a dataset folder: canonical samples, entities, truth, every probe of a console."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from brownout.adapters.influx.connect import connect
from brownout.ingest.canonical import Canonical, Canonicaliser
from brownout.ingest.mapping import TelegrafMapping
from brownout.settings import InfluxSettings
from lab.faults import Injection

__all__ = ["DATABASE", "INTERVAL_S", "URL", "Truth", "create", "post", "write_folder"]

URL, DATABASE = "http://127.0.0.1:8086", "lab"
INTERVAL_S = 4
"""Seconds of a slot: two rounds of probe and agent."""
LABELS = ("console_agent",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """An injection with the times at which it was really there, in seconds since the epoch."""

    injection: Injection
    start: float
    end: float


def create() -> None:
    """Make the database."""
    httpx.post(f"{URL}/query", data={"q": f'CREATE DATABASE "{DATABASE}"'}).raise_for_status()


def post(lines: Sequence[str]) -> None:
    """Write lines whose times are nanoseconds."""
    httpx.post(f"{URL}/write", params={"db": DATABASE}, content="\n".join(lines)).raise_for_status()


def write_folder(folder: Path, truths: Sequence[Truth], start: float, end: float, *, seed: int) -> None:
    """Write the data set of a run."""
    database = connect(InfluxSettings(url=URL, database=DATABASE))
    mapping = TelegrafMapping.load()
    found = Canonicaliser(database, mapping, INTERVAL_S).read(_slot(start), _slot(end), database.schemas())
    folder.mkdir(parents=True, exist_ok=True)
    metrics = _samples(found, folder / "samples.parquet")
    kept = {name: mapping.catalogue.metrics[name].unit for name in metrics if name in mapping.catalogue.metrics}
    head = [
        f'name = "{folder.name}"',
        f"interval_s = {INTERVAL_S}",
        f'source = "brownout lab, seed {seed}: QEMU 7.2 (TCG), libvirt 9.0, Debian 12"',
        'licence = "CC-BY-4.0"',
        'task = "diagnose"',
        *(f"\n[metrics.{name}]\nunit = {json.dumps(unit)}" for name, unit in kept.items()),
    ]
    (folder / "dataset.toml").write_text("\n".join(head) + "\n")
    _entities(found, folder / "entities.csv")
    _truth(truths, folder)
    _stages(folder / "console_probe.csv")


def _slot(seconds: float) -> np.datetime64:
    return np.datetime64(int(seconds) // INTERVAL_S * INTERVAL_S * 1000, "ms")


def _samples(found: Canonical, path: Path) -> list[str]:
    """All kinds of entities in one table; returns its metrics."""
    metrics = sorted({name for table in found.tables for name in table.column_names} - {"time", "entity"})
    parts = []
    for table in found.tables:
        columns = {
            name: table[name].cast(pa.float32()) if name in table.column_names else pa.nulls(len(table), pa.float32())
            for name in metrics
        }
        entity = table["entity"].cast(pa.string())
        parts.append(pa.table({"time": table["time"].cast(pa.timestamp("ms", "UTC")), "entity": entity, **columns}))
    whole = pa.concat_tables(parts).sort_by([("entity", "ascending"), ("time", "ascending")])
    pq.write_table(whole, path, compression="zstd")
    return metrics


def _entities(found: Canonical, path: Path) -> None:
    labels = sorted({label for entity in found.entities for label in entity.labels if label not in LABELS})
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["entity", "kind", "parent", "group", *labels])
        for entity in sorted(found.entities, key=lambda one: one.id):
            own = [entity.labels.get(label, "") for label in labels]
            writer.writerow([entity.id, entity.kind, entity.parent, "", *own])


def _truth(truths: Sequence[Truth], folder: Path) -> None:
    faults = [truth for truth in truths if truth.injection.kind.cause]
    rows = [
        [f"{number:03d}", "", _iso(t.start), _iso(t.end), _blamed(t), t.injection.kind.cause[0]]
        for number, t in enumerate(faults)
    ]
    _table(folder / "incidents.csv", ["incident", "group", "start", "end", "entity", "cause"], rows)
    injected = [
        [
            t.injection.kind.name,
            t.injection.guest,
            _blamed(t),
            "|".join(t.injection.kind.cause),
            _iso(t.start),
            _iso(t.end),
        ]
        for t in truths
    ]
    _table(folder / "injections.csv", ["fault", "guest", "entity", "causes", "start", "end"], injected)


def _stages(path: Path) -> None:
    """Every probe of every console: what the simulator is held against."""
    fields = ("tcp_connect_ms", "banner_ms", "negotiate_ms", "handshake_ms", "update_latency_ms", "update_bytes")
    chosen = ", ".join(f'"{name}"' for name in ("domain_name", "protocol", "mode", "result", *fields))
    query = f'SELECT {chosen} FROM "console_probe"'  # noqa: S608 - names of our own
    answer = httpx.get(f"{URL}/query", params={"db": DATABASE, "q": query, "epoch": "ms"}, timeout=60).json()
    series = answer["results"][0].get("series", [])
    rows = [[value if value is not None else "" for value in row] for one in series for row in one["values"]]
    _table(path, ["time_ms", "guest", "protocol", "mode", "result", *fields], rows)


def _blamed(truth: Truth) -> str:
    return truth.injection.kind.entity.format(guest=truth.injection.guest)


def _table(path: Path, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
