"""The card of a training: what a reviewer must see, names that are text, and pages without one part or another."""

import csv
import io
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from nights import HOSTILE, hours, night

from brownout.domain.findings.model_cards import (
    Change,
    Comparison,
    DataFacts,
    EntityLoss,
    ModelFacts,
    PairedTest,
    ResidualSpread,
    SmokeCheck,
    TrainingCost,
)
from brownout.domain.findings.model_drift import Drift, DriftOf
from brownout.reporting.model_card import CardCheck, CardContent, card_page, card_plots, card_tables

NAN = float("nan")
DATA = DataFacts(source="fleet", start=hours(-240), end=hours(0), entities=12, values=34_567, sha256="ab" * 32)
COST = TrainingCost(started=hours(1), wall_s=80.0, cpu_s=120.0, peak_mib=900.0)
FACTS = ModelFacts(reason="it is older than 7 days", data=DATA, cost=COST)
COMPARISON = Comparison(
    champion_trained_to=hours(-100),
    start=hours(-48),
    end=hours(0),
    windows=8,
    entities=12,
    champion={"all.crps": 0.7, "host_cpu_busy_pct.crps": 0.8},
    challenger={"all.crps": 0.6, "host_cpu_busy_pct.crps": 0.9, "vm_memory_usable_pct.crps": 0.5},
    tests=(
        PairedTest(family="all", against="champion", entities=12, ratio=0.9, low=0.85, high=0.95, p_worse=0.99,
                   p_better=0.0001),
        PairedTest(family="all", against="seasonal-naive", entities=12, ratio=0.6, low=NAN, high=NAN, p_worse=NAN,
                   p_better=NAN),
    ),
    worst=(EntityLoss(entity=HOSTILE, family="cpu", challenger=1.7, champion=NAN),),
)  # fmt: skip
MOVED = Drift(
    of=DriftOf.INPUT, name="host_cpu_busy_pct", kind="host", before=20.0, now=60.0, psi=0.6, distance=0.5, p=0.001,
    entities=9, drifted=True,
)  # fmt: skip


def content(facts: ModelFacts = FACTS, *checks: CardCheck) -> CardContent:
    made = night()
    return CardContent(record=made.models[0], facts=facts, skills=made.skills, checks=checks, metrics=made.metrics)


def check(*, passed: bool) -> CardCheck:
    return CardCheck(
        title="MASE", of="host_cpu_busy_pct", champion=0.7, challenger=0.9, passed=passed, why="0.9, worse"
    )


FULL = replace(
    FACTS,
    comparison=COMPARISON,
    drift=(MOVED,),
    changes=(Change(what="train days", before="30", now="60"),),
    smoke=(SmokeCheck(title="loads from its files", passed=True, why="3 panels"),),
)


def test_everything_that_a_reviewer_signs_by_is_there() -> None:
    page = card_page(content(FULL, check(passed=False), check(passed=True)))
    for words in (
        "1 of 2 criteria failed: a person decides", "0.9, worse", "it is older than 7 days", "2026-03-06 00:00 UTC",
        "ab" * 32, "34,567 values", "120 s of processors", "90 % of it: 0.850 to 0.950, 12 entities", "&lt; 0.001",
        "train days", "loads from its files", "Brier score", "0.600", "brownout review approve forecaster",
        "Host CPU", "of 1</small>",
    ):  # fmt: skip
        assert words in page, words
    assert page.index("0.9, worse") < page.index("criteria hold")  # what failed stands first


def test_the_largest_loss_stands_first_and_what_lost_is_marked() -> None:
    rows = content(FULL).backtest
    assert [row.crps for row in rows] == [0.6, 0.9, 0.5]
    assert [row.worse for row in rows] == [False, True, False]


def test_names_are_text_and_nothing_is_loaded_or_run() -> None:
    page = card_page(content(FULL, check(passed=True)))
    assert "<script" not in page
    assert "script-src" not in page.replace("default-src 'none'", "")
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    ("facts", "checks", "urgency"),
    [
        (FACTS, (), "fine"),
        (FACTS, (check(passed=True),), "fine"),
        (FACTS, (check(passed=False),), "warn"),
        (replace(FACTS, smoke=(SmokeCheck(title="loads", passed=False, why="damaged"),)), (check(passed=True),), "bad"),
    ],
)
def test_the_state_is_the_worst_that_is_known(facts: ModelFacts, checks: tuple[CardCheck, ...], urgency: str) -> None:
    made = content(facts, *checks)
    page = card_page(made)
    assert made.state[0] == urgency
    assert f'class="state {urgency}"' in page
    assert ("brownout review approve" in page) is (urgency != "fine")  # nobody is asked for what is decided
    assert ("brownout review rollback" in page) is (urgency == "fine" and bool(checks))


