"""Knowledge, evidence and inference."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from brownout.diagnosis.evidence.observation import IncidentWindow, observe
from brownout.diagnosis.incidents.grouping import group_episodes
from brownout.diagnosis.inference.cause_ranking import Diagnoser
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.entities import Entity, Topology
from brownout.domain.errors import KnowledgeError
from brownout.domain.findings import UNKNOWN, Diagnosis, Episode, EvidenceState
from brownout.domain.metrics import Catalogue
from brownout.domain.truth import Incident
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.fleet import Fleet

FLEET = FleetSettings(hosts=3, vms=12, days=10, interval_s=120, seed=3)
DIAGNOSER = Diagnoser(Knowledge.load())


def diagnose(fleet: Fleet, incident: Incident, *, without: tuple[str, ...] = ()) -> Diagnosis:
    """Rank the causes of a labelled incident on its host, hiding the metrics named."""
    entities = fleet.topology.related(incident.entity)
    window = IncidentWindow(id=incident.id, start=incident.start, end=incident.end, entities=entities)
    panels = []
    for panel in fleet.panels.values():
        kept = [i for i, metric in enumerate(panel.metrics) if metric.name not in without]
        rows = [i for i, name in enumerate(panel.entity_ids) if name in entities]
        panels.append(panel.select(entities=rows, metrics=kept).between(panel.start, incident.end))
    return DIAGNOSER.diagnose(window, panels, fleet.topology)


@pytest.mark.parametrize("cause", ["HW-01", "CONT-04", "LEAK-01", "HW-05", "NET-01", "NET-03", "HW-06", "PWR-01"])
def test_a_plain_fault_is_named_with_its_culprit_and_its_evidence(cause: str) -> None:
    fleet = simulate(replace(FLEET, faults=1, only_causes=(cause,)))
    diagnosis = diagnose(fleet, fleet.incidents[0])
    assert (diagnosis.top.id, diagnosis.top.entity) == (cause, fleet.incidents[0].entity)
    present = [evidence for evidence in diagnosis.top.evidence if evidence.state is EvidenceState.PRESENT]
    assert present
    assert all(evidence.series is not None and evidence.statement and evidence.source for evidence in present)


def test_probabilities_are_shared_with_unknown_among_them() -> None:
    fleet = simulate(replace(FLEET, faults=1, only_causes=("HW-01",)))
    causes = diagnose(fleet, fleet.incidents[0]).causes
    assert 0 < sum(cause.probability for cause in causes) <= 1 + 1e-9
    assert [cause.id for cause in causes].count(UNKNOWN) == 1
    ordered = [cause.probability for cause in causes]
    assert ordered == sorted(ordered, reverse=True)


def test_on_healthy_data_the_answer_is_unknown() -> None:
    fleet = simulate(FLEET)
    answers = []
    for hour in range(0, 40, 4):
        start = np.datetime64("2026-03-09T00:00", "ms") + np.timedelta64(hour, "h")
        for host in ("kvm01", "kvm02", "kvm03"):
            quiet = Incident(id="q", group="", start=start, end=start + np.timedelta64(1, "h"), entity=host, cause="")
            answers.append(diagnose(fleet, quiet).top.id)
    assert answers.count(UNKNOWN) == len(answers)


def test_what_was_not_measured_is_missing_and_not_absent() -> None:
    fleet = simulate(replace(FLEET, faults=1, only_causes=("HW-01",)))
    diagnosis = diagnose(fleet, fleet.incidents[0], without=("host_psi_cpu_pct",))
    assert diagnosis.top.id == "HW-01"
    pressure = next(evidence for evidence in diagnosis.top.evidence if evidence.symptom == "cpu_pressure")
    assert pressure.state is EvidenceState.MISSING
    assert "not measured" in pressure.statement


def test_without_the_necessary_evidence_a_cause_is_not_named() -> None:
    fleet = simulate(replace(FLEET, faults=1, only_causes=("PWR-01",)))
    assert diagnose(fleet, fleet.incidents[0], without=("host_freq_ratio",)).top.id != "PWR-01"


def test_observations_compare_a_span_with_its_past() -> None:
    fleet = simulate(FLEET)
    panel = fleet.panels["host"]
    place = panel.metric_names.index("host_cpu_busy_pct")
    start, end = panel.end - np.timedelta64(2, "h"), panel.end
    panel.values[0, panel.slot(start) :, place] = 97
    found = observe([panel], start, end).of("kvm01", "host_cpu_busy_pct")
    assert found is not None
    assert found.high == found.low == 97
    assert found.usual < 80
    assert found.high - found.usual > 3 * found.spread
    other = observe([panel], start, end).of("kvm02", "host_cpu_busy_pct")
    assert other is not None
    assert abs(other.high - other.usual) < 4 * other.spread


def test_a_metric_hardly_measured_is_missing() -> None:
    fleet = simulate(FLEET)
    panel = fleet.panels["host"]
    panel.values[0, -50:-5] = np.nan
    assert observe([panel], panel.end - 50 * panel.step, panel.end).of("kvm01", "host_cpu_busy_pct") is None


def test_every_symptom_is_evidence_of_a_cause() -> None:
    knowledge = Knowledge.load()
    rules = [rule for cause in knowledge.causes.values() for rule in cause.evidence]
    assert set(knowledge.symptoms) == {symptom for rule in rules for symptom, _ in rule.parts}


SYMPTOM = '[symptoms.s]\nmetric = "host_cpu_busy_pct"\ndirection = "up"\nsays = "x"\nsource = "y"\n'
CAUSE = """[causes.C]
title = "T"
family = "cpu"
kind = "host"
prior = 1
evidence = [{ symptom = "s", where = "self", role = "necessary" }]
"""


@pytest.mark.parametrize(
    ("symptom", "cause", "says"),
    [
        (
            SYMPTOM.replace("host_cpu_busy_pct", "host_cpu_bsy_pct"),
            CAUSE,
            r"symptoms\.s.*'host_cpu_bsy_pct'.*'host_cpu_busy_pct'",
        ),
        (SYMPTOM.replace('"up"', '"sideways"'), CAUSE, "sideways"),
        (SYMPTOM + 'role = ["cpu"]\n', CAUSE, "metric"),
        (SYMPTOM, CAUSE.replace('symptom = "s"', 'symptom = "cpu_bsy"'), "'cpu_bsy'.*'cpu_busy'"),
        (SYMPTOM, CAUSE.replace('kind = "host"', 'kind = "hosts"'), "'hosts'.*'host'"),
        (SYMPTOM, CAUSE + 'alike = ["HW-1"]\ndecider = "x"\n', "'HW-1'.*'HW-01'"),
        (SYMPTOM, CAUSE + 'alone = ["vm_cpu"]\n', "'vm_cpu'.*'vm_cpu_pct'"),
        (SYMPTOM, CAUSE.replace("prior", "pior"), "'pior'.*'prior'"),
        (SYMPTOM, CAUSE.replace('"self"', '"moon"'), "moon"),
        (SYMPTOM, CAUSE.replace('"necessary"', '"strong"'), "no necessary"),
        (SYMPTOM, CAUSE.replace('family = "cpu"', 'family = "magic"'), "magic"),
        (SYMPTOM, "[[[", "causes.toml"),
    ],
)
def test_wrong_knowledge_is_refused_with_its_name(symptom: str, cause: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "symptoms.toml").write_text(symptom)
    (tmp_path / "causes.toml").write_text(cause)
    with pytest.raises(KnowledgeError, match=says):
        Knowledge.load(tmp_path)


def episode(entity: str, start: int, end: int) -> Episode:
    day = np.datetime64("2026-03-02", "ms")
    first, last = (day + np.timedelta64(minutes, "m") for minutes in (start, end))
    return Episode(id=f"{entity}{start}", entity=entity, start=first, end=last, open=False, severity=1.2, movers=())


def test_episodes_of_one_host_at_one_time_are_one_incident() -> None:
    topology = Topology.of(
        [
            Entity(id="h1", kind="host"),
            Entity(id="h2", kind="host"),
            Entity(id="v1", kind="vm", parent="h1"),
            Entity(id="v2", kind="vm", parent="h2"),
        ]
    )
    found = group_episodes(
        [episode("h1", 0, 30), episode("v1", 20, 60), episode("v2", 25, 50), episode("v1", 200, 210)], topology
    )
    assert [sorted(e.id for e in window.episodes) for window in found] == [["h10", "v120"], ["v225"], ["v1200"]]
    assert found[0].entities == ("h1", "v1")
    assert found[0].end == found[0].start + np.timedelta64(60, "m")


def test_two_causes_at_once_are_both_told_and_one_alone_is_told_alone() -> None:
    fleet = simulate(replace(FLEET, hosts=1, faults=1, pairs=1.0, only_causes=("LEAK-01", "NET-01"), signatures=True))
    one, other = fleet.incidents
    assert {one.cause, other.cause} == {"LEAK-01", "NET-01"}
    assert max(one.start, other.start) < min(one.end, other.end)
    both = diagnose(fleet, replace(one, start=max(one.start, other.start), end=min(one.end, other.end)))
    assert {(c.id, c.entity) for c in both.told} == {(i.cause, i.entity) for i in fleet.incidents}
    assert "Besides, " in both.summary
    for cause in ("LEAK-01", "NET-01"):
        alone = simulate(replace(FLEET, hosts=1, faults=1, only_causes=(cause,), signatures=True))
        assert [c.id for c in diagnose(alone, alone.incidents[0]).told] == [cause]


def test_what_the_first_cause_accounts_for_makes_no_second_one() -> None:
    """A guest that takes the disk makes the disk slow, which by itself would be a disk at its limit."""
    fleet = simulate(replace(FLEET, faults=1, only_causes=("CONT-02",), signatures=True))
    diagnosis = diagnose(fleet, fleet.incidents[0])
    assert [cause.id for cause in diagnosis.told] == ["CONT-02"]


def test_episodes_belong_to_the_host_that_their_guest_was_on_when_they_began() -> None:
    moved = np.datetime64("2026-03-02T01:00", "ms")
    topology = Topology.of(
        [
            Entity(id="h1", kind="host"),
            Entity(id="h2", kind="host"),
            Entity(id="v1", kind="vm", parent="h2", former=((moved, "h1"),)),
            Entity(id="v1/console", kind="console", parent="v1"),
        ]
    )
    found = group_episodes([episode("h1", 20, 50), episode("v1/console", 30, 90), episode("v1", 75, 90)], topology)
    assert [[e.id for e in window.episodes] for window in found] == [["h120", "v1/console30"], ["v175"]]
    assert [window.entities for window in found] == [("h1", "v1", "v1/console"), ("h2", "v1", "v1/console")]


def test_a_guest_that_comes_during_an_incident_is_among_those_whom_it_concerns() -> None:
    moved = np.datetime64("2026-03-02T01:00", "ms")
    guest = Entity(id="v1", kind="vm", parent="h2", former=((moved, "h1"),))
    topology = Topology.of([Entity(id="h1", kind="host"), Entity(id="h2", kind="host"), guest])
    concerned = [group_episodes([episode("h2", *span)], topology)[0].entities for span in ((20, 59), (20, 90))]
    assert concerned == [("h2",), ("h2", "v1")]


def test_a_path_that_answers_nothing_is_told_from_one_that_loses_packets() -> None:
    fleet = simulate(FLEET)
    panel = fleet.panels["link"]
    names = [metric.name for metric in panel.metrics]
    values = np.concatenate([panel.values, np.zeros((*panel.values.shape[:2], 1), np.float32)], axis=2)
    start, end = panel.end - np.timedelta64(90, "m"), panel.end
    gone = slice(-45, None)
    values[0, gone, :] = np.nan
    values[0, gone, names.index("link_loss_pct")] = 100.0
    values[0, gone, -1] = 100.0
    silent = replace(panel, metrics=(*panel.metrics, Catalogue.load().metrics["link_unreachable_pct"]), values=values)
    broken = replace(fleet, panels={**fleet.panels, "link": silent})
    link = panel.entity_ids[0]
    diagnosis = diagnose(broken, Incident(id="x", group="", start=start, end=end, entity=link, cause=""))
    assert (diagnosis.top.id, diagnosis.top.entity) == ("NET-12", link)
