"""The plan in the report: moves that do not help are said, and sizes stand in a table, in every language."""

from dataclasses import replace

import pytest
from nights import HOSTILE, night

from brownout.domain.encoding import decode_json, encode
from brownout.domain.findings.capacity_plan import MovePlan, Resource, SizeAdvice
from brownout.domain.night import Night
from brownout.reporting import render_html, report_of
from brownout.reporting.messages import Language

SIZE = SizeAdvice(guest=HOSTILE, resource=Resource.CPU, size=8.0, advised=4.0, mean=0.81, upper=1.24, days=15)


@pytest.mark.parametrize(("language", "says"), [("en", "No move within the budget"), ("zh", "没有足够有用的迁移")])
def test_that_no_move_helps_is_an_answer(language: Language, says: str) -> None:
    page = render_html(report_of(replace(night(), moves=MovePlan(busy=("kvm1",))), language))
    assert says in page
    assert says not in render_html(report_of(replace(night(), moves=MovePlan()), language))


def test_that_nothing_has_to_move_is_said_and_a_night_of_before_says_nothing() -> None:
    says = "no guest has to move"
    assert says in render_html(report_of(replace(night(), moves=MovePlan())))
    assert says not in render_html(report_of(night()))


@pytest.mark.parametrize(("language", "unit"), [("en", "4 vCPUs"), ("zh", "4 个 vCPU")])
def test_sizes_stand_in_a_table_with_their_unit(language: Language, unit: str) -> None:
    page = render_html(report_of(replace(night(), sizes=(SIZE,)), language))
    table = page.split('id="sizes"')[1].split("</section>")[0]
    assert unit in table
    assert "<script>" not in table
    assert 'id="sizes"' not in render_html(report_of(night(), language))


def test_the_plan_is_stored_whole() -> None:
    planned = replace(night(), sizes=(SIZE,), moves=MovePlan(busy=("kvm1",)))
    again = decode_json(Night, encode(planned))
    assert (again.sizes, again.moves) == (planned.sizes, planned.moves)
