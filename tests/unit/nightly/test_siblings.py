"""Who lends its past to a newcomer: entities of its kind that were there a day before it, but not their maintenance."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from brownout.bootstrap import open_calendar
from brownout.detection.baseline.newcomers import newcomers_in
from brownout.domain.panel import Panel
from brownout.nightly.context import NightContext
from brownout.nightly.siblings import sibling_panel
from brownout.settings import load_settings
from brownout.store.dataset import Dataset
from brownout.store.shards import plan_shards, read_shard

START = np.datetime64("2026-03-02T00:00", "m")
HOURS = 24 * 4
BEGINS = {"kvm1": 0, "old1": 0, "old2": 12, "late": 60, "new": 72}


@pytest.fixture
def fleet(write_dataset: Callable[..., Path]) -> Dataset:
    """A host and its guests by the hour, each from when it begins."""
    rows = [(name, START + 60 * hour) for name, first in BEGINS.items() for hour in range(first, HOURS)]
    folder = write_dataset(
        {"cpu": [float(len(name)) for name, _ in rows]},
        times=[str(time) for _, time in rows],
        entities=[name for name, _ in rows],
        header='name = "made"\ninterval_s = 3600\n',
    )
    kinds = [f"{name},{'host' if name == 'kvm1' else 'vm'},{'' if name == 'kvm1' else 'kvm1'}\n" for name in BEGINS]
    (folder / "entities.csv").write_text("entity,kind,parent\n" + "".join(kinds))
    return Dataset.open(folder)


def context(fleet: Dataset, **settings: object) -> NightContext:
    loaded = load_settings(**settings)
    return NightContext.build(fleet, loaded, created=START, calendar=open_calendar(loaded))


def guests(fleet: Dataset) -> Panel:
    (plan,) = [plan for plan in plan_shards(fleet) if plan.kind == "vm"]
    return read_shard(fleet, plan).panel


def test_peers_are_of_the_kind_and_were_there_a_day_before(fleet: Dataset) -> None:
    panel = guests(fleet)
    row = panel.entity_ids.index("new")
    found = sibling_panel(context(fleet), panel, {row: newcomers_in(panel)[row]})
    assert set(found.entity_ids) == {"old1", "old2"}
    assert (found.start, found.end) == (panel.start, panel.start + 73 * panel.step)


def test_where_nobody_was_there_before_there_are_none(fleet: Dataset) -> None:
    panel = guests(fleet)
    assert sibling_panel(context(fleet), panel, {0: 12}).entities == ()
    assert sibling_panel(context(fleet), panel, {}).entities == ()


def test_what_peers_did_in_maintenance_is_not_lent(fleet: Dataset) -> None:
    window = {"name": "move", "entities": ["old1"], "start": "2026-03-03T00:00:00Z", "end": "2026-03-03T05:00:00Z"}
    panel = guests(fleet)
    row = panel.entity_ids.index("new")
    found = sibling_panel(context(fleet, maintenance=[window]), panel, {row: 72})
    values = found.values[found.entity_ids.index("old1"), :, 0]
    assert np.flatnonzero(np.isnan(values[:73])).tolist() == [24, 25, 26, 27, 28]
