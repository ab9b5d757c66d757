"""What an owner calls a guest stands beside the name that it goes by, wherever it is named."""

from dataclasses import replace

from nights import night

from brownout.domain.entities import Topology
from brownout.domain.night import Night
from brownout.reporting import render_html, render_markdown, report_of
from brownout.reporting.owners_names import named, owners_names


def titled(title: str) -> Night:
    made = night()
    entities = [
        replace(one, labels={**one.labels, "display_name": title}) if one.id == "vm1" else one for one in made.topology
    ]
    return replace(made, topology=Topology.of(entities))


def test_the_name_is_shown_in_text_and_page_and_its_script() -> None:
    report = report_of(titled("web shop"))
    assert "vm1 (web shop)" in render_markdown(report)
    page = render_html(report)
    assert 'vm1</a> <span class="dim">(web shop)</span>' in page
    assert '"called":{"' in page


def test_a_hostile_name_stays_text() -> None:
    report = report_of(titled("<script>alert(1)</script>\x1b[2J"))
    assert "<script>alert(1)" not in render_html(report)
    assert "\x1b" not in render_markdown(report) + render_html(report)


def test_names_are_of_guests_and_their_consoles_and_never_said_twice() -> None:
    topology = [
        {"id": "instance-1", "kind": "vm", "labels": {"display_name": "web"}},
        {"id": "instance-1/console", "kind": "console", "parent": "instance-1"},
        {"id": "shop (red)", "kind": "vm", "labels": {"display_name": "shop"}},
        {"id": "kvm1", "kind": "host", "labels": {}},
    ]
    names = owners_names(topology)
    assert names == {"instance-1": "web", "instance-1/console": "web"}
    assert [named(names, name) for name in ("instance-1", "kvm1")] == ["instance-1 (web)", "kvm1"]
