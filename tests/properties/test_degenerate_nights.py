"""Whole nights of stores that hold hardly anything: report, state and points, or an error that says what to do."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from fakes import MemorySink, MemoryStore

from brownout.domain.errors import BrownoutError
from brownout.nightly.context import NightContext, NightModels
from brownout.nightly.effects.publish import Services, publish
from brownout.nightly.effects.side_effects import SideEffects
from brownout.nightly.effects.trained_models import load_models, train_detector, train_forecaster
from brownout.nightly.run import run
from brownout.settings import ForecastSettings, Settings
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.fleet_dataset import write_dataset
from brownout.store.dataset import Dataset
from brownout.store.workspace import Workspace

QUICK = Settings(
    forecast=ForecastSettings(
        train_steps=2, step_minutes=60, steps=12, context_days=1, outlook_context_days=3, outlook_step_minutes=720
    )
)
NOW = np.datetime64("2026-03-20T02:15", "ms")

pytestmark = pytest.mark.usefixtures("small_forests")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> MemoryStore:
    folder = tmp_path_factory.mktemp("fleet") / "small"
    write_dataset(simulate(FleetSettings(hosts=1, vms=2, days=4, interval_s=900, seed=5, faults=1)), folder, name="f")
    dataset = Dataset.open(folder)
    table = pa.concat_tables((dataset.read([name]) for name in dataset.spans()), promote_options="default")
    return MemoryStore(table, dataset.metrics, dataset.topology, 900)


def _trained(store: MemoryStore, workspace: Workspace) -> NightModels:
    context = NightContext.build(store, QUICK, created=NOW)
    train_forecaster(context, workspace)
    train_detector(context, workspace)
    return load_models(workspace)


@pytest.fixture(scope="module")
def models(whole: MemoryStore, tmp_path_factory: pytest.TempPathFactory) -> NightModels:
    return _trained(whole, Workspace(tmp_path_factory.mktemp("models")))


def _rows(store: MemoryStore, mask: pa.Array) -> MemoryStore:
    return MemoryStore(store.table.filter(mask), store.metrics, store.topology, 900)


def _slots(store: MemoryStore) -> np.ndarray:
    times = store.table["time"].to_numpy().astype("datetime64[s]").astype(np.int64)
    return (times - times.min()) // 900


def _blank(store: MemoryStore) -> MemoryStore:
    names = [metric.name for metric in store.metrics]
    columns = {name: pa.nulls(store.table.num_rows, pa.float32()) for name in names}
    kept = store.table.select(["time", "entity"])
    table = pa.table({**{name: kept[name] for name in kept.column_names}, **columns})
    return MemoryStore(table, store.metrics, store.topology, 900)


def _gap(store: MemoryStore) -> MemoryStore:
    """Two days, and two more a year later."""
    late = pa.array(_slots(store) >= 192)
    moved = pc.if_else(
        late, pc.add(store.table["time"], pa.scalar(365 * 86_400_000, pa.duration("ms"))), store.table["time"]
    )
    place = store.table.column_names.index("time")
    return MemoryStore(store.table.set_column(place, "time", moved), store.metrics, store.topology, 900)


STORES: dict[str, Callable[[MemoryStore], MemoryStore]] = {
    "empty": lambda store: _rows(store, pa.array(_slots(store) < 0)),
    "a single sample": lambda store: _rows(store, pa.array(np.arange(store.table.num_rows) == 0)),
    "one slot of all": lambda store: _rows(store, pa.array(_slots(store) == 200)),
    "sparse": lambda store: _rows(store, pa.array(_slots(store) % 17 == 0)),
    "one entity": lambda store: _rows(store, pc.equal(store.table["entity"].cast(pa.string()), "vm001")),
    "nothing measured": _blank,
    "a gap of a year": _gap,
}


@pytest.mark.parametrize("case", sorted(STORES))
@pytest.mark.parametrize("trained_on", ["a whole fleet", "the same"])
def test_a_night_ends_with_a_report_or_says_what_to_do(
    case: str, trained_on: str, whole: MemoryStore, models: NightModels, tmp_path: Path
) -> None:
    store, workspace, sink = STORES[case](whole), Workspace(tmp_path), MemorySink()
    try:
        context = NightContext.build(store, QUICK, created=NOW, keep_points=True)
        context = context.with_models(models if trained_on == "a whole fleet" else _trained(store, workspace))
        result = run(context)
    except BrownoutError as error:
        assert error.remedy  # noqa: PT017 - either way is right, and an error must say what to do
        assert case in {"empty", "a single sample", "one slot of all", "nothing measured"} or trained_on == "the same"
        return
    effects = SideEffects()
    page = publish(result, context, workspace, Services(open_sink=lambda: sink), effects)
    assert page.exists()
    assert workspace.episodes.exists()
    assert effects.failures == ()
