"""Never silent: whatever was repaired, at sync or when read, is counted in report.json, on the page and in the text."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from nights import night

from brownout.bootstrap import open_job
from brownout.domain.metrics import Catalogue
from brownout.domain.repairs import Repair, Repairs
from brownout.nightly.night_span import NightSpan
from brownout.operate.sources import DatasetSource
from brownout.operate.sync import sync
from brownout.reporting import report_of
from brownout.reporting.document import report_json
from brownout.reporting.render import render_html, render_markdown
from brownout.settings import Settings, load_settings
from brownout.store.dataset import Dataset
from brownout.store.history import History
from brownout.store.integrity import set_aside

Write = Callable[..., Path]
START, STEP, HOURS = np.datetime64("2026-10-21T00:00", "ms"), np.timedelta64(600_000, "ms"), 24 * 8
HEADER = """name = "made"
interval_s = 600
[metrics.host_cpu_busy_pct]
[metrics.bytes]
kind = "counter"
"""


@pytest.mark.parametrize("kind", list(Repair))
def test_every_kind_of_repair_reaches_every_form_of_the_report(kind: Repair) -> None:
    made = night()
    repairs = Repairs({(kind, "kvm1"): 1234, (kind, "kvm2"): 1})
    report = report_of(replace(made, quality=replace(made.quality, repairs=repairs)))
    (told,) = json.loads(report_json(report))["quality"]["repairs"]
    assert (told["kind"], told["rows"], told["by_entity"]) == (kind.name, 1235, {"kvm1": 1234, "kvm2": 1})
    assert "1,235" in render_markdown(report)
    assert "<b>1,235</b>" in render_html(report)
    assert kind.value[:20] in render_html(report)


def rows(*, late: bool) -> dict[str, list[Any]]:
    """Three hosts by the ten minutes with everything wrong that a data set can have."""
    table: dict[str, list[Any]] = {"time": [], "entity": [], "host_cpu_busy_pct": [], "bytes": []}

    def add(time: np.datetime64 | None, entity: str | None, busy: float, total: float) -> None:
        for name, value in zip(table, (time, entity, busy, total), strict=True):
            table[name].append(value)

    for host in ("kvm1", "kvm2", "kvm3"):
        for slot in range(HOURS * 6):
            time = START + slot * STEP
            if not late and host == "kvm3" and slot < 9:
                continue
            wrong = {40: float("inf"), 41: -1.0, 42: 65535.0}.get(slot, 30.0 + slot % 9) if host == "kvm1" else 40.0
            add(time, host, wrong, 1000.0 * (slot % 500))
            if host == "kvm2" and slot in {50, 51}:
                add(time + np.timedelta64(7, "s"), host, 41.0, 1000.0 * slot + 1)
            if host == "kvm1" and slot == 31:
                add(time - STEP, host, 33.0, 30_000.0)
    add(None, "kvm1", 33.0, 0.0)
    add(START, None, 33.0, 0.0)
    add(np.datetime64("2037-01-01", "ms"), "kvm2", 33.0, 0.0)
    return table


def dataset(write: Write, name: str, *, late: bool) -> Dataset:
    table = rows(late=late)
    times, names = (table.pop(column) for column in ("time", "entity"))
    folder = write(
        table, times=[None if time is None else str(time) for time in times], entities=names, header=HEADER, name=name
    )
    return Dataset.open(folder)


def test_what_sync_and_reading_repair_stands_in_the_report_of_the_night(write_dataset: Write, tmp_path: Path) -> None:
    early, whole = (dataset(write_dataset, name, late=late) for name, late in (("early", False), ("made", True)))
    quick = {"train_steps": 2, "step_minutes": 60, "steps": 6, "context_days": 1, "outlook_days": 1}
    job = open_job(load_settings(dataset=whole.folder, forecast=quick, detect={"window_days": 7}), tmp_path / "out")
    sync(DatasetSource(early), job.workspace.history)
    job.sync()
    job.train()
    job.run()
    told = json.loads((job.workspace.report / "report.json").read_text())["quality"]["repairs"]
    counts = {repair["kind"]: repair["rows"] for repair in told}
    assert counts == {
        "DUPLICATE": 1, "UNORDERED": 1, "NON_FINITE": 1, "OUT_OF_RANGE": 2, "COUNTER_RESET": 6, "MERGED": 2,
        "NO_TIME": 2, "CLOCK_JUMP": 1,
    }  # fmt: skip
    for form in ("index.html", "report.md"):
        text = (job.workspace.report / form).read_text()
        assert all(Repair[kind].value[:12] in text for kind in counts), form


def test_a_damaged_file_is_told_and_ends_no_night(write_dataset: Write, tmp_path: Path) -> None:
    whole = dataset(write_dataset, "made", late=True)
    sync(DatasetSource(whole), tmp_path)
    first, *_ = sorted((tmp_path / "samples").iterdir())
    first.write_bytes(first.read_bytes()[:-50])
    assert History.open(tmp_path).repairs().counts[Repair.DAMAGED, first.name] == 1
    set_aside(first)
    assert History.open(tmp_path).repairs().counts[Repair.DAMAGED, first.name] == 1


@pytest.mark.parametrize("ordered", [True, False])
def test_an_hour_that_comes_twice_in_times_without_a_zone_is_named_as_that(
    write_dataset: Write,
    tmp_path: Path,
    ordered: bool,  # noqa: FBT001 - a parameter
) -> None:
    before = np.datetime64("2026-10-24T00:00", "ms") + np.arange(27 * 12 + 12) * np.timedelta64(300_000, "ms")
    local = before.copy()
    local[27 * 12 :] -= np.timedelta64(3_600_000, "ms")  # 02:00 to 02:55 on Sunday 25 October once more
    local = np.append(local, local[-1] + np.timedelta64(300_000, "ms") * np.arange(1, 200))
    local = np.sort(local) if ordered else local
    folder = write_dataset({"m": [1.0]}, times=["2026-10-24"], entities=["a"], header="interval_s = 300\n")
    times = pa.array(local, pa.timestamp("ms"))
    table = pa.table({"time": times, "entity": ["a"] * len(local), "m": pa.array(np.ones(len(local)), pa.float32())})
    pq.write_table(table, folder / "samples.parquet")
    sync(DatasetSource(Dataset.open(folder)), tmp_path / "history")
    found = History.open(tmp_path / "history").repairs().by_kind()
    assert found[Repair.TWICE] == 12
    assert Repair.DUPLICATE not in found


def test_points_from_the_future_move_no_night_and_delete_no_history(write_dataset: Write, tmp_path: Path) -> None:
    times = [*(str(START + slot * STEP) for slot in range(300))] * 12 + [str(START + np.timedelta64(45, "D"))]
    names = [f"e{number}" for number in range(12) for _ in range(300)] + ["e3"]
    source = Dataset.open(write_dataset({"m": [1.0] * len(names)}, times=times, entities=names))
    for _ in range(2):
        sync(DatasetSource(source), tmp_path)
    history = History.open(tmp_path)
    assert history.read([f"e{number}" for number in range(12)]).num_rows == len(names)
    span = NightSpan.of(history, Settings())
    assert span.end == START + 299 * STEP + np.timedelta64(1, "ms")
    assert span.ahead == {"e3": 1}


def test_one_host_that_goes_on_where_all_others_stopped_is_not_ahead(write_dataset: Write) -> None:
    lengths = {f"e{number}": 300 for number in range(20)} | {"e3": 900}
    times = [str(START + slot * STEP) for name, length in lengths.items() for slot in range(length)]
    names = [name for name, length in lengths.items() for _ in range(length)]
    source = Dataset.open(
        write_dataset({"m": [1.0] * len(names)}, times=times, entities=names, header="interval_s = 600\n")
    )
    span = NightSpan.of(source, Settings())
    assert (span.end, span.ahead) == (START + 899 * STEP + np.timedelta64(1, "ms"), {})


@pytest.mark.parametrize("metric", Catalogue.load().metrics.values(), ids=lambda metric: metric.name)
def test_every_metric_has_bounds_that_sentinels_lie_beyond(metric: Any) -> None:
    assert np.isfinite([metric.lower, metric.upper]).all()
    assert metric.lower > -1 or metric.lower < -100
    for sentinel in (2.0**32 - 1, 2.0**63, 2.0**64, -(2.0**63)):
        assert not metric.lower <= sentinel <= metric.upper or metric.name == "host_clock_offset_ms"
