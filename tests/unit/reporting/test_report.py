"""Reports: one set of data, three faces, hostile names stay text."""

import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nights import HOSTILE, driven, hours, night

from brownout.domain.findings import Mover
from brownout.domain.findings.capacity_plan import HardwareOutlook, Resource
from brownout.domain.findings.service_levels import ConsoleService
from brownout.domain.forecasts import Series
from brownout.reporting import render_html, render_markdown, report_of
from brownout.reporting.markdown import escape_markdown, inline_code
from brownout.reporting.numbers import clock, figure, percent, span
from brownout.reporting.views.changes import shortened

GOLDEN = Path(__file__).parents[2] / "golden" / "report.md"


def test_markdown_is_as_it_was_reviewed() -> None:
    """After a deliberate change: ``BROWNOUT_RENEW_GOLDEN=1 pytest tests/unit/reporting/test_report.py``."""
    text = render_markdown(report_of(night()))
    if os.environ.get("BROWNOUT_RENEW_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_the_headline_counts_what_goes_on_what_will_and_what_may() -> None:
    assert report_of(night()).summary.headline == (
        "1 incident is going on, 1 limit will probably be crossed within 24 h, 1 more may be."
    )


def test_what_is_beyond_its_limit_already_is_no_forecast() -> None:
    made = night()
    beyond = [replace(breach, exceeded=True, now=200.0) for breach in made.breaches]
    summary = report_of(replace(made, breaches=(beyond[0], made.breaches[1]))).summary
    assert summary.headline == "1 incident is going on, 1 limit is exceeded, 1 limit may be crossed within 24 h."
    assert summary.sentences[-3] == (
        "Guest memory usable of vm1 is beyond 10 % now, and probably for 2 h of the next 24 h."
    )
    both = report_of(replace(made, breaches=tuple(beyond))).summary
    assert both.headline == "1 incident is going on, 2 limits are exceeded."
    assert (both.breaches, both.exceeded) == (2, 2)
    assert any(sentence.endswith("of the next 24 h; one more is.") for sentence in both.sentences)


def test_what_moved_first_is_named_first() -> None:
    made = night()
    early = Mover(series=Series("vm1", "vm_ready_pct"), usual=1, peak=9, deviation=8, onset=hours(19))
    host = Mover(series=Series("kvm1", "host_cpu_busy_pct"), usual=1, peak=9, deviation=80, onset=hours(19.5))
    guest = replace(made.episodes[1], id="e5", entity="vm1", severity=1.1, movers=(early,))
    busy = replace(made.episodes[1], id="e6", entity="kvm1", severity=3.0, movers=(host,))
    unknown = replace(made.diagnoses[0], episodes=("e1", "e5", "e6"), causes=made.diagnoses[0].causes[1:])
    report = report_of(replace(made, episodes=(*made.episodes, guest, busy), diagnoses=(unknown,)))
    (incident,) = report.incidents
    assert incident.abnormal == ("vm1", "kvm1", "vm1/console")
    assert incident.first is not None
    assert incident.first.series == Series("vm1", "vm_ready_pct")
    assert report.summary.sentences[1].startswith("vm1 behaves abnormally since")


def test_limits_of_the_weeks_after_the_horizon_are_told_apart() -> None:
    made = night()
    leak, busy = made.breaches
    later = replace(leak, horizon_s=20 * 86_400)
    headline = report_of(replace(made, breaches=(busy, later))).summary.headline
    assert headline == (
        "1 incident is going on, 1 limit may be crossed within 24 h, 1 limit may be crossed in the weeks after."
    )


def test_consoles_at_risk_are_those_of_incidents_and_breaches() -> None:
    summary = report_of(night()).summary
    assert (summary.consoles_at_risk, summary.consoles) == (1, 1)


def test_fleet_is_worst_first() -> None:
    fleet = report_of(night()).fleet
    assert [(root.entity, root.status) for root in fleet] == [("kvm1", "incident"), ("kvm2", "silent")]
    assert fleet[0].below == {"vm": 1, "console": 1}


class Structure(HTMLParser):
    """Tags and attribute names in order, with what scripts hold."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for key, value in attrs if key in {"href", "src"} or key.startswith("on")]


def structure(page: str) -> Structure:
    parser = Structure()
    parser.feed(page)
    return parser


def test_hostile_names_change_nothing_of_the_page_but_its_text() -> None:
    plain, hostile = (structure(render_html(report_of(night(name)))) for name in ("vm1", HOSTILE))
    assert plain.tags == hostile.tags
    safe = re.compile(r"#[a-z-]+|#(incident|[abe])-[0-9a-z]+|data:,|report\.(json|md)")
    assert [link for link in (*plain.links, *hostile.links) if not safe.fullmatch(link)] == []
    assert len(plain.links) == len(hostile.links)


def test_the_page_loads_nothing_and_its_policy_says_so() -> None:
    page = render_html(report_of(night()))
    assert "default-src 'none'" in page
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=\"(?!data:,)", page)
    assert 'style="' not in page.split("<script")[0]


def test_hostile_names_stay_text_in_markdown() -> None:
    text = render_markdown(report_of(night(HOSTILE)))
    assert "<script>" not in text
    assert not re.search(r"(?<!\\)\]\(javascript", text)
    table = [line for line in text.splitlines() if line.startswith("|")]
    cells = {len(re.findall(r"(?<!\\)\|", line)) for line in table}
    assert cells == {8}


@given(st.text())
def test_inline_code_ends_where_it_should(text: str) -> None:
    code = str(inline_code(text))
    fence = re.match(r"`+", code)
    assert fence
    inner = code[len(fence[0]) : -len(fence[0])]
    assert fence[0] not in inner
    assert code.endswith(fence[0])


def test_escape_leaves_numbers_and_escapes_marks() -> None:
    assert escape_markdown(3.5) == 3.5
    assert escape_markdown("a|b*c\n<d>") == r"a\|b\*c \<d\>"


@pytest.mark.parametrize(
    ("seconds", "text"), [(90, "2 min"), (3600, "1 h"), (5400, "1 h 30 min"), (86_400, "24 h"), (90 * 3600, "3 d 18 h")]
)
def test_spans_for_people(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.0, "0"), (0.00001, "0"), (0.1234, "0.123"), (12.345, "12.3"), (1234.5, "1,234")]
)
def test_figures_for_people(value: float | None, text: str) -> None:
    assert figure(value) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.004, "< 1 %"), (0.996, "> 99 %"), (0.5, "50 %"), (1.0, "100 %"), (None, "–")]
)
def test_shares_never_claim_certainty(share: float | None, text: str) -> None:
    assert percent(share) == text


def test_times_for_people() -> None:
    assert clock("2026-03-17T04:30:00Z") == "Tue 17 Mar 04:30"
    assert clock(None) == "–"


def test_what_drives_a_breach_is_named_with_its_share_and_what_is_usual() -> None:
    report = report_of(replace(driven(night()), diagnoses=()))
    page = render_html(report)
    assert "74 ms (62 %)" in page
    assert "Host CPU busy of kvm1: 93 %, usually 61 %" in page
    assert "9 % as every day at that time, usually 30 %" in page
    assert page.count("None of its loads explains a slow console here") == 1
    assert [breach.drivers is None for breach in report.breaches] == [True, True, False, False]
    console = [sentence for sentence in report.summary.sentences if sentence.startswith("Console latency")]
    assert [line.endswith("driven by Host CPU busy of kvm1 (74 ms, 62 % of the rise).") for line in console] == [True]


def test_a_breach_that_is_part_of_an_incident_has_no_other_reason() -> None:
    made = driven(night())
    report = report_of(made)
    assert made.diagnoses[0].top.entity == "kvm1"
    console, lonely = (breach for breach in report.breaches if breach.drivers is not None)
    assert console.incident == lonely.incident == made.diagnoses[0].id
    assert [driver.entity for driver in console.drivers or ()] == ["kvm1"]
    page = render_html(report)
    assert page.count(f'href="#incident-{console.incident}">part of an incident') >= 2
    assert "None of its loads" not in page


def test_chances_worse_than_climatology_and_intervals_off_by_more_than_three_points_are_said_to_be() -> None:
    judged = report_of(night()).judgement
    chances = {part.family: part for part in judged.chances}
    assert {family: part.worse for family, part in chances.items()} == {"": False, "cpu": True, "memory": False}
    assert (chances["cpu"].windows, chances["cpu"].crossed) == (18, 1)
    both = chances[""]
    assert both.brier == pytest.approx((18 * 0.08 + 20 * 0.05) / 38, abs=1e-4)
    assert [(part.said, part.came, part.windows) for part in both.bins] == [
        (pytest.approx(1.2 / 34, abs=1e-4), pytest.approx(1 / 34, abs=1e-4), 34), (0.95, 0.75, 4),
    ]  # fmt: skip
    assert {part.family: part.off for part in judged.coverage} == {"cpu": True, "memory": False}
    assert [(part.title, part.makers, part.lstm) for part in judged.fallbacks] == [
        ("Host CPU busy", ("seasonal-naive",) * 4, (1.05, 1.1, 1.1, 1.2))
    ]
    page = render_html(report_of(night()))
    skill = page[page.index('id="skill"') : page.index('id="models"')]
    assert re.search(r'cpu <span class="state warn">worse</span>', skill)
    assert re.search(r'cpu <span class="state warn">off</span>', skill)
    assert re.search(r"1: seasonal-naive 1 <span class=\"dim\">LSTM</abbr> 1.05|1: seasonal-naive 1 .*LSTM 1.05", skill)


def test_where_nothing_crossed_no_chance_is_worse() -> None:
    made = night()
    calm = [replace(s, bins=((20.0, 0.1, 0.0),) * 10, brier=1e-4, brier_base=0.0) for s in made.skills if s.bins]
    assert not any(part.worse for part in report_of(replace(made, skills=tuple(calm))).judgement.chances)


def test_a_night_without_a_backtest_has_no_judgement() -> None:
    judged = report_of(replace(night(), skills=())).judgement
    assert (judged.coverage, judged.chances, judged.fallbacks) == ((), (), ())
    assert 'class="reliability"' not in render_html(report_of(replace(night(), skills=())))


HEADINGS = ["Do first", "What will cross its limit", "Incidents", "Service levels"]


def test_the_text_to_mail_is_short_however_much_was_found() -> None:
    made = driven(night())
    many = [replace(made.diagnoses[0], id=f"d{n}") for n in range(40)]
    limits = [replace(made.breaches[0], series=Series(f"vm{n}", "vm_memory_usable_pct")) for n in range(200)]
    found = [replace(made.actions[1], about=f"d{n}", entity=f"kvm{n}") for n in range(40)]
    service = ConsoleService(console="c", mean_ms=300.0, crisp=0.1, annoying=0.1, frames_per_s=9.0, failed=(0.1,) * 5)
    beyond = replace(limits[0], series=Series("vm999", "vm_cpu_pct"), exceeded=True)
    short = HardwareOutlook(
        site="", hosts=("kvm1", "kvm2"), cpus=12.0, memory_gib=64.0, resource=Resource.CPU, demand=9.0, usable=8.0,
        growth=0.1, earliest=hours(1), likely=hours(2), latest=hours(3), until=hours(900), weeks=6,
    )  # fmt: skip
    quality = replace(made.quality, silent=("kvm2", "kvm3"), waiting=tuple(f"kvm{n} waits" for n in range(9)))
    busy = replace(
        made, diagnoses=tuple(many), breaches=(*limits, beyond), actions=tuple(found), services=(service,),
        before=shortened(made), quality=quality, roadmap=(short,) * 9,
    )  # fmt: skip
    text = render_markdown(report_of(busy))
    assert text.count("\n") < 60
    assert "36 more are in report.json." in text
    assert "197 more are in report.json." in text
    assert "2 more are in index.html." in text
    assert text.count("are short of CPU when one of them is out") == 2
    assert re.findall(r"^#+ (.*)$", text, re.MULTILINE)[1:] == HEADINGS
