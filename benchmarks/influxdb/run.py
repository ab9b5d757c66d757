"""Reading from InfluxDB beside its own clients, and the history as a notebook reads it.

Needs ``influxd`` (apt install influxdb) and what ``requirements.txt`` beside this file lists. Every case runs in a
process of its own, so that its peak memory is its own. Prints a Markdown table. ``run.py 2x`` reads recorded answers of
InfluxDB 2.x only, without a server.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "integration")]

from influx import PASSWORD, Influx, influxd  # noqa: E402
from scripted import Answer, scripted  # noqa: E402

from brownout.adapters.influx.flux import FluxDatabase  # noqa: E402
from brownout.adapters.influx.http import Connection  # noqa: E402
from brownout.adapters.influx.influxql import InfluxQlDatabase  # noqa: E402
from brownout.domain.entities import Entity  # noqa: E402
from brownout.domain.metrics import Metric  # noqa: E402
from brownout.domain.repairs import Repairs  # noqa: E402
from brownout.ingest.line_protocol import Points, batches  # noqa: E402
from brownout.ingest.raw import Request  # noqa: E402
from brownout.store.history import (  # noqa: E402
    HOURS,
    WEEK,
    Description,
    History,
    file_of,
    samples_schema,
    write_description,
    write_samples,
)

HOSTS, TIMES = 100, 20_000
START = np.datetime64("2026-01-05", "ms")
MINUTE = np.timedelta64(60_000, "ms")
ASKED = Request(measurement="cpu", fields=("usage_idle", "usage_iowait"), start=START, end=START + TIMES * MINUTE)
GUESTS, WEEKS, SLOTS = 1_000, 52, 2_016
METRICS = ("vm_cpu_pct", "vm_ready_pct", "vm_memory_usable_pct", "vm_disk_await_ms")
CSV_ROWS = 1_000_000


def fill(server: Influx) -> None:
    """Two million points of a hundred hosts."""
    generator = np.random.default_rng(0)
    database = server.database("bench")
    for host in range(HOSTS):
        values = {name: generator.uniform(0, 100, TIMES).round(3) for name in ASKED.fields}
        points = Points(
            measurement="cpu",
            tags=[{"host": f"kvm{host:03}", "cpu": "cpu-total"}],
            series=np.zeros(TIMES, np.int64),
            times=START.astype(np.int64) + np.arange(TIMES) * 60_000,
            fields=values,
        )
        database.write(batches(points))


def ours_1x(url: str) -> int:
    """Our reader on ``/query``."""
    database = InfluxQlDatabase(Connection(url=url), database="bench", user="admin", password=PASSWORD)
    return len(database.read(ASKED))


def slices_1x(url: str) -> int:
    """The same in slices of six hours, as sync reads: memory does not grow with the range."""
    database = InfluxQlDatabase(Connection(url=url), database="bench", user="admin", password=PASSWORD)
    starts = np.arange(ASKED.start, ASKED.end, HOURS)
    return sum(len(database.read(replace(ASKED, start=start, end=min(start + HOURS, ASKED.end)))) for start in starts)


def peer_1x(url: str) -> int:
    """The ``influxdb`` package's DataFrameClient (5.3.2 cannot read chunks)."""
    from influxdb import DataFrameClient  # noqa: PLC0415

    client = DataFrameClient("127.0.0.1", int(url.rsplit(":", 1)[1]), "admin", PASSWORD, "bench")
    frames = client.query('SELECT "usage_idle", "usage_iowait" FROM "cpu" GROUP BY *')
    return sum(len(frame) for frame in frames.values())


def annotated() -> bytes:
    """A long answer of InfluxDB 2.x with the eleven columns that it sends of itself, ten series."""
    head = (
        "#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string,string,string,string\r\n"
        "#group,false,false,true,true,false,false,true,true,true,true\r\n"
        "#default,_result,,,,,,,,,\r\n"
        ",result,table,_start,_stop,_time,_value,_field,_measurement,cpu,host\r\n"
    )
    length = CSV_ROWS // 10
    times = np.datetime_as_string(START + np.arange(length) * MINUTE, unit="s")
    values = np.random.default_rng(0).uniform(0, 100, length).round(4)
    rows = [
        f",,{series},2026-01-01T00:00:00Z,2026-04-01T00:00:00Z,{moment}Z,{value},usage_idle,cpu,cpu-total,kvm{series}\r\n"
        for series in range(10)
        for moment, value in zip(times, values, strict=True)
    ]
    return (head + "".join(rows) + "\r\n").encode()


def ours_2x(url: str) -> int:
    """Our reader of annotated CSV."""
    database = FluxDatabase(Connection(url=url), bucket="b", org="o", token="t")  # noqa: S106 - of no server
    return len(database.read(Request(measurement="cpu", fields=("usage_idle",), start=START, end=START + WEEK)))


def peer_2x(url: str) -> int:
    """influxdb-client's ``query_data_frame``."""
    from influxdb_client import InfluxDBClient  # noqa: PLC0415

    client = InfluxDBClient(url=url, token="t", org="o", timeout=600_000)  # noqa: S106 - of no server
    return len(client.query_api().query_data_frame('from(bucket: "b")'))


