"""Do first: what is open, then what is ahead; nothing for what is over but prevention; blanks are explained."""

import re
import tomllib
from dataclasses import replace
from importlib.resources import files

from nights import night

from brownout.domain.definitions import definitions_folder
from brownout.domain.entities import Entity, Topology
from brownout.domain.findings import Action, Diagnosis
from brownout.domain.night import Night
from brownout.reporting import render_html, render_markdown, report_of


def with_incidents(made: Night, *parts: tuple[Diagnosis, Action]) -> Night:
    actions = (*made.actions[:1], *(action for _, action in parts))
    return replace(made, diagnoses=tuple(diagnosis for diagnosis, _ in parts), actions=actions)


def test_first_comes_what_is_open_then_what_is_ahead() -> None:
    first = report_of(night()).first
    assert [(action.title, action.state) for action in first] == [
        ("Move guests off the host", "open"),
        ("Restart the process that leaks", "forecast"),
    ]


def test_there_is_no_card_for_what_is_over_but_its_prevention() -> None:
    made = night()
    over = replace(made.diagnoses[0], open=False)
    assert [action.state for action in report_of(replace(made, diagnoses=(over,))).first] == ["forecast"]
    lasting = replace(made.actions[1], prevention=True, title="Reserve CPUs for the host")
    report = report_of(replace(made, diagnoses=(over,), actions=(made.actions[0], lasting)))
    assert [(action.title, action.state) for action in report.first] == [
        ("Restart the process that leaks", "forecast"),
        ("Reserve CPUs for the host", "over"),
    ]
    assert '<span class="state fine">prevention</span>' in render_html(report)
    assert "**Reserve CPUs for the host**, kvm1 (prevention)" in render_markdown(report)


def test_the_worst_open_incident_comes_first_then_the_surest_and_nothing_twice() -> None:
    made = night()
    diagnosis, action = made.diagnoses[0], made.actions[1]
    episodes = tuple(replace(made.episodes[1], id=f"e{n}", severity=s) for n, s in ((10, 1.1), (11, 3.0), (12, 1.1)))
    doubtful = replace(diagnosis.causes[0], probability=0.4)
    parts = [
        (
            replace(diagnosis, id="a", episodes=("e10",), causes=(doubtful,)),
            replace(action, about="a", title="doubtful"),
        ),
        (replace(diagnosis, id="b", episodes=("e11",)), replace(action, about="b", title="worst")),
        (replace(diagnosis, id="c", episodes=("e12",)), replace(action, about="c", title="sure")),
        (replace(diagnosis, id="d", episodes=("e12",)), replace(action, about="d", title="worst")),
    ]
    report = report_of(with_incidents(replace(made, episodes=episodes), *parts))
    assert [a.title for a in report.first] == ["worst", "sure", "doubtful", "Restart the process that leaks"]


def test_of_breaches_what_is_exceeded_comes_before_what_is_probable() -> None:
    made = night()
    leak, busy = made.breaches
    wait = replace(made.actions[0], about="kvm1 host_cpu_busy_pct", title="Free the host")
    calm = replace(made, diagnoses=(), actions=(made.actions[0], wait))
    assert [a.title for a in report_of(calm).first] == ["Restart the process that leaks", "Free the host"]
    beyond = replace(calm, breaches=(leak, replace(busy, exceeded=True)))
    assert [a.title for a in report_of(beyond).first] == ["Free the host", "Restart the process that leaks"]


def test_a_blank_says_what_it_is_how_to_find_it_and_what_fits_here() -> None:
    made = night()
    more = [
        Entity(id="vm2", kind="vm", parent="kvm1"),
        Entity(id="kvm3", kind="host"),
        Entity(id="vm3", kind="vm", parent="kvm3"),
    ]
    report = report_of(replace(made, topology=Topology.of([*made.topology, *more])))
    guest, target = report.first[0].blanks
    assert (guest.name, guest.candidates) == ("GUEST", ("vm1", "vm2"))
    assert (target.name, target.candidates) == ("TARGET", ("kvm3",)), "not itself, and not the silent kvm2"
    text = render_markdown(report)
    assert "`GUEST` is the guest to act on: virsh list on the host shows its guests" in text
    assert "; here vm1, vm2." in text
    within = replace(made.actions[1], command="virsh migrate GUEST qemu+ssh://TARGET/system")
    assert [b.name for b in report_of(replace(made, actions=(within,))).first[0].blanks] == ["GUEST", "TARGET"]
    assert "Here: kvm3" in render_html(report)


def test_every_blank_of_the_remedies_is_explained() -> None:
    with (definitions_folder() / "knowledge" / "remedies.toml").open("rb") as file:
        remedies = tomllib.load(file)["remedies"].values()
    texts = [remedy[key] for remedy in remedies for key in ("command", "confirm", "rollback")]
    words = {word for text in texts for word in re.findall(r"(?<![\w-])[A-Z][A-Z_]+(?!\w)", text)}
    no_blanks = {"ALL", "CPU", "DEV", "I", "LLC", "MTU", "NIC", "NUMA", "QEMU", "SPICE", "XML", "FF", "RR"}
    blanks = tomllib.loads(files("brownout.reporting").joinpath("assets", "blanks.toml").read_text())
    assert words - set(blanks) - no_blanks == set()
