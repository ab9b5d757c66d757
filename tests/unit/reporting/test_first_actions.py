"""Do first: what is open, then what is ahead; nothing for what is over but prevention; blanks are explained."""

from dataclasses import replace

from nights import night

from brownout.domain.findings import Action, Diagnosis, Find
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


def test_a_value_to_find_stands_before_the_command_that_needs_it() -> None:
    made = night()
    find = Find(name="unit", meaning="the service with the most memory", command='unit=$(ssh vm ps); echo "$unit"')
    restart = replace(made.actions[0], command='ssh vm systemctl restart "$unit"', finds=(find,))
    report = report_of(replace(made, actions=(restart,)))
    page, text = render_html(report), render_markdown(report)
    assert "the service with the most memory" in page
    assert page.index("unit=$(ssh vm ps)") < page.index("systemctl restart")
    assert text.index("unit=$(ssh vm ps)") < text.index("systemctl restart")


def test_what_no_command_does_is_said_in_words() -> None:
    made = night()
    by_hand = replace(made.actions[1], command="", rollback="", by_hand="clean or replace the fan")
    report = report_of(replace(made, actions=(by_hand,)))
    assert "clean or replace the fan" in render_html(report)
    assert "clean or replace the fan" in render_markdown(report)
