"""A number that a report shows twice is the same in the tile, the sentence, the table, Markdown and JSON."""

import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from nights import driven, night

from brownout.domain.entities import Entity, Topology
from brownout.domain.findings.service_levels import ConsoleService, Level
from brownout.domain.forecasts import Series
from brownout.domain.night import ConsoleLevel, Night
from brownout.reporting import render_html, render_markdown, report_json, report_of
from brownout.reporting.views.summary import summary_of


class Page(HTMLParser):
    """Texts of the elements with an id, and the counts of ``data-`` attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[tuple[str, str]] = []
        self.texts: dict[str, list[str]] = {}
        self.marked = Counter[tuple[str, str]]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag not in {"meta", "link", "br", "rect", "line"}:
            self.open.append((tag, names.get("id") or ""))
        self.marked.update((key, value or "") for key, value in attrs if key.startswith("data-"))

    def handle_startendtag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Nothing is inside of it: what is open stays so."""
        self.marked.update((key, value or "") for key, value in attrs if key.startswith("data-"))

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for _, name in self.open:
            if name:
                self.texts.setdefault(name, []).append(data)

    def text(self, name: str) -> str:
        return " ".join(" ".join(self.texts[name]).split())


def busy_night() -> Night:
    """Of everything another number: 2 open and 1 over, 3 exceeded, 1 probable, 3 possible, 1 later; 5 of 6 consoles."""
    made = driven(night())
    leak, busy, coming, lonely = made.breaches
    exceeded = [replace(busy, series=Series(f"kvm1/disk{n}", "disk_await_ms"), exceeded=True) for n in range(3)]
    later = replace(leak, series=Series("kvm2", "host_memory_available_pct"), horizon_s=20 * 86_400)
    second = replace(made.diagnoses[0], id="d9")
    consoles = [Entity(id=f"vm1/console{n}", kind="console", parent="vm1") for n in range(5)]
    levels = tuple(
        ConsoleLevel(series=Series(f"vm1/console{n}", "console_update_ms"), now=now, limit=150.0, exceeded=now > 150)
        for n, now in enumerate((248.04, 233.0, 190.0, 151.0, 150.5, 21.0))
    )
    return replace(
        made,
        topology=Topology.of([*made.topology, *consoles]),
        breaches=(leak, *exceeded, busy, coming, lonely, later),
        diagnoses=(made.diagnoses[0], second, made.diagnoses[1]),
        consoles=levels,
    )


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(report_json(report_of(busy_night())))
    return loaded


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(render_html(report_of(busy_night())))


@pytest.fixture(scope="module")
def markdown() -> str:
    return render_markdown(report_of(busy_night()))


def test_incidents(document: dict[str, Any], page: Page, markdown: str) -> None:
    open_, over = (sum(incident["open"] is state for incident in document["incidents"]) for state in (True, False))
    summary = document["summary"]
    assert (open_, over) == (2, 1) == (summary["incidents_open"], summary["incidents_over"])
    assert page.text("tile-incidents").startswith("incidents going on 2 1 over;")
    assert summary["headline"].startswith("2 incidents are going on,")
    assert (page.marked["data-incident", "open"], page.marked["data-incident", "over"]) == (2, 1)
    assert "- Incidents: 2 going on, 1 over." in markdown
    assert (markdown.count("- going on: "), markdown.count("- over: ")) == (2, 1)
    assert sum(root["open"] for root in document["fleet"]) == 2


def test_breaches(document: dict[str, Any], page: Page, markdown: str) -> None:
    counted = Counter(breach["outlook"] for breach in document["breaches"])
    assert counted == {"exceeded": 3, "probable": 1, "possible": 3, "later": 1}
    summary = document["summary"]
    assert {name: summary[name] for name in counted} == counted
    assert summary["breaches"] == len(document["breaches"]) == 8
    assert page.text("tile-breaches") == (
        "limits probably crossed within 24 h 1 3 possible; 1 in the weeks after; 3 exceeded now and later"
    )
    assert {name: page.marked["data-outlook", name] for name in counted} == counted
    assert (
        "3 limits are exceeded, 1 limit will probably be crossed within 24 h, 3 more may be, 1 limit"
        in (summary["headline"])
    )
    assert "Limits: 3 exceeded now and later, 1 probable, 3 possible, 1 in the weeks after." in markdown
    rows = re.findall(r"\((now|probable|possible|weeks ahead)\) \|", markdown)
    words = {"exceeded": "now", "later": "weeks ahead"}
    assert rows == [words.get(b["outlook"], b["outlook"]) for b in document["breaches"][:4]]
    assert "4 more are in report.json." in markdown


