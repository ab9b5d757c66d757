from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from brownout.domain.errors import DataError
from brownout.domain.repairs import Repair
from brownout.store.dataset import Dataset
from brownout.store.shards import plan_shards, read_shard, shards

Write = Callable[..., Path]


def minutes(*values: float) -> list[str]:
    return [str(np.datetime64("2026-03-02", "ms") + np.timedelta64(round(v * 60_000), "ms")) for v in values]


def test_gaps_stay_gaps_and_rows_of_one_slot_are_averaged(write_dataset: Write) -> None:
    folder = write_dataset({"m": [1, 2, 4, 8]}, times=minutes(0.2, 1.1, 1.9, 4), entities=["a"] * 4)
    (shard,) = shards(Dataset.open(folder))
    np.testing.assert_allclose(shard.panel.values[0, :, 0], [1, 3, np.nan, np.nan, 8])
    assert shard.panel.start == np.datetime64("2026-03-02", "ms")
    assert shard.repairs.by_kind() == {Repair.MERGED: 1}


def test_kinds_intervals_and_far_apart_spans_get_shards_of_their_own(write_dataset: Write) -> None:
    times = [*minutes(0, 1, 2), *minutes(0, 1, 2), *minutes(0, 5, 10), *minutes(9000, 9001, 9002)]
    names = [name for name in ("host1", "vm1", "slow", "late") for _ in range(3)]
    folder = write_dataset({"m": range(12)}, times=times, entities=names, header='name = "n"\n')
    (folder / "entities.csv").write_text("entity,kind\nhost1,host\nvm1,vm\nslow,vm\nlate,vm\n")
    plans = plan_shards(Dataset.open(folder))
    assert {(plan.entities, plan.kind, plan.interval_s) for plan in plans} == {
        (("host1",), "host", 60),
        (("vm1",), "vm", 60),
        (("late",), "vm", 60),
        (("slow",), "vm", 300),
    }


def test_shards_are_no_larger_than_asked(write_dataset: Write) -> None:
    names = [f"e{i}" for i in range(7)]
    folder = write_dataset({"m": range(7)}, times=minutes(*[0] * 7), entities=names)
    assert [len(plan.entities) for plan in plan_shards(Dataset.open(folder), size=3)] == [3, 3, 1]


def test_a_range_cuts_shards_and_leaves_out_the_silent(write_dataset: Write) -> None:
    folder = write_dataset({"m": range(6)}, times=minutes(0, 1, 2, 3, 4, 0), entities=["a"] * 5 + ["b"])
    start, end = np.datetime64("2026-03-02T00:02", "ms"), np.datetime64("2026-03-02T00:04", "ms")
    (shard,) = shards(Dataset.open(folder), start=start, end=end)
    assert shard.panel.entity_ids == ("a",)
    assert shard.panel.values[0, :, 0].tolist() == [2, 3]


def test_metrics_a_shard_never_measured_are_left_out(write_dataset: Write) -> None:
    folder = write_dataset({"m": [1, 2], "n": [None, None]}, times=minutes(0, 1), entities=["a", "a"])
    assert next(shards(Dataset.open(folder))).panel.metric_names == ("m",)


def test_a_clock_jump_is_dropped_and_counted(write_dataset: Write) -> None:
    times = [*minutes(*range(150)), "2099-01-01T00:00:00"]
    folder = write_dataset({"m": range(151)}, times=times, entities=["a"] * 151)
    (shard,) = shards(Dataset.open(folder))
    assert shard.panel.values.shape == (1, 150, 1)
    assert shard.repairs.by_kind() == {Repair.CLOCK_JUMP: 1}


def test_a_wrong_interval_is_refused_before_it_fills_the_memory(write_dataset: Write) -> None:
    times = [*minutes(0, 1), "2046-01-01T00:00:00", "2046-01-01T00:01:00"]
    folder = write_dataset({"m": range(4)}, times=times, entities=["a", "a", "b", "b"])
    (plan, _) = plan_shards(Dataset.open(folder))
    wide = type(plan)(
        entities=("a",), kind="entity", interval_s=1, start=plan.start, end=np.datetime64("2046-01-01", "ms")
    )
    with pytest.raises(DataError, match="slots an entity"):
        read_shard(Dataset.open(folder), wide)
