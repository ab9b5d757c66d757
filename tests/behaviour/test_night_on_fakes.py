"""A whole night in memory: what it reads, what it makes, and what it tells whom, in which order."""

import ast
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from fakes import MemorySink, MemoryStore, MemoryTracker

from brownout.detection.alert_state import AlertState
from brownout.domain.errors import DatabaseError
from brownout.nightly.context import NightContext
from brownout.nightly.effects.alert_state_file import read_alert_state
from brownout.nightly.effects.model_log import log_models
from brownout.nightly.effects.model_records import read_record, write_record
from brownout.nightly.effects.publish import LOGGING, Services, publish
from brownout.nightly.effects.side_effects import Retry, SideEffects
from brownout.nightly.effects.trained_models import load_models, train_detector, train_forecaster
from brownout.nightly.run import NightResult, run
from brownout.settings import load_settings
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.fleet_dataset import write_dataset
from brownout.store.as_of import StoreAsOf
from brownout.store.dataset import Dataset
from brownout.store.workspace import Workspace

NOW = np.datetime64("2026-03-20T02:15", "ms")

pytestmark = pytest.mark.usefixtures("small_forests")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> MemoryStore:
    folder = tmp_path_factory.mktemp("fleet") / "small"
    made = simulate(FleetSettings(hosts=1, vms=3, days=7, interval_s=300, seed=5, faults=1, only_causes=("CONT-04",)))
    write_dataset(made, folder, name="small")
    dataset = Dataset.open(folder)
    return MemoryStore(pq.read_table(folder / "samples.parquet"), dataset.metrics, dataset.topology)


@pytest.fixture(scope="module")
def night(store: MemoryStore, tmp_path_factory: pytest.TempPathFactory) -> tuple[NightResult, NightContext, Workspace]:
    workspace = Workspace(tmp_path_factory.mktemp("out"))
    settings = load_settings(forecast={"train_steps": 20})
    context = NightContext.build(store, settings, created=NOW, keep_points=True)
    train_forecaster(context, workspace)
    train_detector(context, workspace)
    context = context.with_models(load_models(workspace))
    return run(context), context, workspace


def test_its_effects_come_in_order_and_the_next_night_knows_it(
    night: tuple[NightResult, NightContext, Workspace],
) -> None:
    result, context, workspace = night
    sink, tracker, effects = MemorySink(), MemoryTracker(), SideEffects()
    page = publish(result, context, workspace, Services(open_sink=lambda: sink, open_tracker=lambda: tracker), effects)
    assert page.exists()
    assert [outcome.effect for outcome in effects.outcomes[:2]] == ["write back", LOGGING]
    assert effects.exit_code == 0
    assert {points.measurement for points in sink.points} >= {"brownout_forecast", "brownout_anomaly"}
    assert [name for name, _ in tracker.runs] == ["brownout-forecaster", "brownout-detector"]
    assert "models:/brownout-forecaster/1" in (workspace.report / "report.json").read_text()
    known = {episode.id for episode in read_alert_state(workspace).known}
    assert known == {episode.id for episode in AlertState.after(result.night).known}


def test_whatever_fails_beside_it_the_report_and_the_state_are_there(
    night: tuple[NightResult, NightContext, Workspace], tmp_path: Path
) -> None:
    result, context, _ = night

    def away() -> MemorySink:
        raise DatabaseError("The database does not answer.", remedy="Start it.")

    workspace, effects = Workspace(tmp_path), SideEffects(retry=Retry(attempts=1))
    page = publish(result, context, workspace, Services(open_sink=away), effects)
    assert page.exists()
    assert workspace.episodes.exists()
    assert effects.exit_code == 1
    assert any("Start it." in line for line in effects.lines())


def test_the_map_of_the_caller_does_all_the_work_and_its_order_does_not_matter(
    night: tuple[NightResult, NightContext, Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In two threads, none of which parses Python source: on 3.11 that ends one night in nine (CPython 106905)."""
    result, context, _ = night
    stages, parsed, parse = [], list[object](), ast.parse
    monkeypatch.setattr(ast, "parse", lambda *given, **options: parsed.append(given) or parse(*given, **options))

    def backwards(stage, work, items, progress):  # noqa: ANN001, ANN202 - the types of Map
        del progress
        stages.append((stage, len(items)))
        with ThreadPoolExecutor(2) as threads:
            return list(threads.map(work, reversed(items)))[::-1]

    other = run(context, map=backwards)
    assert parsed == []
    assert [stage for stage, _ in stages] == ["watch", "investigate"]
    assert stages[0][1] == len(result.shards)
    assert (other.night.episodes, other.night.breaches) == (result.night.episodes, result.night.breaches)
    assert other.night.diagnoses == result.night.diagnoses


def test_a_store_as_of_a_time_shows_nothing_from_then_on(store: MemoryStore) -> None:
    then = np.datetime64("2026-03-05T06:00", "ms")
    seen = StoreAsOf(store, then)
    assert max(span.last for span in seen.spans().values()) < then
    names = list(seen.spans())
    assert seen.read(names)["time"].to_numpy().max() < then
    assert seen.read(names, end=NOW).num_rows == store.read(names, end=then).num_rows


def test_a_second_training_takes_the_place_only_where_it_is_not_worse(
    night: tuple[NightResult, NightContext, Workspace], tmp_path: Path
) -> None:
    _, context, first = night
    workspace = Workspace(Path(shutil.copytree(first.out, tmp_path / "out")))
    known = read_record(workspace.detector)
    quiet = dict.fromkeys(known.scores, -1.0)  # a champion that no detector can be as good as
    write_record(workspace.detector, replace(known, scores=quiet))
    assert train_detector(context, workspace).scores == quiet
    assert train_detector(context, workspace, only_if_due=True).scores == quiet
    models, tracker, notes = load_models(workspace), MemoryTracker(), list[str]()
    assert models.records[1].scores == quiet
    log_models(workspace, tracker, notes.append)
    assert {"brownout-detector@champion", "brownout-detector@challenger"} < set(tracker.aliases)
    assert any("waits for a decision" in note for note in notes)
