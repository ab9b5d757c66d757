"""Remedies: what ships is sound, what is not is refused, and names stay words."""

from pathlib import Path

import numpy as np
import pytest

from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.entities import Entity, Topology
from brownout.domain.errors import KnowledgeError
from brownout.domain.findings import UNKNOWN, Cause, Diagnosis
from brownout.planning.actions import plan_diagnosis
from brownout.planning.remedies import Remedies

GOOD = """
[remedies.X]
title = "Do"
command = "{command}"
confirm = "uptime"
verify = "vm_cpu_pct"
risk = "{risk}"
rollback = "none"
gain = {gain}

[breaches]
vm_cpu_pct = "{breach}"
"""


def load(
    folder: Path, *, command: str = "true", risk: str = "live", gain: str = "[0.1, 0.2]", breach: str = "X"
) -> Remedies:
    text = GOOD
    for key, value in {"command": command, "risk": risk, "gain": gain, "breach": breach}.items():
        text = text.replace("{" + key + "}", value)
    (folder / "remedies.toml").write_text(text)
    return Remedies.load(folder)


def test_every_cause_has_a_remedy() -> None:
    remedies, knowledge = Remedies.load(), Knowledge.load()
    for cause in knowledge.causes.values():
        remedy = remedies.of(cause.id, cause.family.value)
        assert remedy.id != "unknown", cause.id
        assert remedy.confirm, cause.id


def test_what_is_unknown_is_answered_by_measuring() -> None:
    remedy = Remedies.load().of("no-such-cause", "no-such-family")
    assert remedy.id == "unknown"
    assert remedy.command == ""


@pytest.mark.parametrize(
    "command",
    ["virsh destroy {vm}", "virsh -c x undefine {vm}", "chrt -f 99 1", "rm -rf /x", "swapoff -a", "mkfs /dev/sda",
     "sed -i s/a/b/ /etc/libvirt/qemu/vm.xml", "echo 3 > /proc/sys/vm/drop_caches"],
)  # fmt: skip
def test_commands_that_cannot_be_undone_are_refused(command: str, tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="forbidden"):
        load(tmp_path, command=command)


@pytest.mark.parametrize(
    ("change", "says"),
    [({"command": "x {hots}"}, "'hots'.*'host'"), ({"risk": "none"}, "none"), ({"gain": "[0.5, 0.1]"}, "gain"),
     ({"gain": "[0.5, 1.1]"}, "gain"), ({"breach": "HW-1"}, "'HW-1'.*'HW-01'")],
)  # fmt: skip
def test_a_malformed_remedy_is_named(change: dict[str, str], says: str, tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match=says):
        load(tmp_path, **change)


def test_every_cause_told_gets_an_action_and_the_nearest_rival_after_them() -> None:
    causes = [
        Cause(id="HW-01", title="", family="cpu", entity="h", probability=0.7),
        Cause(id="LEAK-01", title="", family="memory", entity="vm", probability=0.9, contributing=True),
        Cause(id="CONT-01", title="", family="cpu", entity="vm", probability=0.28),
        Cause(id=UNKNOWN, title="", family=UNKNOWN, entity="", probability=0.02),
    ]
    start = np.datetime64("2026-03-02", "ms")
    end = start + np.timedelta64(1, "h")
    found = Diagnosis(id="d", start=start, end=end, open=True, entities=("h",), episodes=(), causes=tuple(causes))
    topology = Topology.of([Entity(id="h", kind="host"), Entity(id="vm", kind="vm", parent="h")])
    actions = plan_diagnosis(found, [], topology, Remedies.load())
    assert [(action.cause, bool(action.reason)) for action in actions] == [
        ("HW-01", False),
        ("LEAK-01", False),
        ("CONT-01", True),
    ]


def test_of_what_is_over_only_prevention_is_left() -> None:
    def over(cause: str) -> list[tuple[str, bool]]:
        start = np.datetime64("2026-03-02", "ms")
        known = Cause(id=cause, title="", family="cpu", entity="vm", probability=0.9)
        end = start + np.timedelta64(1, "h")
        found = Diagnosis(id="d", start=start, end=end, open=False, entities=("vm",), episodes=(), causes=(known,))
        actions = plan_diagnosis(found, [], Topology.of([Entity(id="vm", kind="vm")]), Remedies.load())
        return [(action.remedy, action.prevention) for action in actions]

    assert over("VIRT-04") == [("VIRT-04", True)]
    assert over("LEAK-01") == [("limit-memory", True)], "a restart of today does not keep the leak from coming back"
    assert over("HW-01") == over("PWR-01") == over(UNKNOWN) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('prevention = "VIRT-99"', "'VIRT-99'"),
        ('protocol = "spice"', "belong together"),
        ('command = "@migrat"', "'migrate'"),
        ('check = "virsh destroy x"', "forbidden"),
        ('command = "virsh list"\nconfirm = "virsh list"', "the same"),
    ],
)
def test_a_site_cannot_name_what_is_not_there(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "remedies.toml").write_text(f"[remedies.VIRT-04]\n{text}\n")
    with pytest.raises(KnowledgeError, match=says):
        Remedies.load(tmp_path)


def test_what_an_operator_looks_at_afterwards_is_named_in_words_with_its_unit(tmp_path: Path) -> None:
    for remedy in Remedies.load().table.values():
        assert bool(remedy.verify_title) == bool(remedy.verify), remedy.id
        assert "_" not in remedy.verify_title, remedy.id
    remedies = load(tmp_path)
    assert remedies.of("X").verify_title == "Guest CPU use (%)"
    (tmp_path / "catalogue.toml").write_text('[metrics.vm_cpu_pct]\ntitle = "Our CPU"\nunit = "pct"\n')
    assert Remedies.load(tmp_path).of("X").verify_title == "Our CPU (pct)"
    (tmp_path / "remedies.toml").write_text('[remedies.HW-01]\nverify = "network_in"\n')
    assert Remedies.load(tmp_path).of("HW-01").verify_title == "network traffic received"