def test_console_latency_now(document: dict[str, Any], page: Page, markdown: str) -> None:
    """The tile names who hurts now, not the median of three days."""
    summary = document["summary"]
    assert summary["consoles_too_slow"] == sum(console["exceeded"] for console in document["consoles"]) == 5
    assert summary["slowest"] == document["consoles"][0]
    assert (summary["slowest"]["entity"], summary["slowest"]["now"]) == ("vm1/console0", 248.0)
    assert page.text("tile-consoles") == "consoles too slow now 5 of 6 slowest vm1/console0 248 ms, limit 150 ms"
    sentence = "5 of 6 consoles are too slow now, the slowest vm1/console0 with 248 ms (limit 150 ms)."
    assert summary["sentences"][0] == sentence
    assert sentence in markdown
    assert "5 of 6 too slow now, slowest vm1/console0 with 248 ms;" in markdown
    assert re.findall(r"vm1/console\d", page.text("latency")) == [f"vm1/console{n}" for n in range(5)]
    assert "vm1/console0 248 ms 150 ms" in page.text("latency")


def test_where_nothing_was_measured_lately_the_tile_says_so_and_claims_no_health() -> None:
    report = report_of(replace(busy_night(), consoles=()))
    tile = Page(render_html(report)).text("tile-consoles")
    assert tile == "consoles now – none of 6 was measured in the last half hour"
    assert not any("too slow" in sentence for sentence in report.summary.sentences)


def test_a_breach_of_console_latency_has_the_level_that_its_console_has() -> None:
    """The forecast's last slot may be half an hour old: what is shown as now is one number."""
    made = busy_night()
    coming = next(breach for breach in made.breaches if breach.series.metric == "console_update_ms")
    name = coming.series.entity
    stale = replace(coming, now=270.0, exceeded=True)
    level = ConsoleLevel(series=coming.series, now=31.5, limit=150.0, exceeded=False)
    report = report_of(replace(made, breaches=(stale,), consoles=(level,)))
    assert [(b.now, b.outlook) for b in report.breaches] == [(31.5, "possible")]
    assert (report.summary.exceeded, report.summary.possible) == (0, 1)
    assert f"| {name} | Console latency (first update) | 31.5 ms | 150 ms |" in render_markdown(report)


def test_a_breach_too_improbable_to_have_dates_is_told_without_them() -> None:
    made = night()
    coming = next(breach for breach in made.breaches if not breach.exceeded)
    vague = replace(coming, probability=0.04, earliest=None, likely=None, latest=None)
    (line,) = [line for line in summary_of(replace(made, breaches=(vague,))).sentences if " crosses " in line]
    assert "4 % probability" in line
    assert "UTC" not in line


def test_the_first_screen_has_the_numbers_of_the_tables(document: dict[str, Any], page: Page) -> None:
    breaches = {breach["link"]: breach for breach in document["breaches"]}
    incidents = {f"incident-{incident['id']}": incident for incident in document["incidents"]}
    told = 0
    for line in document["who"]:
        if line["kind"] == "soon":
            breach = breaches[line["link"]]
            assert line["probability"] == breach["probability"]
            assert (line["earliest"], line["latest"]) == (breach["earliest"], breach["latest"])
            assert not breach["exceeded"]
        elif line["link"] in incidents:
            incident = incidents[line["link"]]
            assert (line["since"], line["probability"]) == (incident["start"], incident["causes"][0]["probability"])
            told += 1
    assert told == document["summary"]["incidents_open"]
    slow = document["summary"]["consoles_too_slow"]
    assert f"{slow} consoles too slow, vm1/console0 answers in 248 ms" in document["who"][0]["what"]
    assert page.marked["data-state", "open"] == sum(action["state"] == "open" for action in document["first"])


