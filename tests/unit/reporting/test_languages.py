"""Every language has every text; names and numbers in it stay what they are."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nights import driven, night
from report_texts import knowledge_texts, page_texts, statements

from brownout.diagnosis.evidence.statements import explain
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.forecasting.exceedance.breach_skill import NO_SKILL
from brownout.forecasting.selection.model_choice import _note
from brownout.nightly.false_alarms import NO_EVIDENCE
from brownout.reporting import render_html, render_markdown, report_of
from brownout.reporting.glossary import terms
from brownout.reporting.messages import LANGUAGES, Language, Messages, _tables, catalogue
from brownout.reporting.numbers import clock, span

COMMAND = re.compile(r"virsh |/sys/|mdstat|cpupower |bond_slave |nr_throttled|libvirt_state")
"""Sources of evidence that are a command or a file: the same in every language."""
OTHERS: list[Language] = [language for language in LANGUAGES if language != "en"]


@pytest.mark.parametrize("language", OTHERS)
def test_no_text_is_missing_and_none_is_left_over(language: Language) -> None:
    tables = _tables(language)
    assert page_texts() - set(tables["page"]) == set()
    assert set(tables["page"]) - page_texts() == set()
    assert knowledge_texts() ^ set(tables["knowledge"]) == set()
    assert statements() ^ set(tables["statements"]) == set()


@pytest.mark.parametrize("language", OTHERS)
def test_placeholders_are_those_of_the_english(language: Language) -> None:
    for table in _tables(language).values():
        for text, said in table.items():
            expected = set(re.findall(r"\{(\w+)\}", text)) - {"where"}
            assert set(re.findall(r"\{(\w+)\}", said)) == expected, text


@pytest.mark.parametrize("language", OTHERS)
def test_a_text_means_one_thing_in_all_tables(language: Language) -> None:
    tables = [table for name, table in _tables(language).items() if name in ("page", "knowledge")]
    both = set(tables[0]) & set(tables[1])
    assert {text: (tables[0][text], tables[1][text]) for text in both if tables[0][text] != tables[1][text]} == {}


@pytest.mark.parametrize("language", OTHERS)
def test_the_glossary_has_the_same_terms(language: Language) -> None:
    assert [term.kind for term in terms(language)] == [term.kind for term in terms()]
    assert [bool(term.forms) for term in terms(language)] == [bool(term.forms) for term in terms()]
    forms = [form for term in terms(language) for form in term.forms]
    assert len(forms) == len(set(forms))


def test_a_chinese_report_says_the_same_numbers() -> None:
    english, chinese = report_of(driven(night())), report_of(driven(night()), "zh")
    page, text = render_html(chinese), render_markdown(chinese)
    assert '<html lang="zh-Hans">' in page
    assert "控制台：1 个中有 0 个现在过慢" in text  # noqa: RUF001 - Chinese
    assert "主机 CPU 饱和" in page
    for name in ("incidents_open", "breaches", "probable", "consoles_at_risk"):
        assert getattr(chinese.summary, name) == getattr(english.summary, name)
    numbers = [re.findall(r"\d+ (?:%|ms)", render_markdown(report)) for report in (english, chinese)]
    assert sorted(numbers[0]) == sorted(numbers[1])


def test_what_a_symptom_saw_is_said_in_chinese() -> None:
    say = Messages.of("zh")
    assert say.sentence("kvm1 was 97 % busy (usually 40 %)") == "kvm1 忙碌 97 %（平时 40 %）"  # noqa: RUF001 - Chinese
    assert say.sentence("all of it is unknown") == "all of it is unknown"
    assert say.sentence("medium was paused") == "medium 已暂停"  # a guest of that name, and no storage medium
    reason = "Guest memory usable of vm1 is forecast to cross 10 %, and 2 more like it"
    assert say.sentence(reason) == "预测 vm1 的虚拟机可用内存将越过 10 %，另有 2 项类似"  # noqa: RUF001 - Chinese


@pytest.mark.parametrize("language", OTHERS)
def test_no_pattern_holds_what_parts_are_split_at(language: Language) -> None:
    """Such a one matches nothing, and its text would stay English."""
    tables = _tables(language)
    assert [text for name in ("statements", "sentences") for text in tables[name] if "; " in text] == []


@pytest.mark.parametrize("language", OTHERS)
def test_evidence_that_nobody_measured_and_why_it_counts_have_no_english_left(language: Language) -> None:
    knowledge, say = Knowledge.load(), Messages.of(language)
    steps = [explain(rule, knowledge.symptoms, None) for cause in knowledge.causes.values() for rule in cause.evidence]
    known = {symptom.source for symptom in knowledge.symptoms.values()} - {""}
    sources = {source for source in known if not COMMAND.match(source)}
    said = {text: say.sentence(text) for text in {step.statement for step in steps} | sources}
    assert len(said) > 150
    assert {text: found for text, found in said.items() if re.search(r"[a-z]{3,} [a-z]{3,} [a-z]", found)} == {}
    assert set(_tables(language)["sources"]) - sources == set()


def test_reasons_and_notes_that_a_night_writes_are_said_in_chinese() -> None:
    say = Messages.of("zh")
    notes = [
        _note(chosen, 0.5, np.array([0.4, 0.6])) for chosen in (["lstm-loads"] * 2, ["naive"] * 2, ["lstm", "naive"])
    ]
    moves = "move vm016 to kvm02; kvm03 will be short of 19 GiB of memory in the coming day, of which this frees 8 GiB"
    for text in (NO_EVIDENCE, f"{notes[0]}; {NO_SKILL}", *notes, moves, "All metrics", "selected", "all consoles"):
        assert not re.search(r"[a-z]{2,} [a-z]{2,}", say.sentence(text)), text
    assert say.sentence(moves) == "将 vm016 迁移到 kvm02；未来一天 kvm03 内存缺少 19 GiB，此举释放其中 8 GiB"  # noqa: RUF001 - Chinese


@given(st.text(min_size=1))
def test_hostile_names_go_through_a_translation_as_they_are(name: str) -> None:
    if "\n" in name or "; " in name or name in catalogue("zh"):
        return
    said = Messages.of("zh").sentence(f"{name} was paused")
    assert name in said


def test_times_and_spans_in_chinese() -> None:
    assert clock("2026-03-17T04:30:00Z", "zh") == "3月17日 周二 04:30"
    assert span(90 * 3600, "zh") == "3 天 18 小时"


def test_what_has_no_catalogue_stays_english() -> None:
    made = replace(night(), source="a fleet")
    assert "a fleet" in render_html(report_of(made, "zh"))
    assert Messages()("Do first") == "Do first"
