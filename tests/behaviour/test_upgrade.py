"""This release goes on with an output folder of the last one: nothing is lost, and what is made anew is told."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from brownout.bootstrap import open_job
from brownout.domain.errors import ModelError
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.nightly.effects.alert_state_file import read_alert_state
from brownout.nightly.effects.model_records import read_record
from brownout.nightly.effects.trained_models import load_models, unreadable_models
from brownout.settings import Settings, load_settings
from brownout.store.history import History
from brownout.store.workspace import Workspace

STORED = Path(__file__).parents[1] / "data" / "release-0.1.0"
pytestmark = pytest.mark.usefixtures("quick_training")
ROWS, ENTITIES = 6327, 11


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return Path(shutil.copytree(STORED, tmp_path / "out"))


def source_of(history: History, folder: Path) -> Path:
    """The data set that a history was made from, so that a sync goes on with it."""
    folder.mkdir()
    entities = list(history.topology)
    lines = [f"{entity.id},{entity.kind},{entity.parent}\n" for entity in entities]
    (folder / "entities.csv").write_text("entity,kind,parent\n" + "".join(lines))
    (folder / "dataset.toml").write_text(f'name = "{history.name}"\ninterval_s = 900\n')
    table = history.read([entity.id for entity in entities])
    pq.write_table(table.cast(table.schema.set(1, table.schema.field(1))), folder / "samples.parquet")
    return folder


def quick(dataset: Path) -> Settings:
    forecast = {"train_steps": 5, "step_minutes": 60, "steps": 6, "context_days": 0.5, "outlook_days": 1}
    return load_settings(
        dataset=dataset, seed=3, forecast=forecast, detect={"window_days": 3, "train_days": 2},
        diagnose={"baseline_days": 1},
    )  # fmt: skip


def test_its_history_is_read_whole(out: Path) -> None:
    history = History.open(out / "history")
    spans = history.spans()
    assert sum(span.rows for span in spans.values()) == history.read(list(spans)).num_rows == ROWS
    assert history.damaged == {}
    assert {entity.kind for entity in history.topology} >= {"host", "vm", "console"}
    assert history.description.watermark == np.datetime64("2026-03-07T23:45:00.001", "ms")


def test_its_state_verdicts_and_forecaster_are_read(out: Path) -> None:
    state = read_alert_state(Workspace(out))
    assert len(state.verdicts) == 8
    assert state.known
    assert SelectedForecaster.load(out / "models" / "forecaster").skills_
    assert read_record(out / "models" / "forecaster").name == "brownout-forecaster"


def test_its_detector_is_trained_again_with_a_sentence(out: Path, tmp_path: Path) -> None:
    settings = quick(source_of(History.open(out / "history"), tmp_path / "fleet"))
    (sentence,) = unreadable_models(Workspace(out))
    assert "detector of an earlier run cannot be used and is trained again" in sentence
    with pytest.raises(ModelError, match="of another release"):
        load_models(Workspace(out))
    job = open_job(settings, out)
    with job.alone("a test"):
        job.sync()
        job.run()
    assert job.effects.exit_code == 0
    assert any("is trained again" in line for line in job.effects.lines())
    assert unreadable_models(Workspace(out)) == ()
    history = History.open(out / "history")
    assert history.read(list(history.spans())).num_rows == ROWS
    assert "checksums" in (pq.read_metadata(history.files[0]).metadata[b"brownout"]).decode()
    told = json.loads((out / "report" / "report.json").read_text())
    assert len(told["verdicts"]) == 8
