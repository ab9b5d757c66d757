"""Panels that are kept are those that would be read, also where rows come late, or something new is measured."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from brownout.domain.entities import Entity
from brownout.domain.metrics import Metric
from brownout.domain.ports import SampleStore
from brownout.domain.repairs import Repairs
from brownout.nightly.passes import kept_panels
from brownout.nightly.passes.kept_panels import KeptPanels
from brownout.store.history import (
    HOURS,
    Description,
    History,
    file_of,
    samples_schema,
    write_description,
    write_samples,
)
from brownout.store.shards import Shard, ShardPlan, plan_shards, read_shard

START = np.datetime64("2026-03-02", "ms")
STEP_S = 300
SLOTS = 72
"""Slots of a file of six hours."""
METRICS = tuple(Metric(name=name) for name in ("load", "wait"))
ENTITIES = (Entity(id="a", kind="vm"), Entity(id="b", kind="vm"))


def wrote(folder: Path, values: np.ndarray, last: np.ndarray | None = None) -> History:
    """A history of values ``[entity, slot, metric]``; files whose rows are those of the last time stay as they are."""
    for number in range(-(-values.shape[1] // SLOTS)):
        first = number * SLOTS
        times = START + (first + np.arange(min(values.shape[1] - first, SLOTS))) * np.timedelta64(STEP_S, "s")
        part = values[:, first : first + SLOTS]
        columns = {
            metric.name: pa.array(part[..., k].ravel(), pa.float32(), from_pandas=True)
            for k, metric in enumerate(METRICS)
        }
        keys = {
            "time": pa.array(np.tile(times, 2), pa.timestamp("ms", "UTC")),
            "entity": pa.array(np.repeat(["a", "b"], len(times))).dictionary_encode(),
        }
        earlier = None if last is None else last[:, first : first + SLOTS]
        if earlier is None or not np.array_equal(earlier, part, equal_nan=True):
            table = pa.table({**keys, **columns})
            write_samples(file_of(folder, times[0], HOURS), samples_schema(METRICS), [(table, Repairs())])
    write_description(folder, Description(source="made", interval_s=STEP_S, metrics=METRICS, entities=ENTITIES))
    return History.open(folder)


def test_passes_read_what_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(50, 5, (2, 3 * SLOTS, 2)).astype(np.float32)
    values[rng.random(values.shape) < 0.1] = np.nan
    values[..., 0] = np.nan_to_num(values[..., 0])  # each slot has a row
    read: list[np.datetime64] = []

    def counted(store: SampleStore, plan: ShardPlan) -> Shard:
        read.append(plan.start)
        return read_shard(store, plan)

    monkeypatch.setattr(kept_panels, "read_shard", counted)
    kept, hour = KeptPanels(), np.timedelta64(3_600_000, "ms")
    late = values.copy()
    late[1, 5, 1] = 7.0
    before: np.ndarray | None = None
    for now, slots in ((values, 150), (values, 151), (values, 160), (late, 161), (late, 3 * SLOTS)):
        store = wrote(tmp_path, now[:, :slots], before)
        before = now[:, :slots]
        (plan,) = plan_shards(store)
        kept.renew(store)
        found, expected = kept.read(store, plan).panel, read_shard(store, plan).panel
        assert (found.start, found.entity_ids, found.metric_names) == (expected.start, ("a", "b"), ("load", "wait"))
        np.testing.assert_array_equal(found.values, expected.values)
    # A file of six hours is read again with the rows that came into it; one that is old, with all that follows.
    assert [start == START for start in read] == [True, False, False, True, False]
    assert read[1] <= START + 150 * np.timedelta64(STEP_S, "s") - hour


def test_what_no_pass_needs_any_more_goes(tmp_path: Path) -> None:
    store = wrote(tmp_path, np.ones((2, 20, 2), np.float32))
    kept = KeptPanels()
    (plan,) = plan_shards(store)
    kept.read(store, plan)
    kept.renew(store)
    kept.renew(store)
    assert not kept.shards
