"""Days made of a run of the lab: every sample a measured one, every fault where the truth says, the same for a seed."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lab.compose import APART_H, QUIET_DAYS, composed, rows_of
from lab.faults import FAULTS, HARMLESS, LEAD_S, schedule

SLOT_MS, START = 4000, 1_795_883_136_000
FAULT = (30, 37)
"""Slots of the one fault of the run."""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Sixty slots of two entities; the value of a slot is its number."""
    folder = tmp_path / "run"
    folder.mkdir()
    slots = np.arange(60)
    times = pa.array(np.tile(START + slots * SLOT_MS, 2)).cast(pa.timestamp("ms", "UTC"))
    values = pa.array(np.tile(slots, 2), pa.float32())
    entities = ["a"] * 60 + ["b"] * 60
    table = pa.table({"time": times, "entity": entities, "x": values, "host_uptime_h": values})
    pq.write_table(table, folder / "samples.parquet")
    (folder / "entities.csv").write_text("entity,kind,parent,group\na,host,,\nb,vm,a,\n")
    (folder / "dataset.toml").write_text('name = "run"\ninterval_s = 4\n')
    start, end = (np.datetime64(int(START + slot * SLOT_MS), "ms") for slot in FAULT)
    (folder / "injections.csv").write_text(f"fault,guest,entity,causes,start,end\nloss,b,l,NET-03|X,{start}Z,{end}Z\n")
    return folder


def test_samples_are_measured_ones_and_what_was_measured_together_stays_so(run: Path, tmp_path: Path) -> None:
    made = pq.read_table(composed(run, tmp_path / "made") / "samples.parquet").to_pandas()
    a, b = (made[made["entity"] == name].reset_index(drop=True) for name in "ab")
    assert (a["x"] == b["x"]).all()
    assert (a["time"].diff().dropna().dt.total_seconds() == 60).all()
    assert a["host_uptime_h"].diff().dropna().gt(0).all(), "an uptime that jumps is a restart"


def test_faults_lie_where_the_truth_says_and_nowhere_else(run: Path, tmp_path: Path) -> None:
    folder = composed(run, tmp_path / "made")
    made = pq.read_table(folder / "samples.parquet").to_pandas()
    (truth,) = rows_of(folder / "incidents.csv")
    assert (truth["entity"], truth["cause"]) == ("l", "NET-03")
    start, end = (np.datetime64(truth[key].removesuffix("Z")) for key in ("start", "end"))
    times = made["time"].dt.tz_localize(None).to_numpy()
    inside = made[(times >= start) & (times < end) & (made["entity"] == "a").to_numpy()]
    assert inside["x"].tolist() == list(range(*FAULT))
    outside = made[(times < start) | (times >= end + np.timedelta64(3, "m"))]
    assert not outside["x"].between(FAULT[0] - 1, FAULT[1] + 2).any()
    days = (start - times.min()) / np.timedelta64(1, "D")
    assert days == QUIET_DAYS
    assert (times.max() - end) / np.timedelta64(1, "h") == pytest.approx(APART_H, abs=0.1)


def test_a_seed_makes_the_same_days(run: Path, tmp_path: Path) -> None:
    first, again, other = (composed(run, tmp_path / f"{n}", seed=seed) for n, seed in enumerate((1, 1, 2)))
    tables = [pq.read_table(folder / "samples.parquet") for folder in (first, again, other)]
    assert tables[0].equals(tables[1])
    assert not tables[0].equals(tables[2])


def test_a_schedule_has_every_kind_before_any_comes_again_and_never_two_at_once() -> None:
    planned = schedule(1200, 11, ["vm1", "vm2"])
    assert planned == schedule(1200, 11, ["vm1", "vm2"])
    assert planned != schedule(1200, 12, ["vm1", "vm2"])
    kinds = [one.kind.name for one in planned]
    every = {kind.name for kind in (*FAULTS, *HARMLESS)}
    assert set(kinds[: len(every)]) == every
    assert planned[0].start_s == LEAD_S
    assert all(before.end_s < after.start_s for before, after in pairwise(planned))
    assert planned[-1].end_s <= 1200
