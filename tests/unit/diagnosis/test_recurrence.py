"""What comes and goes by one cause at one place is one incident; what differs in either is not."""

from dataclasses import replace

import numpy as np
import pytest

from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.diagnosis.incidents.recurrence import Told, joined, without_followers
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.entities import Entity, Topology
from brownout.domain.findings import UNKNOWN, Cause, Diagnosis, Episode, Evidence, EvidenceRole, EvidenceState
from brownout.domain.forecasts import Series

START = np.datetime64("2026-03-02T00:00", "ms")
KNOWLEDGE = Knowledge.load()


def told(begin_h: float, end_h: float, cause: str = "CONT-04", entity: str = "kvm1", probability: float = 0.9) -> Told:
    start, end = (START + np.timedelta64(round(h * 3_600_000), "ms") for h in (begin_h, end_h))
    name = f"{cause}{entity}{begin_h}"
    episode = Episode(id=name, entity=entity, start=start, end=end, open=False, severity=2.0, movers=())
    window = IncidentWindow(id=name, start=start, end=end, entities=(entity,), episodes=(episode,))
    family = cause.split("-", maxsplit=1)[0]
    top = Cause(id=cause, title=cause, family=family, entity=entity, probability=probability)
    diagnosis = Diagnosis(
        id=name, start=start, end=end, open=False, entities=(entity,), episodes=(name,), causes=(top,)
    )
    return window, diagnosis


def test_a_fault_that_comes_and_goes_is_one_incident_with_the_likeliest_answer() -> None:
    parts = [told(0, 1), told(4.5, 5, probability=0.95), told(8, 9)]
    ((window, diagnosis),) = joined(reversed(parts))
    assert (window.start, window.end) == (parts[0][0].start, parts[2][0].end)
    assert (diagnosis.start, diagnosis.end, diagnosis.id) == (window.start, window.end, parts[0][1].id)
    assert diagnosis.top.probability == 0.95
    assert set(diagnosis.episodes) == {episode.id for episode in window.episodes} == {d.id for _, d in parts}


@pytest.mark.parametrize(
    "other",
    [told(5.5, 6), told(1.5, 2, entity="kvm2"), told(1.5, 2, cause="NET-08"), told(1.5, 2, cause=UNKNOWN)],
    ids=["a long pause", "another entity", "another family", "unknown"],
)
def test_what_is_not_the_same_stays_apart(other: Told) -> None:
    assert len(joined([told(0, 1), other])) == 2


def test_two_names_of_one_family_that_overlap_at_one_entity_are_one_fault() -> None:
    assert len(joined([told(0, 3, cause="NET-03"), told(1, 2, cause="NET-01")])) == 1
    assert len(joined([told(0, 1, cause="NET-03"), told(1.5, 2, cause="NET-01")])) == 2


def test_an_open_part_leaves_the_incident_open() -> None:
    window, diagnosis = told(1.5, 2)
    ((whole, answer),) = joined([told(0, 1), (replace(window, open=True), replace(diagnosis, open=True))])
    assert whole.open
    assert answer.open


def test_what_the_console_of_a_broken_guest_shows_meanwhile_is_no_second_fault() -> None:
    topology = Topology.of(
        [
            Entity(id="kvm1", kind="host"),
            *(Entity(id=name, kind="vm", parent="kvm1") for name in ("vm", "other")),
            Entity(id="vm/console", kind="console", parent="vm"),
        ]
    )
    fault, console = told(0, 5, cause="CONT-05", entity="vm"), told(3, 4, cause=UNKNOWN, entity="vm/console")
    ((window, diagnosis),) = without_followers([fault, console], topology, KNOWLEDGE)
    assert {e.entity for e in window.episodes} == {"vm", "vm/console"}
    assert (window.start, window.end, len(diagnosis.episodes)) == (fault[0].start, fault[0].end, 2)
    for apart in (
        told(3, 4, cause=UNKNOWN, entity="other"),
        told(3, 4, cause=UNKNOWN, entity="kvm1"),
        told(7, 8, cause=UNKNOWN, entity="vm/console"),
        told(3, 4, cause="SW-01", entity="vm/console"),
    ):
        assert len(without_followers([fault, apart], topology, KNOWLEDGE)) == 2


@pytest.mark.parametrize(
    ("begin_h", "end_h", "entity", "alone"),
    [
        (1.2, 2.9, "vm2", False),
        (1.0, 3.2, "kvm1", False),
        (1.2, 5, "vm2", True),
        (1.5, 2.5, "vm2", True),
        (0.2, 2.5, "vm2", True),
        (1.2, 2.9, "kvm2", True),
    ],
    ids=["within", "all of it", "lasts on", "begins later", "began before", "another host"],
)
def test_what_begins_and_ends_with_a_fault_of_its_host_and_has_no_cause_is_part_of_it(
    begin_h: float, end_h: float, entity: str, *, alone: bool
) -> None:
    names = (("kvm1", "host", ""), ("kvm2", "host", ""), ("vm1", "vm", "kvm1"), ("vm2", "vm", "kvm1"))
    topology = Topology.of([Entity(id=name, kind=kind, parent=parent) for name, kind, parent in names])
    fault, other = told(1, 3, cause="CONT-02", entity="vm1"), told(begin_h, end_h, cause=UNKNOWN, entity=entity)
    left = without_followers([fault, other], topology, KNOWLEDGE)
    assert len(left) == 1 + alone
    assert {name for _, diagnosis in left for name in diagnosis.episodes} == {fault[1].id, other[1].id}


def test_what_a_surer_fault_of_the_time_speaks_against_is_no_second_one() -> None:
    """Packets that a broken cable drops are not lost on the path as well; a loss before the cable broke was."""
    topology = Topology.of(
        [
            Entity(id="kvm1", kind="host"),
            Entity(id="kvm1/eth0", kind="interface", parent="kvm1"),
            Entity(id="path", kind="link", parent="kvm1"),
            Entity(id="kvm2", kind="host"),
            Entity(id="path2", kind="link", parent="kvm2"),
        ]
    )
    window, diagnosis = told(0, 8, cause="MAINT-01", entity="kvm1/eth0")
    errors = Evidence(
        symptom="nic_errors", role=EvidenceRole.NECESSARY, state=EvidenceState.PRESENT, strength=1, statement="",
        series=Series("kvm1/eth0", "net_err_per_s"),
    )  # fmt: skip
    cable = window, replace(diagnosis, causes=(replace(diagnosis.top, evidence=(errors,)),))
    loss = told(2, 3, cause="NET-03", entity="path", probability=0.6)
    ((_, whole),) = without_followers([cable, loss], topology, KNOWLEDGE)
    assert whole.top.id == "MAINT-01"
    assert len(whole.episodes) == 2
    for apart in (
        told(2, 3, cause="NET-03", entity="path", probability=0.95),
        told(2, 12, cause="NET-03", entity="path", probability=0.6),
        told(2, 3, cause="NET-03", entity="path2", probability=0.6),
        told(2, 3, cause="CONT-04", entity="kvm1", probability=0.6),
    ):
        assert len(without_followers([cable, apart], topology, KNOWLEDGE)) == 2
