"""A challenger that runs beside the champion: it waits so many nights, is judged by what came, and tells nobody."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from fakes import MemoryStore

from brownout.evaluation.review_rules import Better, Over, ReviewRule
from brownout.nightly.context import NightContext
from brownout.nightly.effects.champion_history import Outcome, read_decisions
from brownout.nightly.effects.champions import challenger_of, record_of
from brownout.nightly.effects.review.shadow_runs import read_shadow, shadow_challenger
from brownout.nightly.effects.trained_models import train_forecaster
from brownout.settings import load_settings
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.fleet_dataset import write_dataset
from brownout.store.as_of import StoreAsOf
from brownout.store.dataset import Dataset
from brownout.store.workspace import Workspace

DAY = np.timedelta64(1, "D")

pytestmark = pytest.mark.usefixtures("quick_training")


def rule(limit: float) -> ReviewRule:
    return ReviewRule(
        id="paired", title="Loss beside the champion's", model="forecaster", score="vs_champion_low", over=Over.ALL,
        better=Better.LOWER, tolerance=0.0, limit=limit,
    )  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> MemoryStore:
    folder = tmp_path_factory.mktemp("fleet") / "small"
    write_dataset(simulate(FleetSettings(hosts=1, vms=3, days=8, interval_s=1800, seed=5)), folder, name="small")
    dataset = Dataset.open(folder)
    return MemoryStore(pq.read_table(folder / "samples.parquet"), dataset.metrics, dataset.topology, 1800)


def context_of(store: MemoryStore, day: int, limit: float) -> NightContext:
    first = min(span.first for span in store.spans().values())
    forecast = {"train_steps": 5, "step_minutes": 60, "steps": 24, "context_days": 2}
    settings = load_settings(forecast=forecast, review={"shadow_nights": 2})
    made = NightContext.build(StoreAsOf(store, first + day * DAY), settings, created=first + day * DAY)
    return replace(made, review=(rule(limit),))


@pytest.fixture(scope="module")
def waiting(store: MemoryStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A champion of day 5 and a challenger of day 6, which passes and yet waits."""
    workspace = Workspace(tmp_path_factory.mktemp("out"))
    train_forecaster(context_of(store, 5, 99.0), workspace)
    train_forecaster(context_of(store, 6, 99.0), workspace)
    assert record_of(challenger_of(workspace.forecaster)) is not None
    return workspace.out


@pytest.mark.parametrize(("limit", "taken"), [(99.0, True), (0.01, False)])
def test_it_waits_for_its_nights_and_is_judged_by_them(
    store: MemoryStore, waiting: Path, tmp_path: Path, limit: float, *, taken: bool
) -> None:
    workspace, notes = Workspace(Path(shutil.copytree(waiting, tmp_path / "out"))), list[str]()
    new, old = record_of(challenger_of(workspace.forecaster)), record_of(workspace.forecaster)
    assert new is not None
    assert old is not None
    shadow_challenger(context_of(store, 6, limit), workspace, notes.append)
    assert notes == []  # it has learned from that day
    shadow_challenger(context_of(store, 7, limit), workspace, notes.append)
    shadow_challenger(context_of(store, 7, limit), workspace, notes.append)  # the same night again counts once
    assert notes[-1].endswith("in 1 of 2 nights")
    (night,) = read_shadow(workspace.forecaster, new, old)
    assert {series.count > 0 for series in night.series} >= {True}
    shadow_challenger(context_of(store, 8, limit), workspace, notes.append)
    assert notes[-1].endswith("in 2 of 2 nights")
    outcomes = [decision.outcome for decision in read_decisions(workspace.forecaster)]
    assert outcomes == [Outcome.FIRST, *([Outcome.PASSED] if taken else [])]
    place = workspace.forecaster if taken else challenger_of(workspace.forecaster)
    assert record_of(place) == new
    assert "Beside the champion in 2 nights" in (place / "card.html").read_text()
    assert {path.name for path in workspace.out.iterdir()} == {"models"}  # nothing is told anywhere