def test_a_detector_has_a_card_without_a_backtest() -> None:
    detector = replace(
        content(replace(FACTS, comparison=replace(COMPARISON, challenger={"vm.seen_alarms_per_day": 0.1}, worst=()))),
        record=replace(night().models[0], name="brownout-detector"),
        skills=(),
    )
    page = card_page(detector)
    assert "New detector: there was no model to compare it with" in page
    assert "Backtest" not in page


def test_residuals_and_drift_are_drawn_on_the_card_and_as_files() -> None:
    spreads = tuple(
        ResidualSpread(family="cpu", quarter=q, values=99, q10=-2.0, q25=-1.0, middle=0.0, q75=0.5, q90=1.0,
                       told_q10=-4.0, told_q90=2.0)
        for q in (1, 2)
    )  # fmt: skip
    steady = replace(MOVED, name=HOSTILE, psi=0.05, drifted=False)
    made = content(replace(FULL, comparison=replace(COMPARISON, residuals=spreads), drift=(steady, MOVED)))
    plots = card_plots(made)
    residuals, drift = (ET.fromstring(plots[name]) for name in ("residuals.svg", "drift.svg"))  # noqa: S314
    # -4 is the farthest of all: the grey box begins at the left edge, and the middle line lies at no residual.
    box, dot = residuals.findall(".//{*}g/{*}rect")[0], residuals.findall(".//{*}circle")[0]
    assert (float(box.get("x", "")), float(box.get("width", ""))) == (200.0, 300.0)
    assert float(dot.get("cx", "")) == 400.0
    widths = [float(bar.get("width", "")) for bar in drift.findall("{*}rect")[1:]]
    assert widths == [pytest.approx(360 * 2.4 / 3), pytest.approx(360 * 0.2 / 3)]  # the largest first
    assert HOSTILE[:20] in "".join(drift.itertext())
    for before in range(30):  # a long name is cut as text, never in the middle of an escaped character
        cut = card_plots(content(replace(FULL, drift=(replace(MOVED, name="x" * before + "<<<<"),))))
        assert ET.fromstring(cut["drift.svg"]) is not None  # noqa: S314
    assert "large and certain: a drift" in "".join(drift.itertext())
    page = card_page(made)
    assert page.count('<svg class="plot"') == 3
    assert "<script" not in page + "".join(plots.values())


def test_chances_are_drawn_as_a_file_that_stands_alone() -> None:
    made = content()
    assert made.chances is not None
    drawn = ET.fromstring(card_plots(made)["reliability.svg"])  # noqa: S314
    dots = [(float(dot.get("cx", "")), float(dot.get("cy", ""))) for dot in drawn.findall(".//{*}circle")]
    assert dots == [
        (pytest.approx(40 + 200 * one.said, abs=0.06), pytest.approx(185 - 180 * one.came, abs=0.06))
        for one in made.chances.bins
    ]
    assert drawn.get("width") == "552"  # an SVG without a size fills a page of MLflow's


def test_the_backtest_is_a_table_that_spreadsheets_read() -> None:
    made = content()
    rows = list(csv.DictReader(io.StringIO(card_tables(made.skills, made.metrics)["backtest.csv"])))
    assert [row["metric"] for row in rows] == sorted(skill.metric or "all" for skill in made.skills)
    assert [float(row["crps"]) for row in rows] == [
        pytest.approx(skill.crps, nan_ok=True, rel=1e-5) for skill in sorted(made.skills, key=lambda one: one.metric)
    ]
    assert card_tables((), made.metrics) == {}


def test_a_training_without_a_champion_or_residuals_has_no_plots() -> None:
    assert set(card_plots(replace(content(), skills=()))) == set()
    assert 'id="residuals"' not in card_page(content())