def test_service_levels_and_capacity_are_those_of_the_document() -> None:
    consoles = [f"vm1/console{n}" for n in range(5)]
    services = tuple(
        ConsoleService(console=name, mean_ms=60.0 + 20 * n, crisp=0.9, annoying=0.0, frames_per_s=31.0)
        for n, name in enumerate(consoles)
    )
    level = Level(series=Series("kvm1", "host_cpu_busy_pct"), now=41.0, usual=30.0, busy=77.7, limit=90.0)
    report = report_of(replace(busy_night(), services=services, levels=(level,)))
    document = json.loads(report_json(report))
    made = Page(render_html(report))
    mean, baseline, *_ = document["objectives"]
    assert (mean["met"], mean["measured"], mean["worst"], mean["worst_value"]) == (3, 5, "vm1/console4", 140.0)
    assert baseline["measured"] - baseline["met"] == document["summary"]["consoles_too_slow"]
    assert baseline["worst_value"] == document["summary"]["slowest"]["now"]
    assert f"{mean['met']} of {mean['measured']}" in made.text("slo")
    assert f"{baseline['met']} of {baseline['measured']}" in made.text("slo")
    assert "41 / 77.7 %" in made.text("capacity")
    assert document["capacity"][0]["cpu"]["busy"] == 77.7
    text = render_markdown(report)
    assert f"Mean latency of the last day: {mean['met']} of {mean['measured']} consoles keep it" in text


def test_one_chance_is_one_number_and_stands_with_its_skill(
    document: dict[str, Any], page: Page, markdown: str
) -> None:
    """Table, sentence, first screen, Markdown and JSON; where chances had no skill no number of theirs is shown."""
    skills = {skill["metric"]: skill for skill in document["skills"]}
    untold = "no forecast skill for this metric yet"
    sentences = "\n".join(document["summary"]["sentences"])
    for breach in document["breaches"]:
        known = skills.get(breach["metric"])
        if breach["told"]:
            assert breach["skill"] == pytest.approx(1 - known["brier"] / known["brier_base"], rel=1e-3)
            assert breach["skill"] > 0
        told, cell, skill = breach["told"], page.text(breach["link"]), breach["skill"] or 0
        words = f"{breach['probability']:.0%} skill {skill:.0%}".replace("%", " %")
        assert (words in cell, untold in cell) == ((True, False) if told else (False, True))
        if not breach["exceeded"]:
            who = [line for line in document["who"] if line["link"] == breach["link"]]
            assert bool(who) == told
            assert f"of {breach['entity']} crosses" in sentences or not told
    assert {breach["told"] for breach in document["breaches"]} == {True, False}
    assert markdown.count(untold) == sum(not breach["told"] for breach in document["breaches"][:4])


def test_a_trend_that_is_going_on_is_told_without_the_skill_of_its_metric() -> None:
    made = night()
    coming = replace(made.breaches[0], maker="local-trend")
    report = report_of(replace(made, breaches=(coming,), skills=()))
    (shown,) = report.breaches
    assert (shown.told, shown.skill, shown.outlook) == (True, None, "probable")
    assert "91 %, by its trend" in render_markdown(report)
    silent = report_of(replace(made, breaches=(replace(coming, maker="lstm"),), skills=()))
    assert (silent.breaches[0].told, silent.breaches[0].outlook, silent.summary.probable) == (False, "possible", 0)
    assert not any(" crosses " in sentence for sentence in silent.summary.sentences)


def test_where_no_limit_was_crossed_chances_have_no_skill() -> None:
    made = night()
    quiet = tuple(replace(skill, bins=((20.0, 0.2, 0.0), *((0.0, 0.0, 0.0),) * 9)) for skill in made.skills)
    (leak, _) = report_of(replace(made, skills=quiet)).breaches
    assert (leak.skill, leak.told) == (None, False)
