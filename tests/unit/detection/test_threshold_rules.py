"""Rules against a plain loop over samples, and what hysteresis and coverage promise."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brownout.detection.episodes.threshold_rules import Condition, Rule, RuleState, load_rules, rule_states
from brownout.domain.entities import Entity
from brownout.domain.errors import KnowledgeError
from brownout.domain.metrics import Catalogue, Metric
from brownout.domain.panel import Panel

BUSY = Rule(
    id="R",
    title="busy",
    tests=(Condition(metric="busy", op=">", value=90),),
    for_s=180,
    clear=(Condition(metric="busy", op="<", value=80),),
    clear_s=120,
)
N, R, F = RuleState.UNKNOWN, RuleState.RAISED, RuleState.FALSE


def panel(values: list[float], interval_s: int = 60) -> Panel:
    block = np.array(values, np.float32)[None, :, None]
    return Panel(block, np.datetime64("2026-03-02", "ms"), interval_s, (Entity(id="h"),), (Metric(name="busy"),))


def states(rule: Rule, values: list[float]) -> list[int]:
    found = rule_states(rule, panel(values))
    assert found is not None
    return list(found[0])


def naive(rule: Rule, values: list[float]) -> list[int]:
    """One slot after the other, as an operator would."""
    found, raised = [], False
    for slot in range(len(values)):
        span = values[max(slot - 2, 0) : slot + 1]
        present = [v for v in span if not math.isnan(v)]
        covered = len(present) >= rule.min_coverage * 3
        calm = values[max(slot - 1, 0) : slot + 1]
        calm_present = [v for v in calm if not math.isnan(v)]
        if covered and all(v > 90 for v in present):
            raised = True
        elif len(calm_present) >= rule.min_coverage * 2 and all(v < 80 for v in calm_present):
            raised = False
        found.append(R if raised else F if covered else N)
    return found


@given(st.lists(st.sampled_from([70.0, 85.0, 95.0, math.nan]), min_size=1, max_size=40))
@settings(max_examples=200, deadline=None)
def test_a_rule_is_what_a_loop_over_samples_says(values: list[float]) -> None:
    assert states(BUSY, values) == naive(BUSY, values)


def test_between_the_lines_a_raised_rule_stays_raised() -> None:
    assert states(BUSY, [95, 95, 95, 85, 85, 79, 79, 85]) == [N, N, R, R, R, R, F, F]


def test_what_is_not_measured_is_unknown_and_never_false() -> None:
    assert states(BUSY, [math.nan] * 5) == [N] * 5
    assert states(BUSY, [50, 50, 50, math.nan, 50]) == [N, N, F, N, N]


def test_hits_count_samples_within_the_last_few() -> None:
    rule = Rule(id="R", title="", tests=(Condition(metric="busy", op="<", value=25, hits=3, of=5),))
    assert states(rule, [30, 20, 30, 20, 20, 30, 30, 30]) == [N, N, N, F, R, R, F, F]


def test_a_rule_whose_metric_is_not_there_says_nothing() -> None:
    rule = Rule(id="R", title="", tests=(Condition(metric="other", op=">", value=1),))
    assert rule_states(rule, panel([1.0])) is None


def test_the_rules_that_ship_name_metrics_of_the_catalogue_on_one_kind_of_entity() -> None:
    catalogue = Catalogue.load().metrics
    for rule in load_rules():
        kinds = [set(catalogue[test.metric].entity_kinds) for test in (*rule.tests, *rule.clear)]
        assert set.intersection(*kinds), rule.id


@pytest.mark.parametrize(
    "table",
    [
        {"id": "R", "title": "", "tests": []},
        {"id": "R", "title": "", "tests": [{"metric": "a", "op": "=", "value": 1}]},
        {"id": "R", "title": "", "tests": [{"metric": "a", "op": ">", "value": 1, "hits": 4, "of": 3}]},
        {"id": "R", "title": "", "tests": [{"metric": "a", "op": ">", "value": 1}], "fro_s": 3},
        {"id": "R", "title": "", "tests": [{"metric": "a", "op": ">", "value": 1}], "severity": "loud"},
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(table: dict[str, object]) -> None:
    with pytest.raises(KnowledgeError, match=r"\[rules\.R\]"):
        Rule.from_table(table)
