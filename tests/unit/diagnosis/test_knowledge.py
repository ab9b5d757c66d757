"""The knowledge as a whole: a cause is added by data alone, and what cannot be told apart is refused."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.diagnosis.inference.cause_ranking import Diagnoser
from brownout.diagnosis.inference.explanation import decider, summarise
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.definitions import definitions_folder
from brownout.domain.entities import Entity, Topology
from brownout.domain.errors import KnowledgeError
from brownout.domain.findings import UNKNOWN, Cause, Diagnosis, Evidence, EvidenceRole, EvidenceState
from brownout.domain.metrics import Catalogue
from brownout.domain.panel import Panel
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.fleet import Fleet

SHIPPED = definitions_folder() / "knowledge"
FLEET = FleetSettings(hosts=2, vms=12, days=8, interval_s=300, seed=4, signatures=True)


def diagnose(fleet: Fleet, knowledge: Knowledge, place: int = 0) -> Diagnosis:
    incident = fleet.incidents[place]
    members = tuple(entity.id for entity in fleet.topology if entity.group == incident.group)
    panels = [
        panel.select(entities=[i for i, name in enumerate(panel.entity_ids) if name in members]).between(
            panel.start, incident.end
        )
        for panel in fleet.panels.values()
    ]
    window = IncidentWindow(id="i", start=incident.start, end=incident.end, entities=members)
    return Diagnoser(knowledge).diagnose(window, panels, fleet.topology)


def test_all_causes_and_all_artefacts_are_known() -> None:
    causes = Knowledge.load().causes
    prefixes = {"HW": 6, "NET": 11, "VIRT": 21, "PWR": 2, "SW": 6, "CONT": 13, "LEAK": 3, "MAINT": 7, "ART": 8}
    for prefix, count in prefixes.items():
        assert sum(name.startswith(f"{prefix}-") for name in causes) == count, prefix
    assert all(cause.artefact == name.startswith("ART") for name, cause in causes.items())


NEW = """
[causes.SITE-01]
title = "The scanner of this site"
family = "disk"
kind = "disk"
prior = 5
evidence = [
  { symptom = "queue_long", where = "self", role = "necessary" },
  { symptom = "disk_busy", where = "self", role = "excluding" },
]
"""
SYMPTOM = """
[symptoms.queue_long]
metric = "disk_queue"
direction = "up"
says = "{observed} requests waited for {entity} (usually {usual})"
source = "this site"
"""


def test_a_cause_is_added_by_data_alone(tmp_path: Path) -> None:
    folder = tmp_path / "knowledge"
    shutil.copytree(SHIPPED, folder)
    (folder / "causes.toml").write_text((folder / "causes.toml").read_text() + NEW)
    (folder / "symptoms.toml").write_text((folder / "symptoms.toml").read_text() + SYMPTOM)
    queue = Catalogue.load().select(["disk_queue", "disk_util_pct"])
    values = np.random.default_rng(0).lognormal(0, 0.1, (1, 400, 2)).astype(np.float32)
    values[0, 380:, 0] = 90
    panel = Panel(values, np.datetime64("2026-03-02", "ms"), 300, (Entity(id="h/sda", kind="disk"),), queue)
    window = IncidentWindow(id="i", start=panel.times[380], end=panel.end, entities=("h/sda",))
    topology = Topology.of(panel.entities)
    before, after = (
        Diagnoser(knowledge).diagnose(window, [panel], topology)
        for knowledge in (Knowledge.load(), Knowledge.load(folder))
    )
    assert before.top.id == UNKNOWN
    assert (after.top.id, after.top.entity) == ("SITE-01", "h/sda")
    assert "90 requests waited for h/sda" in after.summary


def test_a_cause_that_nothing_tells_from_another_must_say_so(tmp_path: Path) -> None:
    folder = tmp_path / "knowledge"
    shutil.copytree(SHIPPED, folder)
    causes = (folder / "causes.toml").read_text()
    twin = NEW.replace('"queue_long"', '"disk_full"').replace('kind = "disk"', 'kind = "path"')
    twin = "\n".join(line for line in twin.splitlines() if "excluding" not in line)
    (folder / "causes.toml").write_text(causes + twin)
    with pytest.raises(KnowledgeError, match="MAINT-04"):
        Knowledge.load(folder)
    (folder / "causes.toml").write_text(causes.replace('decider = "the sum', 'nothing = "the sum'))
    with pytest.raises(KnowledgeError, match="HW-03"):
        Knowledge.load(folder)


@pytest.mark.parametrize(
    ("given", "written", "named"),
    [
        ('along = "vm_cpu_pct"\n', "", "asked_more"),
        ('measure = "along"\nalong', "along", "asked_more"),
        ('along = "vm_cpu_pct"', 'along = "vm_cpu"', "vm_cpu"),
    ],
)
def test_a_symptom_beside_another_metric_names_both_or_is_refused(
    given: str, written: str, named: str, tmp_path: Path
) -> None:
    folder = tmp_path / "knowledge"
    shutil.copytree(SHIPPED, folder)
    symptoms = (SHIPPED / "symptoms.toml").read_text()
    assert symptoms.count(given) == 1
    (folder / "symptoms.toml").write_text(symptoms.replace(given, written))
    with pytest.raises(KnowledgeError, match=named):
        Knowledge.load(folder)


def test_causes_can_be_taken_out_of_the_data(tmp_path: Path) -> None:
    folder = tmp_path / "knowledge"
    shutil.copytree(SHIPPED, folder)
    tables = (folder / "causes.toml").read_text().split("\n[causes.")
    kept = [table for table in tables if not table.startswith(("CONT-04", "MAINT-06"))]
    (folder / "causes.toml").write_text("\n[causes.".join(kept))
    left = set(Knowledge.load().causes) - set(Knowledge.load(folder).causes)
    assert left == {"CONT-04", "MAINT-06"}


def test_configuration_is_evidence_only_with_its_effect() -> None:
    fleet = simulate(replace(FLEET, faults=1, only_causes=("VIRT-05",)))
    knowledge = Knowledge.load()
    assert diagnose(fleet, knowledge).top.id == "VIRT-05"
    sound = Topology.of(
        replace(e, labels={**e.labels, "disk_bus": "virtio"}) if e.kind == "vm" else e for e in fleet.topology
    )
    assert diagnose(replace(fleet, topology=sound), knowledge).top.id != "VIRT-05"


def test_what_is_not_in_the_knowledge_is_not_called_something_else_with_confidence() -> None:
    fleet = simulate(replace(FLEET, faults=1, only_causes=("MAINT-06",)))
    assert diagnose(fleet, Knowledge.load()).top.id == "MAINT-06"
    assert diagnose(fleet, Knowledge.load().without("MAINT-06")).top.id == UNKNOWN


def test_silence_of_guests_is_an_answer() -> None:
    fleet = simulate(replace(FLEET, faults=1, only_causes=("MAINT-07",)))
    assert diagnose(fleet, Knowledge.load()).top.id == "MAINT-07"


def test_guests_are_silent_though_the_kernel_still_tells_of_their_processes() -> None:
    fleet = simulate(replace(FLEET, faults=1, only_causes=("MAINT-07",)))
    guests = fleet.panels["vm"]
    values = guests.values.copy()
    column = values[:, :, guests.metric_names.index("vm_qemu_cpu_pct")]
    column[~np.isfinite(column)] = np.nanmedian(column)
    whole = replace(fleet, panels={**fleet.panels, "vm": replace(guests, values=values)})
    assert diagnose(whole, Knowledge.load()).top.id == "MAINT-07"


def test_look_alikes_name_the_measurement_that_decides() -> None:
    fleet = simulate(replace(FLEET, faults=1, only_causes=("CONT-04",)))
    found = diagnose(fleet, Knowledge.load())
    assert {cause.id for cause in found.causes[:2]} == {"CONT-04", "HW-03"}
    assert "maximum memory" in found.decider
    assert found.decider in found.summary
    assert found.causes[0].counter_evidence == ""
    assert all(cause.counter_evidence for cause in found.causes[1:] if cause.id != UNKNOWN)
    sure = replace(found.causes[0], probability=0.99)
    assert decider((sure, *found.causes[1:]), Knowledge.load()) == ""


def test_what_nothing_speaks_for_is_not_the_nearest_explanation() -> None:
    unknown = Cause(id=UNKNOWN, title="Unknown", family=UNKNOWN, entity="", probability=0.9)
    missing = Evidence(
        symptom="announced", role=EvidenceRole.NECESSARY, state=EvidenceState.MISSING, strength=0.0,
        series=None, statement="not measured: host_maintenance",
    )  # fmt: skip
    seen = replace(missing, symptom="swaps", state=EvidenceState.PRESENT, strength=0.4, statement="kvm1 swaps a little")
    silent = Cause(
        id="MAINT-01", title="Maintenance", family="other", entity="kvm1", probability=0.05, evidence=(missing,)
    )
    shown = replace(silent, id="CONT-04", title="Swapping", probability=0.03, evidence=(seen, missing))
    assert summarise((unknown, silent), Knowledge.load()) == "Nothing that is known explains this."
    assert "Nearest is Swapping at kvm1" in summarise((unknown, silent, shown), Knowledge.load())