def write_year(folder: Path) -> None:
    """A year at five minutes of a thousand guests."""
    generator = np.random.default_rng(0)
    names = [f"vm{number:04}" for number in range(GUESTS)]
    metrics = [Metric.from_table(name, {"kind": "gauge"}) for name in METRICS]
    codes = pa.DictionaryArray.from_arrays(
        pa.array(np.repeat(np.arange(GUESTS, dtype=np.int32), SLOTS)), pa.array(names)
    )
    for number in range(WEEKS):
        week = START + number * WEEK
        times = np.tile((week + np.arange(SLOTS) * 5 * MINUTE).astype(np.int64), GUESTS)
        columns = [generator.uniform(0, 100, len(times)).astype(np.float32).round(1) for _ in METRICS]
        stamps = pa.array(times).cast(pa.timestamp("ms", "UTC"))
        table = pa.table([stamps, codes, *(pa.array(column) for column in columns)], names=["time", "entity", *METRICS])
        write_samples(file_of(folder, week, WEEK), samples_schema(metrics), [table], Repairs())
    entities = tuple(Entity(id=name, kind="vm") for name in names)
    end = START + WEEKS * WEEK
    write_description(
        folder, Description(source="bench", interval_s=300, metrics=tuple(metrics), entities=entities, watermark=end)
    )


def year_pyarrow(folder: str) -> int:
    """A guest's year of one metric."""
    samples = pads.dataset(f"{folder}/samples")
    return int(samples.to_table(columns=["time", METRICS[0]], filter=pads.field("entity") == "vm0512").num_rows)


def year_duckdb(folder: str) -> int:
    """The same in SQL."""
    import duckdb  # noqa: PLC0415

    query = f"SELECT time, {METRICS[0]} FROM '{folder}/samples/*.parquet' WHERE entity = 'vm0512'"
    return len(duckdb.sql(query).fetchnumpy()["time"])


def year_history(folder: str) -> int:
    """All metrics of that guest's year through ``History.read``."""
    return int(History.open(Path(folder)).read(["vm0512"]).num_rows)


def day_of_all(folder: str) -> int:
    """A day of all guests through ``History.read``."""
    history = History.open(Path(folder))
    day = START + 20 * WEEK
    return int(history.read([entity.id for entity in history.topology], start=day, end=day + 1440 * MINUTE).num_rows)


CASES: dict[str, Callable[[str], int]] = {
    case.__name__: case
    for case in (ours_1x, slices_1x, peer_1x, ours_2x, peer_2x, year_pyarrow, year_duckdb, year_history, day_of_all)
}


def measured(name: str, where: str) -> tuple[int, float, float, float]:
    """Rows, seconds, seconds of processor and peak MB of a case in a process of its own."""
    done = subprocess.run([sys.executable, __file__, name, where], capture_output=True, text=True, check=True)
    rows, seconds, busy, peak = json.loads(done.stdout)
    return rows, seconds, busy, peak


def peak_mb() -> float:
    """Peak memory of this program; getrusage would also count what the parent held when it started us."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found.group(1)) / 1000 if found else float("nan")


def show(name: str, where: str, repeat: int = 3) -> tuple[float, float]:
    """One line of the table: the best of a few runs by processor time; its seconds and seconds of processor."""
    runs = [measured(name, where) for _ in range(repeat)]
    rows, seconds, busy, peak = min(runs, key=lambda run: run[2])
    what = (CASES[name].__doc__ or "").strip().removesuffix(".")
    print(f"| {what} | {rows:,} | {seconds:.2f} | {rows / seconds:,.0f} | {busy:.2f} | {peak:,.0f} |", flush=True)
    return seconds, busy


def main(*, only_2x: bool = False) -> None:
    """Run everything, or the readers of 2.x only."""
    print("| case | rows | s | rows/s | processor s | peak MB |\n|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        with scripted() as script:
            body = annotated()
            script.answers = [Answer(body)] * 8
            ours, peer = show("ours_2x", script.url, 5), show("peer_2x", script.url)
        print(
            f"\nOn the same bytes `query_data_frame` takes {peer[1] / ours[1]:.1f} times our processor time, "
            f"{peer[0] / ours[0]:.1f} times our time.\n",
            flush=True,
        )
        if only_2x:
            return
        with influxd(folder) as server:
            fill(server)
            show("ours_1x", server.url)
            show("slices_1x", server.url)
            show("peer_1x", server.url, 1)
        write_year(folder / "year")
        size = sum(path.stat().st_size for path in (folder / "year" / "samples").iterdir())
        for name in ("year_pyarrow", "year_duckdb", "year_history", "day_of_all"):
            show(name, str(folder / "year"))
        print(f"\nThe year of {GUESTS:,} guests and {len(METRICS)} metrics is {size / 1e9:.1f} GB of Parquet.")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        begin, worked = time.perf_counter(), time.process_time()
        count = CASES[sys.argv[1]](sys.argv[2])
        elapsed, worked = time.perf_counter() - begin, time.process_time() - worked
        print(json.dumps([count, elapsed, worked, peak_mb()]))
    else:
        main(only_2x=sys.argv[1:] == ["2x"])
