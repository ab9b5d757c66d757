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


def test_artefacts_and_faults_are_told_apart_by_their_names() -> None:
    causes = Knowledge.load().causes
    assert causes
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


def shipped_copy(folder: Path, file: str, given: str, written: str) -> Path:
    """A copy of models/ in which one text of a file, which stands there once, is another one."""
    copy = folder / "models"
    shutil.copytree(definitions_folder(), copy)
    text = (copy / file).read_text()
    assert text.count(given) == 1
    (copy / file).write_text(text.replace(given, written))
    return copy


def test_a_cause_is_added_by_data_alone(tmp_path: Path) -> None:
    (tmp_path / "causes.toml").write_text(NEW)
    (tmp_path / "symptoms.toml").write_text(SYMPTOM)
    queue = Catalogue.load().select(["disk_queue", "disk_util_pct"])
    values = np.random.default_rng(0).lognormal(0, 0.1, (1, 400, 2)).astype(np.float32)
    values[0, 380:, 0] = 90
    panel = Panel(values, np.datetime64("2026-03-02", "ms"), 300, (Entity(id="h/sda", kind="disk"),), queue)
    window = IncidentWindow(id="i", start=panel.times[380], end=panel.end, entities=("h/sda",))
    topology = Topology.of(panel.entities)
    before, after = (
        Diagnoser(knowledge).diagnose(window, [panel], topology)
        for knowledge in (Knowledge.load(), Knowledge.load(tmp_path))
    )
    assert before.top.id == UNKNOWN
    assert (after.top.id, after.top.entity) == ("SITE-01", "h/sda")
    assert "90 requests waited for h/sda" in after.summary


def test_a_cause_that_nothing_tells_from_another_must_say_so(tmp_path: Path) -> None:
    fills = '"disk_full", where = "self", or = [{ symptom = "disk_fills", where = "self" }]'
    twin = NEW.replace('"queue_long", where = "self"', fills).replace('kind = "disk"', 'kind = "path"')
    twin = "\n".join(line for line in twin.splitlines() if "excluding" not in line)
    (tmp_path / "causes.toml").write_text(twin)
    with pytest.raises(KnowledgeError, match="MAINT-04"):
        Knowledge.load(tmp_path)
    (tmp_path / "causes.toml").write_text('[causes.HW-03]\ndecider = ""\n')
    with pytest.raises(KnowledgeError, match="HW-03"):
        Knowledge.load(tmp_path)


@pytest.mark.parametrize(
    ("given", "written", "named"),
    [
        ('along = "vm_cpu_pct"\n', "", "asked_more"),
        ('measure = "along"\nalong = "vm_cpu_pct"', 'along = "vm_cpu_pct"', "asked_more"),
        ('along = "vm_cpu_pct"', 'along = "vm_cpu"', "vm_cpu"),
    ],
)
def test_a_symptom_beside_another_metric_names_both_or_is_refused(
    given: str, written: str, named: str, tmp_path: Path
) -> None:
    shipped = shipped_copy(tmp_path, "knowledge/symptoms.toml", given, written)
    with pytest.raises(KnowledgeError, match=named):
        Knowledge.load(shipped=shipped)


def test_a_site_takes_causes_and_symptoms_out(tmp_path: Path) -> None:
    (tmp_path / "causes.toml").write_text("[causes.CONT-04]\nenabled = false\n[causes.MAINT-06]\nenabled = false\n")
    (tmp_path / "symptoms.toml").write_text("[symptoms.cpu_pressure]\nenabled = false\n")
    shipped, site = Knowledge.load(), Knowledge.load(tmp_path)
    assert set(shipped.causes) - set(site.causes) == {"CONT-04", "MAINT-06"}
    assert site.causes["HW-03"].alike == ()
    assert "cpu_pressure self" in {rule.name for rule in shipped.causes["HW-01"].evidence}
    assert "cpu_pressure self" not in {rule.name for rule in site.causes["HW-01"].evidence}


def test_a_site_overrides_one_key_and_keeps_the_others(tmp_path: Path) -> None:
    (tmp_path / "symptoms.toml").write_text("[symptoms.ready]\nhigh = 20\n")
    (tmp_path / "causes.toml").write_text("[causes.cpu]\nprior = 3\n")
    shipped, site = Knowledge.load(), Knowledge.load(tmp_path)
    assert site.symptoms["ready"] == replace(shipped.symptoms["ready"], high=20)
    assert site.causes["cpu"] == replace(shipped.causes["cpu"], prior=3.0)


def test_evidence_that_a_site_wrote_has_no_learned_weights(tmp_path: Path) -> None:
    evidence = '[{ symptom = "role_cpu_up", where = "self", role = "necessary" }]'
    (tmp_path / "causes.toml").write_text(f"[causes.cpu]\nevidence = {evidence}\n")
    assert [rule.weight for rule in Knowledge.load(tmp_path).causes["cpu"].evidence] == [None]


def test_learned_weights_of_other_evidence_are_refused(tmp_path: Path) -> None:
    table = (definitions_folder() / "knowledge" / "learned.toml").read_text().partition("[learned.disk.weights]\n")[2]
    shipped = shipped_copy(tmp_path, "knowledge/learned.toml", table.splitlines(keepends=True)[0], "")
    with pytest.raises(KnowledgeError, match=r"learned\.disk"):
        Knowledge.load(shipped=shipped)


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
