"""Measures of rules against plain loops over samples; what was not measured is unknown."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brownout.detection.episodes.rule_measures import MEASURES, line_above_usual, measure_values
from brownout.detection.episodes.threshold_rules import Condition, Rule, RuleState, load_rules, rule_states
from brownout.domain.entities import Entity
from brownout.domain.errors import KnowledgeError
from brownout.domain.metrics import Metric
from brownout.domain.panel import Float, Panel

HOURLY = 3600
START = np.datetime64("2026-03-02", "ms")
SAMPLE = st.one_of(st.just(math.nan), st.floats(-100, 100, width=32))
N, R, F = RuleState.UNKNOWN, RuleState.RAISED, RuleState.FALSE


@given(st.lists(SAMPLE, min_size=1, max_size=30), st.integers(1, 6))
@settings(max_examples=150)
def test_rise_and_drop_are_what_a_loop_says(values: list[float], width: int) -> None:
    for name, best in (("rise", min), ("drop", max)):
        found = measure_values(name, np.array([values], np.float32), 60, 60.0 * width)[0]
        for slot, value in enumerate(values):
            known = [v for v in values[max(slot - width + 1, 0) : slot + 1] if not math.isnan(v)]
            if len(known) < 0.8 * width or math.isnan(value):
                assert np.isnan(found[slot])
            else:
                assert found[slot] == pytest.approx(value - best(known), abs=1e-4)


@given(st.lists(SAMPLE, min_size=1, max_size=40), st.integers(2, 8))
@settings(max_examples=150)
def test_shift_is_against_the_median_of_the_span_before_the_hour(values: list[float], width: int) -> None:
    found = MEASURES["shift"](np.array([values], np.float32), HOURLY // 2, width * 1800.0)[0]
    for slot, value in enumerate(values):
        hour = slot // 2 * 2
        known = [v for v in values[max(hour - width, 0) : hour] if not math.isnan(v)]
        if not known or len(known) < width / 2 or math.isnan(value):
            assert np.isnan(found[slot])
        else:
            assert found[slot] == pytest.approx(value - np.median(known), abs=1e-4)


def test_times_and_the_own_line_are_those_of_the_same_hour_of_the_last_seven_days() -> None:
    rng = np.random.default_rng(2)
    values = rng.uniform(5, 50, 24 * 9 * 2).astype(np.float32)  # half an hour a slot
    values[rng.random(len(values)) < 0.2] = np.nan
    ratio, line = measure_values("times", values[None], 1800, 0)[0], line_above_usual(values[None], 1800, 6)[0]
    for slot, value in enumerate(values):
        hour = slot // 2
        days = [hour - 24 * back for back in range(1, 8) if hour >= 24 * back]
        pool = [v for day in days for v in values[2 * day : 2 * day + 2]]
        known = [v for v in pool if not np.isnan(v)]
        if not pool or len(known) < len(pool) / 2:
            assert np.isnan(line[slot])
            continue
        middle = np.median(known)
        assert line[slot] == pytest.approx(middle + 6 * 1.4826 * np.median(np.abs(known - middle)), rel=1e-5)
        if not np.isnan(value):
            assert ratio[slot] == pytest.approx(value / middle, rel=1e-5)


def naive_hours_left(means: list[float], hours_a_part: float) -> float:
    """Theil-Sen and Mann-Kendall, pair by pair."""
    pairs = list(itertools.combinations(range(len(means)), 2))
    slope = float(np.median([(means[j] - means[i]) / ((j - i) * hours_a_part) for i, j in pairs]))
    score = sum(int(np.sign(means[j] - means[i])) for i, j in pairs)
    n = len(means)
    deviate = (score + 1) / math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    return means[-1] / -slope if slope < 0 and deviate <= -2.326 else math.inf


@given(st.floats(-3, 1), st.floats(0, 8), st.integers(0, 99))
@settings(max_examples=60)
def test_hours_left_is_what_pairs_say(slope: float, noise: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.maximum(60 + slope * np.arange(30) + rng.normal(0, noise, 30), 0).astype(np.float32)
    found = measure_values("hours_left", values[None], HOURLY, 12 * HOURLY)[0]
    assert np.isnan(found[:11]).all()
    for slot in range(11, 30):
        assert found[slot] == pytest.approx(naive_hours_left(values[slot - 11 : slot + 1].tolist(), 1), rel=1e-3)


def test_a_trend_is_told_from_means_of_parts_and_kept_until_the_next() -> None:
    fine = np.linspace(100, 40, 24 * 6).astype(np.float32)  # ten minutes a slot, two and a half points an hour
    found = measure_values("hours_left", fine[None], 600, 12 * HOURLY)[0]
    assert np.isnan(found[: 12 * 6 - 1]).all()
    means = fine[: 12 * 6].reshape(12, 6).mean(axis=1).tolist()
    assert np.allclose(found[12 * 6 - 1 : 13 * 6 - 1], naive_hours_left(means, 1), rtol=1e-4)
    assert np.isfinite(found[12 * 6 - 1 :]).all()


def test_a_gap_in_a_trend_is_unknown() -> None:
    values = np.linspace(100, 40, 40).astype(np.float32)
    values[20] = np.nan
    assert np.isnan(measure_values("hours_left", values[None], HOURLY, 12 * HOURLY)[0, 20:32]).all()


def test_no_measure_looks_ahead() -> None:
    rng = np.random.default_rng(4)
    values = rng.uniform(1, 9, (2, 24 * 10)).astype(np.float32)
    later = values.copy()
    later[:, 200:] = 99
    for name in MEASURES:
        before, after = (measure_values(name, v, HOURLY, 12 * HOURLY)[:, :200] for v in (values, later))
        assert np.isfinite(before[:, 100:]).any() or name == "hours_left", name
        assert np.array_equal(before, after, equal_nan=True), name


def panel(name: str, values: Float, interval_s: int = HOURLY, **labels: str) -> Panel:
    entity = Entity(id="d", labels=labels)
    return Panel(values.astype(np.float32)[None, :, None], START, interval_s, (entity,), (Metric(name=name),))


def states(rule: Rule, made: Panel) -> list[int]:
    found = rule_states(rule, made)
    assert found is not None
    return list(found[0])


def test_a_rule_with_labels_is_unknown_for_what_has_others_or_none() -> None:
    rule = Rule(id="R", title="", tests=(Condition(metric="m", op=">", value=15),), where={"medium": ("hdd",)})
    high = np.array([20, 10])
    assert states(rule, panel("m", high, medium="hdd")) == [R, F]
    assert states(rule, panel("m", high, medium="ssd")) == [N, N]
    assert states(rule, panel("m", high)) == [N, N]


def test_a_line_with_its_own_usual_is_unknown_without_a_past_and_needs_both() -> None:
    rule = Rule(id="R", title="", tests=(Condition(metric="m", op=">", value=150, spreads=6),))
    always = np.tile([200, 210], 48)  # slow as ever
    assert states(rule, panel("m", always)) == [N] * 24 + [F] * 72
    sudden = np.concatenate([np.full(72, 20), [100, 200]])
    assert states(rule, panel("m", sudden))[-2:] == [F, R]


def test_a_surge_and_a_leak_raise_the_rules_that_ship() -> None:
    rules = {rule.id: rule for rule in load_rules()}
    minutes = np.concatenate([np.full(30, 40), [33, 25, 12, 12]])
    assert states(rules["R-MEM-SURGE"], panel("host_memory_available_pct", minutes, 60))[-4:] == [F, F, R, R]
    low = np.full(40, 12)
    assert states(rules["R-MEM-SURGE"], panel("host_memory_available_pct", low, 60))[-1] == F
    leak = np.concatenate([np.full(300, 60), np.linspace(60, 20, 300)])
    found = states(rules["R-LEAK"], panel("vm_memory_usable_pct", leak, 60))
    assert (found[260], found[-1]) == (F, R)


@pytest.mark.parametrize(
    "line",
    [
        {"measure": "slope", "span_s": 60},
        {"measure": "rise"},
        {"measure": "rise", "span_s": 60, "spreads": 6},
        {"spreads": 6, "op": "<"},
    ],
)
def test_a_measure_that_cannot_be_meant_is_refused(line: dict[str, object]) -> None:
    with pytest.raises(KnowledgeError, match=r"\[rules\.R\]"):
        Rule.from_table({"id": "R", "title": "", "tests": [{"metric": "m", "op": ">", "value": 1} | line]})


def test_a_longer_way_and_a_memory_without_headroom_raise_the_rules_that_ship() -> None:
    rules = {rule.id: rule for rule in load_rules()}
    minutes = np.concatenate([np.full(1500, 57), np.full(5, 55), np.full(5, 54), [57, 54]])
    found = states(rules["R-NET-HOPS"], panel("link_ttl", minutes, 60))
    # Two hops more are none; three must be seen three times in a row.
    assert found[1499:1512] == [F, *[F] * 5, F, F, R, R, R, F, F]
    # After more than half a day the longer way is the usual one.
    assert states(rules["R-NET-HOPS"], panel("link_ttl", np.repeat([57, 46], [1500, 900]), 60))[-1] == F
    short = np.repeat([4, 1.5], [10, 10])
    assert states(rules["R-MEM-HEADROOM"], panel("host_memory_available_gib", short, 60))[-6:] == [R] * 6
    assert states(rules["R-MEM-HEADROOM"], panel("host_memory_available_gib", short, 60))[13] == F
    assert states(rules["R-MEM-HEADROOM-PCT"], panel("host_memory_available_pct", short, 60))[-1] == R
    for rule, line in (("R-NIC-ERR-WARN", 10), ("R-NIC-ERR", 1000)):
        assert states(rules[rule], panel("net_bad_ppm", np.full(6, line * 0.9), 60))[-1] == F
        assert states(rules[rule], panel("net_bad_ppm", np.full(6, line * 1.1), 60))[-1] == R
