"""What operators read: no metric ids, and every term of QEMU explained where it stands."""

import re
from collections.abc import Iterator

import pytest

from brownout.diagnosis.evidence.statements import explain
from brownout.diagnosis.evidence.symptoms import SymptomMatch
from brownout.site_knowledge import load_definitions

DEFINITIONS = load_definitions()
GLOSSES = {
    r"main loop": r"the thread that serves display and devices",
    r"emulator threads": r"display, devices",
    r"[Bb]alloon": r"the driver that hands guest memory back to the host",
    r"IOThread": r"thread of their own",
    r"encode worker": r"the QEMU thread that compresses the screen",
    r"vdagent": r"SPICE agent",
    r"NUMA": r"socket",
    r"virtio": r"paravirtual",
    r"Hyper-V": r"timers and interrupts",
    r"MTU": r"largest packet",
    r"Nagle": r"held back|holds",
    r"huge pages": r"2 MiB|fragmented|asked for",
    r"softirq": r"[Ii]nterrupt",
    r"[Ee]mulat(ed|ion)": r"QEMU acts|QEMU acting|without KVM",
    r"\bQEMU\b(?!'s| acts| acting| thread)": r"the process that runs",
}
"""Words that only somebody who knows QEMU's insides understands, and what has to stand beside them."""


def texts() -> Iterator[tuple[str, str]]:
    yield from ((metric.name, metric.title) for metric in DEFINITIONS.catalogue.metrics.values())
    yield from ((rule.id, rule.title) for rule in DEFINITIONS.rules)
    yield from ((symptom.id, symptom.says) for symptom in DEFINITIONS.knowledge.symptoms.values())
    yield from ((cause.id, cause.title) for cause in DEFINITIONS.knowledge.causes.values())
    yield from ((remedy.id, remedy.title) for remedy in DEFINITIONS.remedies.table.values())


def test_no_text_holds_the_id_of_a_metric_or_symptom() -> None:
    ids = {name for name in (*DEFINITIONS.catalogue.metrics, *DEFINITIONS.knowledge.symptoms) if "_" in name}
    assert [(name, text) for name, text in texts() if ids & set(re.findall(r"\w+", text))] == []


@pytest.mark.parametrize("term", GLOSSES)
def test_a_term_of_qemu_stands_with_its_gloss(term: str) -> None:
    found = [(name, text) for name, text in texts() if re.search(term, text)]
    assert [(name, text) for name, text in found if not re.search(GLOSSES[term], text)] == []


def test_what_is_not_measured_is_named_in_words() -> None:
    knowledge = DEFINITIONS.knowledge
    ids = {name for name in (*DEFINITIONS.catalogue.metrics, *knowledge.symptoms) if "_" in name}
    for cause in knowledge.causes.values():
        for rule in cause.evidence:
            statement = explain(rule, knowledge.symptoms, None).statement
            assert statement.startswith("not measured: ")
            assert not ids & set(re.findall(r"\w+", statement)), statement


def test_a_statement_fills_in_every_placeholder() -> None:
    for symptom in DEFINITIONS.knowledge.symptoms.values():
        assert set(re.findall(r"\{(\w+)\}", symptom.says)) <= {"entity", "observed", "usual", "unit"}, symptom.id
    cause = DEFINITIONS.knowledge.causes["VIRT-05"]
    rule = next(rule for rule in cause.evidence if rule.symptom == "disk_emulated")
    seen = explain(rule, DEFINITIONS.knowledge.symptoms, SymptomMatch(1.0, "vm7", label="ide"))
    assert "vm7" in seen.statement
    assert "ide" in seen.statement
