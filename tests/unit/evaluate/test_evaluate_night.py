"""Whole nights and warnings, judged as they ship: small fleets of both generators, and nothing of the future."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from fleets.build import Order, build
from fleets.outcome.folder import write_folder
from fleets.product import limits

from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.errors import BrownoutError
from brownout.domain.metrics import Catalogue
from brownout.evaluate.evaluate_night import evaluate_night
from brownout.evaluate.evaluate_warnings import ORIGINS, PEER_ROWS, evaluate_warnings
from brownout.evaluate.night_tables import EPISODES, TOLD, WARNINGS
from brownout.evaluate.night_truth import FolderTruth, crossings_of
from brownout.evaluate.replay import end_of, night_times
from brownout.evaluate.warning_peers import PEERS
from brownout.settings import ForecastSettings, Settings
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.fleet_dataset import write_dataset
from brownout.store.dataset import Dataset

QUICK = Settings(
    forecast=ForecastSettings(
        train_steps=2, step_minutes=60, steps=24, context_days=2, outlook_context_days=3, outlook_step_minutes=720
    )
)
DAY = np.timedelta64(86_400_000, "ms")

pytestmark = pytest.mark.usefixtures("quick_training")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fleets")


@cache
def own_fleet(folder: Path, faults: int) -> Dataset:
    made = simulate(FleetSettings(hosts=1, vms=3, days=5, interval_s=900, seed=12, faults=faults, maintenance=1))
    write_dataset(made, folder / f"own-{faults}", name="own")
    return Dataset.open(folder / f"own-{faults}")


@cache
def second_fleet(folder: Path, faults: int) -> Dataset:
    order = Order(seed=12, hosts=1, vms=3, days=5, interval_s=900, faults=faults, mode="mixed" if faults else "healthy")
    write_folder(build(order), folder / f"second-{faults}", limits())
    return Dataset.open(folder / f"second-{faults}")


@pytest.fixture(scope="module")
def nights(folders: Path) -> Path:
    """Two nights of a simulated fleet, judged; the last one ends the data."""
    evaluate_night(own_fleet(folders, 6), folders / "nights", settings=QUICK, nights=2)
    return folders / "nights"


@pytest.fixture(scope="module")
def warned(folders: Path) -> Path:
    """Warnings of that fleet from two origins of its last day."""
    fleet = own_fleet(folders, 6)
    first = end_of(fleet) - DAY
    evaluate_warnings(fleet, folders / "warned", settings=QUICK, first=first, nights=1, every_h=12)
    return folders / "warned"


def strict(path: Path) -> dict[str, Any]:
    def refuse(constant: str) -> float:
        msg = f"{path} holds {constant}, which is not JSON"
        raise AssertionError(msg)

    return dict(json.loads(path.read_text(), parse_constant=refuse))


def test_a_night_is_judged_and_its_tables_have_the_columns_that_others_rely_on(nights: Path) -> None:
    for name, schema in (("told", TOLD), ("episodes", EPISODES), ("warnings", WARNINGS)):
        assert pq.read_schema(nights / f"{name}.parquet").equals(schema), name
    wanted = ["night", "incident", "entity", "cause", "probability", "start", "open", "alarmed", "rank"]
    assert TOLD.names[: len(wanted)] == wanted
    wanted = ["night", "entity", "metric", "limit", "probability", "earliest", "likely", "latest"]
    assert WARNINGS.names[: len(wanted)] == wanted
    told, scores = pd.read_parquet(nights / "told.parquet"), strict(nights / "scores.json")
    assert len(scores["nights"]) == 2
    assert set(told["night"]) <= {pd.Timestamp(name, tz="UTC") for name in scores["nights"]}
    assert told["entity"].ne("").all()
    assert (told["start"] < told["night"]).all()
    due = scores["incidents"]["incidents"]
    assert due > 0
    assert sum(scores["fates"].values()) == due
    assert len(scores["lost"]) == due - scores["fates"].get("told", 0)
    assert len(scores["false"]) == scores["incidents"]["false"]
    episodes = pd.read_parquet(nights / "episodes.parquet")
    alarmed = episodes[episodes["why"] == ""]
    assert len(alarmed)
    assert set(alarmed["incident"]) == set(told.loc[told["alarmed"], "incident"])


def test_what_a_night_says_and_warns_of_is_blind_to_what_comes_later(
    folders: Path, nights: Path, warned: Path, tmp_path: Path
) -> None:
    fleet = own_fleet(folders, 6)
    first = end_of(fleet) - DAY
    store = _poisoned(fleet, first, tmp_path / "fleet")
    evaluate_night(store, tmp_path, settings=QUICK, first=first, nights=1)
    evaluate_warnings(store, tmp_path / "warned", settings=QUICK, first=first, nights=1, every_h=24)
    compared = [(nights, tmp_path, name, "night") for name in ("told", "episodes", "warnings")]
    compared += [(warned, tmp_path / "warned", name, "origin") for name in ("warnings", "peers")]
    for whole, poisoned, name, column in compared:
        one, other = (pd.read_parquet(folder / f"{name}.parquet") for folder in (whole, poisoned))
        assert len(other) or name == "warnings"
        one = one[one[column] == pd.Timestamp(first, tz="UTC")].reset_index(drop=True)
        pd.testing.assert_frame_equal(one, other)
    counts = [strict(folder / "scores.json")["crossings"] for folder in (warned, tmp_path / "warned")]
    assert counts[0] != counts[1], "what came later is what warnings are judged by"


def _poisoned(fleet: Dataset, since: np.datetime64, folder: Path) -> Dataset:
    """The fleet whose every value is absurd from a time on."""
    folder.mkdir()
    for path in fleet.folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    samples = pd.read_parquet(folder / "samples.parquet")
    later = samples["time"] >= pd.Timestamp(since, tz="UTC")
    metrics = [name for name in samples.columns if name not in ("time", "entity")]
    samples.loc[later, metrics] = samples.loc[later, metrics] * 0 + np.float32(99)
    samples.to_parquet(folder / "samples.parquet", coerce_timestamps="ms", allow_truncated_timestamps=True)
    return Dataset.open(folder)


def test_warnings_of_rolling_origins_stand_beside_all_peers(warned: Path) -> None:
    assert pq.read_schema(warned / "warnings.parquet").equals(ORIGINS)
    assert pq.read_schema(warned / "peers.parquet").equals(PEER_ROWS)
    assert ORIGINS.names[0] == "origin"
    scores = strict(warned / "scores.json")
    assert scores["origins"] == 2
    assert set(scores["peers"]) == set(PEERS)
    assert scores["best_naive"] in PEERS
    wanted = {"precision", "recall", "lead_s", "dates_inside", "false_per_guest_day", "flaps"}
    assert wanted <= set(scores["scores"]["overall"])


def test_a_healthy_fleet_has_nothing_to_find_and_all_that_is_told_is_false(folders: Path, tmp_path: Path) -> None:
    result = evaluate_night(second_fleet(folders, 0), tmp_path, settings=QUICK, nights=1)
    incidents = cast("dict[str, object]", result["incidents"])
    assert (incidents["incidents"], incidents["told"], result["fates"]) == (0, None, {})
    told = pd.read_parquet(tmp_path / "told.parquet")
    assert incidents["false"] == told.loc[told["alarmed"], "incident"].nunique()


def test_a_fleet_without_samples_says_so_and_writes_nothing(folders: Path, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    fleet = own_fleet(folders, 6)
    (folder / "dataset.toml").write_text((fleet.folder / "dataset.toml").read_text())
    pq.write_table(pq.read_table(fleet.folder / "samples.parquet")[:0], folder / "samples.parquet")
    for judge in (evaluate_night, evaluate_warnings):
        with pytest.raises(BrownoutError, match="no samples"):
            judge(Dataset.open(folder), tmp_path / "out", settings=QUICK)
    assert not (tmp_path / "out").exists()


def test_nights_are_a_day_apart_and_the_last_one_ends_the_data(folders: Path) -> None:
    fleet = own_fleet(folders, 6)
    end = end_of(fleet)
    assert night_times(fleet, number=2) == (end - DAY, end)
    assert len(night_times(fleet)) == 5, "the first night has a day before it"
    assert night_times(fleet, first=end - 2 * DAY) == (end - 2 * DAY, end - DAY, end)
    assert night_times(fleet, first=end - 2 * DAY, number=1) == (end - 2 * DAY,)


def test_truth_of_both_generators_is_read_artefacts_apart_and_maintenance_as_announced(folders: Path) -> None:
    knowledge = Knowledge.load()
    own = FolderTruth.of(own_fleet(folders, 6), knowledge)
    assert own.night is not None
    assert not any(knowledge.causes[label.incident.cause].artefact for label in own.night.labels)
    assert {event.kind for event in own.night.harmless} >= {"maintenance"}
    assert len(own.calendar.windows) == 1
    second = FolderTruth.of(second_fleet(folders, 4), knowledge)
    table = json.loads((folders / "second-4" / "truth.json").read_text())
    assert second.night is not None
    assert len(second.night.labels) == sum(fault["strength"] != "faint" for fault in table["faults"])
    assert len(second.calendar.windows) == len(table["maintenance"])
    assert second.known_until > end_of(second_fleet(folders, 4))


def test_measured_crossings_agree_with_those_that_the_second_generator_states(folders: Path) -> None:
    """The generator knows what it made; the samples lose a few of a thousand, and stamp them late by some seconds."""
    fleet = second_fleet(folders, 4)
    truth = FolderTruth.of(fleet, Knowledge.load())
    assert truth.stated is not None
    end = end_of(fleet)
    metrics = {metric.name: metric for metric in Catalogue.load().select([m.name for m in fleet.metrics])}
    measured = crossings_of(fleet, metrics, replace(truth, stated=None)).crossings
    stated = [one for one in truth.stated if one.time < end and not one.brief]
    near = np.timedelta64(1800, "s")
    found = [
        any(m.entity == one.entity and m.metric == one.metric and abs(m.time - one.time) <= near for m in measured)
        for one in stated
    ]
    assert len(stated) > 5
    assert np.mean(found) > 0.9
