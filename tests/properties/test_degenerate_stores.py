"""Cleaning, spans, shards and histories of samples that hold hardly anything: a result, or an error with a remedy."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from strict_warnings import warnings_are_errors

from brownout.domain.entities import Entity
from brownout.domain.errors import BrownoutError
from brownout.domain.metrics import Metric, MetricKind
from brownout.ingest.clean import clean
from brownout.ingest.raw import Raw
from brownout.ingest.slot_frame import RawFrame, held
from brownout.ingest.spans import merge_spans, spans_of
from brownout.store.dataset import Dataset
from brownout.store.history import (
    Description,
    History,
    file_of,
    samples_schema,
    week_of,
    write_description,
    write_samples,
)
from brownout.store.retention import Keep, maintain
from brownout.store.shards import plan_shards, shards

START = np.datetime64("2026-03-02", "ms")
METRICS = (Metric(name="m", lower=0, upper=100), Metric(name="c", kind=MetricKind.COUNTER))
Row = tuple[int | None, str | None, float | None, float | None]
"""Seconds after the start, entity, gauge, counter."""
SAMPLES: dict[str, list[Row]] = {
    "no rows": [],
    "one row": [(0, "a", 1.0, 1.0)],
    "two rows at one time": [(0, "a", 1.0, 1.0), (0, "a", 2.0, 2.0)],
    "no values": [(60 * k, "a", None, None) for k in range(5)],
    "no numbers": [(60 * k, "a", float("nan"), float("inf")) for k in range(5)],
    "no times": [(None, "a", 1.0, 1.0)] * 3,
    "no entities": [(60 * k, None, 1.0, 1.0) for k in range(3)],
    "all out of range": [(60 * k, "a", -5.0, float(-k)) for k in range(5)],
    "one metric of one entity": [(60 * k, "a", 1.0, None) for k in range(5)]
    + [(60 * k, "b", None, None) for k in range(5)],
    "every fifth slot": [(300 * k, "a", 1.0, float(k)) for k in range(9)],
    "a gap of two months": [(60 * k + 5_270_400 * (k // 5), "a", 1.0, 1.0) for k in range(10)],
    "a gap of fifty years": [(60 * k + 1_577_836_800 * (k // 5), "a", 1.0, 1.0) for k in range(10)],
}


@pytest.fixture(autouse=True)
def _warnings_are_errors() -> Iterator[None]:
    with warnings_are_errors():
        yield


@pytest.fixture(params=sorted(SAMPLES))
def rows(request: pytest.FixtureRequest) -> list[Row]:
    return SAMPLES[request.param]


def table_of(rows: list[Row]) -> pa.Table:
    times = [None if row[0] is None else (START + np.timedelta64(row[0], "s")).astype(object) for row in rows]
    return pa.table(
        {
            "time": pa.array(times, pa.timestamp("ms", "UTC")),
            "entity": pa.array([row[1] for row in rows], pa.string()).dictionary_encode(),
            "m": pa.array([row[2] for row in rows], pa.float64()),
            "c": pa.array([row[3] for row in rows], pa.float64()),
        }
    )


def test_every_row_is_kept_or_counted(rows: list[Row]) -> None:
    cleaned, repairs = clean(table_of(rows), ("a", "b"), METRICS)
    assert repairs.rows == len(rows)
    assert len(cleaned.times) + sum(repairs.by_kind().values()) >= len(rows)
    assert cleaned.to_table().num_rows == len(cleaned.times)
    assert len(cleaned.between(START, START).times) == 0


def test_spans_lie_within_the_samples(rows: list[Row]) -> None:
    for interval in (None, 60):
        spans = spans_of(table_of(rows), interval)
        assert set(spans) <= {row[1] for row in rows}
        for span in spans.values():
            assert START <= span.first <= span.last
            assert span.interval_s >= 1
        assert set(merge_spans([spans, {}, spans], interval)) == set(spans)


def test_a_dataset_gives_shards_or_says_what_is_wrong(rows: list[Row], write_dataset: Callable[..., Path]) -> None:
    times = [None if row[0] is None else str(START + np.timedelta64(row[0], "s")) for row in rows]
    columns = {"m": [row[2] for row in rows], "c": [row[3] for row in rows]}
    folder = write_dataset(columns, times=times, entities=[row[1] for row in rows])
    try:
        found = list(shards(Dataset.open(folder)))
    except BrownoutError as error:
        assert error.remedy  # noqa: PT017 - either way is right, and an error must say what to do
        return
    for shard in found:
        assert shard.panel.values.shape[0] == len(shard.panel.entities)
        assert np.isfinite(shard.panel.values).any(axis=(0, 1)).all()


def test_a_history_is_read_and_kept_up_or_says_what_is_wrong(rows: list[Row], tmp_path: Path) -> None:
    gauges = [Metric(name="m"), Metric(name="c")]
    known = [row for row in rows if row[0] is not None and row[1] is not None]
    table = table_of(sorted(known, key=lambda row: (str(row[1]), row[0])))
    entities = tuple(Entity(id=name) for name in ("a", "b"))
    watermark = START + np.timedelta64(400, "D")
    description = Description(source="s", interval_s=60, metrics=tuple(gauges), entities=entities, watermark=watermark)
    write_description(tmp_path, description)
    with pytest.raises(BrownoutError):
        History.open(tmp_path).spans()
    cleaned, repairs = clean(table, ("a", "b"), gauges)
    week = np.timedelta64(7, "D").astype("timedelta64[ms]")
    write_samples(file_of(tmp_path, week_of(START), week), samples_schema(gauges), [(cleaned.to_table(), repairs)])
    maintain(tmp_path, description, Keep(days=800.0, thin_after_days=1.0), closed=watermark)
    history = History.open(tmp_path)
    for plan in plan_shards(history):
        assert set(plan.entities) <= {"a", "b"}
    try:
        assert all(shard.panel.interval_s >= 60 for shard in shards(history))
    except BrownoutError as error:
        assert error.remedy  # noqa: PT017 - as above


def test_a_frame_without_rows_has_no_cells() -> None:
    nothing = Raw.empty(("x",))
    frame = RawFrame(
        fields={"x": nothing.values[:, 0]}, series=nothing.series, times=nothing.times, slots=nothing.times,
        owner=np.empty(0, np.int64), lookup=lambda _measurement, _field: np.empty(0),
        lookup_rate=lambda _measurement, _field: np.empty(0),
    )  # fmt: skip
    for how in ("mean", "sum", "peak", "pool"):
        assert len(frame.reduce(frame.field("x"), how).values) == 0
    assert len(frame.rate("x")) == len(frame.hourly("x")) == len(frame.field("nobody writes it")) == 0
    owners, slots, values = held(nothing.series, nothing.times, np.empty(0), reach=3, end=9)
    assert len(owners) == len(slots) == len(values) == 0
