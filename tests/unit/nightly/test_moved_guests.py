"""A fault of a guest that has moved on since is diagnosed on the host that it was on."""

from pathlib import Path

import numpy as np
import pytest

from brownout.diagnosis.incidents.grouping import group_episodes
from brownout.diagnosis.inference.cause_ranking import Diagnoser
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.findings import Episode
from brownout.evaluate.evaluate_diagnose import evaluate_diagnose
from brownout.nightly.context import NightContext
from brownout.nightly.diagnose import diagnose_batch
from brownout.settings import Settings
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.fleet_dataset import write_dataset
from brownout.store.dataset import Dataset

SETTINGS = FleetSettings(
    hosts=3,
    vms=9,
    days=9,
    interval_s=300,
    seed=1,
    faults=3,
    migrations=30,
    lead=0.4,
    only_causes=("CONT-04", "LEAK-01"),
    signatures=True,
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("moved") / "fleet"
    write_dataset(simulate(SETTINGS), folder, name="moved")
    return Dataset.open(folder)


def test_labelled_incidents_are_diagnosed_among_who_was_there(dataset: Dataset, tmp_path: Path) -> None:
    moved = [i for i in dataset.incidents if dataset.topology.root(i.entity) != i.group]
    assert moved
    assert evaluate_diagnose(dataset, tmp_path)["scores"]["ac1"] == 1  # type: ignore[index]


def test_an_episode_is_investigated_where_its_guest_was(dataset: Dataset) -> None:
    context = NightContext.build(dataset, Settings(), created=np.datetime64("2026-04-01", "ms"))
    for incident in dataset.incidents:
        end = max(incident.end, incident.start + np.timedelta64(1, "h"))
        episode = Episode(
            id="e", entity=incident.entity, start=incident.start, end=end, open=False, severity=2.0, movers=()
        )
        (window,) = group_episodes([episode], dataset.topology)
        batch = diagnose_batch(context, [window])
        (diagnosis,) = batch.diagnoses
        assert {name: [part.id for part in parts] for name, parts in batch.parts.items()} == {diagnosis.id: ["e"]}
        assert (diagnosis.top.id, diagnosis.top.entity) == (incident.cause, incident.entity)
        assert diagnosis.entities[0] == incident.group


def test_what_our_own_detection_found_needs_more_evidence_than_what_somebody_reports(dataset: Dataset) -> None:
    diagnoser = NightContext.build(dataset, Settings(), created=np.datetime64("2026-04-01", "ms")).diagnoser
    assert diagnoser.weights.unknown > Diagnoser(diagnoser.knowledge).weights.unknown
    assert diagnoser.knowledge.causes == Knowledge.load().causes
