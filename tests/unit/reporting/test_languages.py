"""Every language has every text; names and numbers in it stay what they are."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nights import driven, night
from report_texts import knowledge_texts, page_texts, statements

from brownout.reporting import render_html, render_markdown, report_of
from brownout.reporting.glossary import terms
from brownout.reporting.messages import LANGUAGES, Language, Messages, _tables, catalogue
from brownout.reporting.numbers import clock, span

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
    assert "控制台: 1 个中有 0 个现在过慢" in text
    assert "主机 CPU 饱和" in page
    for name in ("incidents_open", "breaches", "probable", "consoles_at_risk"):
        assert getattr(chinese.summary, name) == getattr(english.summary, name)
    numbers = [re.findall(r"\d+ (?:%|ms)", render_markdown(report)) for report in (english, chinese)]
    assert sorted(numbers[0]) == sorted(numbers[1])


def test_what_a_symptom_saw_is_said_in_chinese() -> None:
    say = Messages.of("zh")
    assert say.sentence("kvm1 was 97 % busy (usually 40 %)") == "kvm1 忙碌 97 %（平时 40 %）"  # noqa: RUF001 - Chinese
    assert say.sentence("all of it is unknown") == "all of it is unknown"
    reason = "Guest memory usable of vm1 is forecast to cross 10 %, and 2 more like it"
    assert say.sentence(reason) == "预测 vm1 的虚拟机可用内存将越过 10 %，另有 2 项类似"  # noqa: RUF001 - Chinese


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
