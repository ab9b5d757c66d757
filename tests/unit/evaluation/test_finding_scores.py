"""Diagnoses of a small fleet against its incidents, counted by hand."""

from dataclasses import replace

import numpy as np
import pytest

from brownout.domain.entities import Entity, Topology
from brownout.domain.findings import UNKNOWN, Cause, Diagnosis
from brownout.domain.truth import Incident
from brownout.evaluation.finding_scores import false_causes, match

START = np.datetime64("2026-03-02", "ms")
TOPOLOGY = Topology.of(
    [
        Entity(id="h1", kind="host"),
        Entity(id="h1/disk", kind="disk", parent="h1"),
        Entity(id="vm1", kind="vm", parent="h1"),
        Entity(id="vm1/console", kind="console", parent="vm1"),
        Entity(id="vm2", kind="vm", parent="h1"),
        Entity(id="h2", kind="host"),
        Entity(id="vm3", kind="vm", parent="h2"),
    ]
)
DAYS = (START, START + np.timedelta64(2, "D"))


def at(hours: float) -> np.datetime64:
    return START + np.timedelta64(round(hours * 60), "m")


def incident(entity: str, start: float, end: float) -> Incident:
    return Incident(id=f"{entity}{start}", group="", start=at(start), end=at(end), entity=entity, cause="X")


def diagnosis(entity: str, start: float, end: float, *, cause: str = "X") -> Diagnosis:
    members = TOPOLOGY.related(entity)
    named = Cause(id=cause, title="", family="cpu", entity="" if cause == UNKNOWN else entity, probability=0.9)
    return Diagnosis(
        id=f"{entity}{start}", start=at(start), end=at(end), open=False, entities=members, episodes=(), causes=(named,)
    )


def test_the_diagnosis_that_overlaps_most_answers_and_one_elsewhere_never_does() -> None:
    found = [diagnosis("vm1", 1, 4), diagnosis("h1", 4.5, 7), diagnosis("vm3", 3, 8)]
    first, second = match(found, [incident("vm2", 3.5, 6), incident("vm2", 30, 31)], TOPOLOGY)
    assert first.diagnosis is found[1]
    assert second.diagnosis is None


def test_what_begins_soon_after_an_incident_belongs_to_it() -> None:
    late = [diagnosis("vm1", 6.4, 7)]
    assert match(late, [incident("vm1", 5, 6)], TOPOLOGY)[0].diagnosis is late[0]
    assert match(late, [incident("vm1", 5, 5.8)], TOPOLOGY)[0].diagnosis is None


@pytest.mark.parametrize(
    ("found", "false", "blamed"),
    [
        ([], 0, 0),
        ([diagnosis("vm2", 26, 27)], 1, 1),
        ([diagnosis("vm1/console", 26, 27)], 1, 1),
        ([diagnosis("h1/disk", 26, 27)], 1, 2),
        ([diagnosis("vm3", 20, 27)], 1, 2),
        ([diagnosis("vm2", 26, 27, cause=UNKNOWN)], 0, 0),
        ([diagnosis("vm2", 4, 5)], 0, 0),
        ([diagnosis("vm2", 20, 21)], 1, 0),
    ],
)
def test_healthy_guest_days_are_counted_by_whom_a_false_cause_names(
    found: list[Diagnosis], false: int, blamed: int
) -> None:
    """vm1 and vm2 are ill on the first of two days, so four guest-days are healthy."""
    scores = false_causes(found, [incident("vm1", 3, 5)], TOPOLOGY, DAYS)
    assert scores["false_causes"] == false
    assert scores["healthy_guest_days"] == 4
    assert scores["healthy_guest_days_given_a_cause"] == blamed / 4


def test_a_guest_that_moved_is_ill_or_blamed_with_the_host_that_it_was_on() -> None:
    """vm1 is on h1 on the first day and on h2 on the second."""
    moved = [replace(e, parent="h2", former=((at(24), "h1"),)) if e.id == "vm1" else e for e in TOPOLOGY]
    topology = Topology.of(moved)
    scores = false_causes([diagnosis("vm3", 26, 27)], [incident("h1", 3, 5)], topology, DAYS)
    assert scores["healthy_guest_days"] == 4  # vm1 on the second day, vm2 on the second, vm3 on both
    assert scores["healthy_guest_days_given_a_cause"] == 1 / 4
    assert false_causes([diagnosis("h2", 26, 27)], [incident("h1", 3, 5)], topology, DAYS)[
        "healthy_guest_days_given_a_cause"
    ] == pytest.approx(2 / 4)
    then = replace(diagnosis("h1", 3, 5), entities=("h1", "vm1"))
    assert match([then], [incident("vm1", 3, 5)], topology)[0].diagnosis is then
    assert match([then], [incident("vm1", 27, 28)], topology)[0].diagnosis is None
