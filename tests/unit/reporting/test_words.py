"""What operators read: titles in place of metric names, a gloss for each term, and control characters made visible."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nights import driven, night

from brownout.domain.encoding import visible
from brownout.domain.findings import Mover
from brownout.domain.forecasts import Series
from brownout.domain.metrics import Catalogue
from brownout.reporting import render_html, render_markdown, report_json, report_of
from brownout.reporting.glossary import Glossary, terms

CONTROL = "red\x1b[31m\x1b]0;OWNED\x07 nul\x00 csi\x9b2J bidi\u202egnp.exe zero\u200bwidth"
SHOWN = r"red\x1b[31m\x1b]0;OWNED\x07 nul\x00 csi\x9b2J bidi\u202egnp.exe zero\u200bwidth"
METRICS = Catalogue.load().metrics


class Text(HTMLParser):
    """What a page shows: its text without scripts, styles and code."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.hidden, self.parts = 0, list[str]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - the parser's signature
        self.hidden += tag in {"script", "style", "code"}

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in {"script", "style", "code"}

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)


def test_no_name_of_a_metric_is_shown_to_people() -> None:
    made = driven(night())
    unlucky = replace(made.skills[1], note="host_psi_cpu_pct is not measured")
    report = report_of(replace(made, skills=(made.skills[0], unlucky)))
    shown = " ".join(Text(render_html(report)).parts)
    text = re.sub(r"`[^`]*`", "", render_markdown(report).replace("\\", ""))
    for page in (shown, text):
        assert [name for name in METRICS if re.search(rf"(?<![\w-]){name}(?![\w])", page)] == []
    assert "Host CPU pressure is not measured" in shown


def test_the_main_loop_never_stands_without_its_gloss() -> None:
    made = night()
    wait = Mover(series=Series("vm1", "console_mainloop_ms"), usual=1, peak=90, deviation=8, onset=made.start)
    report = report_of(replace(made, episodes=(made.episodes[0], replace(made.episodes[1], movers=(wait,)))))
    page = render_html(report)
    shown = re.sub(r'aria-label="[^"]*"', "", page.split("<main>")[1].split('id="glossary"')[0])
    assert shown.count("main loop") > 0
    assert "main loop" not in re.sub(r"<abbr.*?</abbr>", "", shown)
    assert "<dt>wait for QEMU&#39;s main loop</dt>" in page


def test_every_title_of_the_catalogue_that_holds_a_term_of_qemu_is_glossed() -> None:
    terms_of_qemu = re.compile(r"QEMU|main loop|balloon|vdagent|NUMA|SPICE|steal|emulation|encode worker")
    titles = [metric.title for metric in METRICS.values() if terms_of_qemu.search(metric.title)]
    assert len(titles) > 5
    assert [title for title in titles if "<abbr" not in Glossary({}).mark(title)] == []


def test_glossary_lists_what_occurred_and_what_is_common() -> None:
    glossary = Glossary({"x_pct": "NUMA share"})
    assert glossary.note("x_pct of a/x_pct") == "NUMA share of a/x_pct"
    names = [term.name for term in glossary.listed()]
    assert "NUMA node" in names
    assert "balloon" not in names
    assert [term.name for term in terms() if not term.forms and term.name in names] == ["severity", "episode"]
    console = {term.name for term in Glossary({}, {"host", "console"}).listed()}
    assert console == {"host", "console", "console latency", "severity", "episode"}
    assert names == sorted(names, key=str.lower)


def test_forms_of_terms_are_distinct() -> None:
    forms = [form for term in terms() for form in term.forms]
    assert len(forms) == len(set(forms))


@given(st.text())
def test_marking_a_text_changes_nothing_but_marks(text: str) -> None:
    marked = str(Glossary({}).mark(text))
    assert Text(f"<p>{marked}</p>").hidden == 0
    assert not re.search(r"<(?!/?abbr)", marked)


@pytest.mark.parametrize("face", [render_html, render_markdown])
def test_control_characters_of_names_are_shown_not_sent(face: object) -> None:
    report = report_of(driven(night(CONTROL)))
    page = face(report)  # type: ignore[operator]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b]", page)
    assert r"\x1b" in page.replace("\\\\", "\\")


def test_json_keeps_names_as_they_are() -> None:
    import json

    document = json.loads(report_json(report_of(night(CONTROL))))
    assert CONTROL in {entity["id"] for entity in document["topology"]}


def test_visible_escapes_each_control_character_and_nothing_else() -> None:
    assert visible(CONTROL) == SHOWN
    assert visible("soft\xadhyphen tag\U000e0041 filler\u3164 mark\ufff9") == (
        r"soft\xadhyphen tag\U000e0041 filler\u3164 mark\ufff9"
    )
    assert visible("line\nnext\ttab – ü 漢字 🙂") == "line\nnext\ttab – ü 漢字 🙂"
