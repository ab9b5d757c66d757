"""A fleet that is asked in a notebook: the answers are those of a night, the examples run, errors say what to do."""

import doctest
import gc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from memory_database import START, MemoryDatabase, raw
from nights import night

import brownout
from brownout.api import loaded_fleet
from brownout.bootstrap import open_job
from brownout.domain.errors import DataError, KnowledgeError, SettingsError
from brownout.reporting import render
from brownout.settings import load_settings
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.fleet_dataset import write_dataset

pytestmark = pytest.mark.usefixtures("quick_training")
QUICK = "[forecast]\ntrain_steps = 5\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small fleet, quick settings, and a night that was rendered."""
    folder = tmp_path_factory.mktemp("analyst")
    made = simulate(FleetSettings(hosts=1, vms=2, days=5, interval_s=900, seed=5, faults=1, only_causes=("HW-01",)))
    write_dataset(made, folder / "my-fleet", name="my-fleet")
    (folder / "quick.toml").write_text(QUICK)
    render(night(), folder / "nightly" / "report")
    return folder


@pytest.fixture(scope="module")
def fleet(place: Path) -> "brownout.Fleet":
    return brownout.load(place / "my-fleet", settings=place / "quick.toml")


@pytest.mark.parametrize("module", [loaded_fleet, brownout], ids=lambda module: module.__name__)
def test_the_examples_of_the_docstrings_run(
    module: object, place: Path, fleet: "brownout.Fleet", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    result = doctest.testmod(module, extraglobs={"fleet": fleet})  # type: ignore[arg-type]
    assert result.attempted
    assert result.failed == 0


def test_answers_are_those_of_the_night_that_is_published(fleet: "brownout.Fleet", place: Path) -> None:
    job = open_job(load_settings(place / "quick.toml", dataset=place / "my-fleet"), place / "out")
    job.sync()
    job.train()
    job.run()
    published = brownout.open(place / "out")
    again = brownout.load(place / "out")  # the same question, to the models that are there
    rounded = {"atol": 1e-3, "rtol": 1e-3}  # as a report rounds
    for asked in (fleet, again):
        times, severity = ["entity", "start", "end", "open"], "severity"
        assert len(asked.detect())
        pd.testing.assert_frame_equal(asked.detect()[times], published.episodes[times])
        pd.testing.assert_series_equal(asked.detect()[severity], published.episodes[severity], **rounded)
        causes = ["entity", "cause", "title"]
        pd.testing.assert_frame_equal(asked.diagnose()[causes], published.incidents[causes])
        pd.testing.assert_frame_equal(asked.plan()[["about", "entity"]], published.actions[["about", "entity"]])


def test_forecasts_start_after_the_end_of_the_data(fleet: "brownout.Fleet") -> None:
    made = fleet.forecast()
    assert made["time"].min() > pd.Timestamp(fleet.night.end, tz="UTC") - pd.Timedelta(minutes=30)
    assert set(made["entity"]) <= set(fleet.entities.index)
    assert (made["q10"] <= made["q90"]).all()
    assert set(fleet.scores()["entity"]) <= set(fleet.entities.index)


def test_what_came_later_is_not_seen(place: Path) -> None:
    earlier = brownout.load(place / "my-fleet", as_of="2026-03-05T06:00")
    assert earlier.measured("kvm01").index.max() < pd.Timestamp("2026-03-05T06:00", tz="UTC")


def test_a_change_is_asked_before_it_is_made(fleet: "brownout.Fleet") -> None:
    """The figures are those of the command, which has tests of its own."""
    guest = fleet.entities.index[fleet.entities["kind"] == "vm"][0]
    answer = fleet.what_if(resize={guest: {"vcpus": 1}})
    own = answer.consoles[answer.consoles["entity"] == guest]
    assert list(own["share"].unique()) == [0.5, 0.95]
    assert (own["low"] <= own["high"]).all()
    assert set(answer.limits["entity"]) <= {guest, fleet.entities.loc[guest, "host"]}
    with pytest.raises(SettingsError, match="No guest 'vm9' is known"):
        fleet.what_if(move={"vm9": "kvm01"})
    with pytest.raises(SettingsError, match=r"No change is asked for.*move="):
        fleet.what_if()


def test_a_settings_file_says_where_the_telemetry_is(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = MemoryDatabase(mem=raw([{"host": "kvm1"}], list(range(60)), available_percent=[20.0] * 60))
    file = place / "influx.toml"
    file.write_text('[influxdb]\nurl = "http://127.0.0.1:1"\nhistory_days = 1\n')
    now = START + np.timedelta64(2, "h")
    monkeypatch.setattr("brownout.bootstrap.open_database", lambda _settings: database)
    monkeypatch.setattr("brownout.bootstrap.clock", lambda: now)
    fleet = brownout.load(file)
    assert fleet.folder is not None
    folder = Path(fleet.folder.name)
    assert fleet.measured("kvm1")["host_memory_available_pct"].tolist() == [20.0] * 60
    assert not (place / "history").exists()
    del fleet
    gc.collect()
    assert not folder.exists()
    file.write_text(f'dataset = "{place / "my-fleet"}"\n')
    assert "fleet my-fleet" in repr(brownout.load(file))
    assert brownout.load(file, settings=place / "quick.toml").settings.forecast.train_steps == 5


def test_a_database_without_samples_is_told(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = raw([{"host": "kvm1"}], [], available_percent=[])
    monkeypatch.setattr("brownout.bootstrap.open_database", lambda _settings: MemoryDatabase(mem=table))
    (place / "influx.toml").write_text('[influxdb]\nurl = "http://127.0.0.1:1"\nhistory_days = 1\n')
    with pytest.raises(DataError, match=r"no samples.*brownout doctor"):
        brownout.load(place / "influx.toml")


def test_a_rule_of_the_site_that_cannot_be_used_is_told_at_once(place: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text('[[rules]]\nid = "R-OWN"\n')
    settings = load_settings(knowledge=tmp_path)
    with pytest.raises(KnowledgeError, match="R-OWN"):
        brownout.load(place / "my-fleet", settings=settings)


def test_errors_say_what_to_do(place: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"neither a data set .* nor a history.*brownout nightly --out"):
        brownout.load(tmp_path)
    with pytest.raises(DataError, match=r"Nothing was measured of 'KVM0'.*kvm01"):
        brownout.load(place / "my-fleet").measured("KVM0")
