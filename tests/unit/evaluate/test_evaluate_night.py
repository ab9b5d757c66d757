"""Whole nights and warnings, judged as they ship: small fleets of both generators, and nothing of the future."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

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

QUICK = Settings(forecast=ForecastSettings(train_steps=2, context_days=2, outlook_context_days=3))
DAY = np.timedelta64(86_400_000, "ms")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fleets")


@cache
def own_fleet(folder: Path) -> Dataset:
    made = simulate(FleetSettings(hosts=1, vms=3, days=5, interval_s=900, seed=11, faults=4, maintenance=1))
    write_dataset(made, folder / "own", name="own")
    return Dataset.open(folder / "own")


@cache
def second_fleet(folder: Path, mode: str) -> Dataset:
    order = Order(seed=12, hosts=1, vms=3, days=5, interval_s=900, faults=0 if mode == "healthy" else 4, mode=mode)
    write_folder(build(order), folder / mode, limits())
    return Dataset.open(folder / mode)


def strict(path: Path) -> dict[str, object]:
    def refuse(constant: str) -> float:
        msg = f"{path} holds {constant}, which is not JSON"
        raise AssertionError(msg)

    return dict(json.loads(path.read_text(), parse_constant=refuse))


def test_a_night_is_judged_and_its_tables_have_the_columns_that_others_rely_on(folders: Path, tmp_path: Path) -> None:
    fleet = second_fleet(folders, "mixed")
    result = evaluate_night(fleet, tmp_path, settings=QUICK, nights=2)
    for name, schema in (("told", TOLD), ("episodes", EPISODES), ("warnings", WARNINGS)):
        assert pq.read_schema(tmp_path / f"{name}.parquet").equals(schema), name
    wanted = ["night", "incident", "entity", "cause", "probability", "start", "open", "alarmed", "rank"]
    assert TOLD.names[: len(wanted)] == wanted
    wanted = ["night", "entity", "metric", "limit", "probability", "earliest", "likely", "latest"]
    assert WARNINGS.names[: len(wanted)] == wanted
    told = pd.read_parquet(tmp_path / "told.parquet")
    nights = {pd.Timestamp(name, tz="UTC") for name in result["nights"]}  # type: ignore[attr-defined]
    assert len(nights) == 2
    assert set(told["night"]) <= nights
    assert told["entity"].ne("").all()
    assert (told["start"] < told["night"]).all()
    scores = strict(tmp_path / "scores.json")
    due = scores["incidents"]["incidents"]  # type: ignore[index]
    assert due > 0
    assert sum(scores["fates"].values()) == due  # type: ignore[attr-defined]
    assert len(scores["lost"]) == due - scores["fates"].get("told", 0)  # type: ignore[arg-type, attr-defined]
    assert len(scores["false"]) == scores["incidents"]["false"]  # type: ignore[arg-type, index]
    episodes = pd.read_parquet(tmp_path / "episodes.parquet")
    alarmed = episodes[episodes["why"] == ""]
    assert set(alarmed["incident"]) <= set(told.loc[told["alarmed"], "incident"])


def test_what_a_night_says_and_warns_of_is_blind_to_what_comes_later(folders: Path, tmp_path: Path) -> None:
    fleet = own_fleet(folders)
    first = end_of(fleet) - DAY
    for name in ("whole", "poisoned"):
        store = fleet if name == "whole" else _poisoned(fleet, first, tmp_path / "fleet")
        evaluate_night(store, tmp_path / name, settings=QUICK, first=first, nights=1)
        evaluate_warnings(store, tmp_path / f"{name}-warnings", settings=QUICK, first=first, nights=1, every_h=24)
    for table in ("told", "episodes", "warnings"):
        one, other = (pd.read_parquet(tmp_path / name / f"{table}.parquet") for name in ("whole", "poisoned"))
        pd.testing.assert_frame_equal(one, other)
    assert len(pd.read_parquet(tmp_path / "whole" / "episodes.parquet"))
    for table in ("warnings", "peers"):
        paths = [tmp_path / f"{name}-warnings" / f"{table}.parquet" for name in ("whole", "poisoned")]
        pd.testing.assert_frame_equal(*(pd.read_parquet(path) for path in paths))
    scores = [strict(tmp_path / f"{name}-warnings" / "scores.json") for name in ("whole", "poisoned")]
    assert scores[0]["crossings"] != scores[1]["crossings"], "what came later is what warnings are judged by"


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


def test_warnings_of_rolling_origins_stand_beside_all_peers(folders: Path, tmp_path: Path) -> None:
    result = evaluate_warnings(second_fleet(folders, "mixed"), tmp_path, settings=QUICK, nights=1, every_h=12)
    assert pq.read_schema(tmp_path / "warnings.parquet").equals(ORIGINS)
    assert pq.read_schema(tmp_path / "peers.parquet").equals(PEER_ROWS)
    assert ORIGINS.names[0] == "origin"
    assert set(result["peers"]) == set(PEERS)  # type: ignore[call-overload]
    assert result["best_naive"] in PEERS
    overall = strict(tmp_path / "scores.json")["scores"]["overall"]  # type: ignore[index]
    assert {"precision", "recall", "lead_s", "dates_inside", "false_per_guest_day", "flaps"} <= set(overall)


def test_a_healthy_fleet_has_nothing_to_find_and_all_that_is_told_is_false(folders: Path, tmp_path: Path) -> None:
    result = evaluate_night(second_fleet(folders, "healthy"), tmp_path, settings=QUICK, nights=1)
    incidents = result["incidents"]
    assert incidents["incidents"] == 0  # type: ignore[index]
    assert incidents["told"] is None  # type: ignore[index]
    assert result["fates"] == {}
    told = pd.read_parquet(tmp_path / "told.parquet")
    assert len(result["false"]) == told.loc[told["alarmed"], "incident"].nunique()  # type: ignore[arg-type]


def test_a_fleet_without_samples_says_so_and_writes_nothing(folders: Path, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    fleet = own_fleet(folders)
    (folder / "dataset.toml").write_text((fleet.folder / "dataset.toml").read_text())
    pq.write_table(pq.read_table(fleet.folder / "samples.parquet")[:0], folder / "samples.parquet")
    for judge in (evaluate_night, evaluate_warnings):
        with pytest.raises(BrownoutError, match="no samples"):
            judge(Dataset.open(folder), tmp_path / "out", settings=QUICK)
    assert not (tmp_path / "out").exists()


def test_nights_are_a_day_apart_and_the_last_one_ends_the_data(folders: Path) -> None:
    fleet = own_fleet(folders)
    end = end_of(fleet)
    assert night_times(fleet, number=2) == (end - DAY, end)
    assert len(night_times(fleet)) == 5, "the first night has a day before it"
    assert night_times(fleet, first=end - 2 * DAY) == (end - 2 * DAY, end - DAY, end)
    assert night_times(fleet, first=end - 2 * DAY, number=1) == (end - 2 * DAY,)


def test_truth_of_both_generators_is_read_artefacts_apart_and_maintenance_as_announced(folders: Path) -> None:
    knowledge = Knowledge.load()
    own = FolderTruth.of(own_fleet(folders), knowledge)
    assert own.night is not None
    assert not any(knowledge.causes[label.incident.cause].artefact for label in own.night.labels)
    assert {event.kind for event in own.night.harmless} >= {"maintenance"}
    assert len(own.calendar.windows) == 1
    second = FolderTruth.of(second_fleet(folders, "mixed"), knowledge)
    table = json.loads((folders / "mixed" / "truth.json").read_text())
    assert second.night is not None
    assert len(second.night.labels) == sum(fault["strength"] != "faint" for fault in table["faults"])
    assert len(second.calendar.windows) == len(table["maintenance"])
    assert second.known_until > end_of(second_fleet(folders, "mixed"))


def test_measured_crossings_agree_with_those_that_the_second_generator_states(folders: Path) -> None:
    """The generator knows what it made; the samples lose a few of a thousand, and stamp them late by some seconds."""
    fleet = second_fleet(folders, "mixed")
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
