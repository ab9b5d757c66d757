"""Precedents of rules: for how long they were raised on other days, anywhere in the fleet."""

from dataclasses import replace

import numpy as np
import pytest

from brownout.detection.episodes.rule_precedents import RulePrecedents, pooled_precedents, rule_precedents
from brownout.detection.episodes.threshold_rules import Rule
from brownout.domain.entities import Entity
from brownout.domain.findings import Episode
from brownout.domain.metrics import Metric
from brownout.domain.panel import Panel

START = np.datetime64("2026-03-02T00:00", "ms")
RULE = Rule.from_table({"id": "R", "title": "busy", "tests": [{"metric": "busy", "op": ">", "value": 50}]})
MINUTES = 1_440


def fleet(
    spans: list[tuple[int, int, int, int]], *, entities: int = 10, days: int = 10, interval_s: int = 300
) -> Panel:
    """Entities that are busy in spans of (entity, day, minute, minutes)."""
    values = np.zeros((entities, days * 86_400 // interval_s, 1), np.float32)
    for entity, day, minute, length in spans:
        first = (day * MINUTES + minute) * 60 // interval_s
        values[entity, first : first + length * 60 // interval_s] = 90
    named = tuple(Entity(id=f"vm{row}", kind="vm") for row in range(entities))
    return Panel(values=values, start=START, interval_s=interval_s, entities=named, metrics=(Metric(name="busy"),))


def episode(entity: int, day: int, minute: int, length: int) -> Episode:
    start = START + np.timedelta64(day * MINUTES + minute, "m")
    return Episode(
        id=f"{entity} {day}", entity=f"vm{entity}", start=start, end=start + np.timedelta64(length, "m"), open=False,
        severity=1.5, movers=(), rules=("R",),
    )  # fmt: skip


def often(spans: list[tuple[int, int, int, int]], **shape: int) -> float:
    """At how many of ten entities a day the rule is raised for as long as at the last span."""
    return rule_precedents([episode(*spans[-1])], fleet(spans, **shape), [RULE]).per_day(
        f"{spans[-1][0]} {spans[-1][1]}", "R"
    )


def test_what_was_never_raised_for_as_long_has_no_precedent() -> None:
    short = [(entity, day, 600, 15) for entity in range(10) for day in range(2, 9)]
    assert often([*short, (3, 9, 600, 120)]) == 0


def test_a_precedent_is_as_long_whenever_and_wherever_it_was() -> None:
    """Seven other days, two of them with one entity each: one of these is left out as the worst."""
    assert often([(1, 4, 700, 60), (2, 6, 100, 90), (3, 9, 600, 60)]) == pytest.approx(1 / 6)


def test_one_bad_day_of_a_site_is_no_precedent() -> None:
    assert often([*((entity, 5, 600, 120) for entity in range(10)), (3, 9, 600, 60)]) == 0


def test_the_own_day_and_the_first_two_are_no_precedents() -> None:
    own = [(entity, 9, 600, 60) for entity in range(9)]
    first = [(entity, day, 600, 60) for entity in range(9) for day in (0, 1)]
    assert often([*own, *first, (9, 9, 600, 60)]) == 0


def test_comes_and_goes_counts_like_staying() -> None:
    """Four times 15 minutes within four hours are an hour."""
    pieces = [(1, day, 600 + 45 * part, 15) for day in (4, 5) for part in range(4)]
    assert often([*pieces, (3, 9, 600, 60)]) > 0
    assert often([*pieces, (3, 9, 600, 75)]) == 0


@pytest.mark.parametrize("interval_s", [60, 900])
def test_the_sampling_does_not_matter(interval_s: int) -> None:
    spans = [(1, 4, 600, 60), (2, 6, 90, 90), (3, 9, 600, 60)]
    assert often(spans, interval_s=interval_s) == pytest.approx(often(spans))


def test_nothing_is_told_of_few_days() -> None:
    assert often([(2, 3, 600, 60), (3, 4, 600, 60)], days=5) == 0
    assert often([(1, 3, 600, 60), (2, 4, 600, 60), (3, 5, 600, 60)], days=6) > 0
    assert RulePrecedents().per_day("3 9", "R") == 0


def test_a_sample_stands_for_all_of_a_shard_and_shards_add_up() -> None:
    spans = [(entity, day, 600, 60) for entity in range(320) for day in range(2, 9)]
    last = episode(7, 9, 600, 60)
    one = rule_precedents([last], fleet([*spans, (7, 9, 600, 60)], entities=320), [RULE])
    assert one.per_day(last.id, "R") == pytest.approx(320)
    quiet = rule_precedents([replace(last, id="other", entity="vm0")], fleet([(0, 9, 600, 60)]), [RULE])
    both = pooled_precedents([one, quiet])
    assert both.per_day(last.id, "R") == pytest.approx(320)
    assert both.per_day("other", "R") == pytest.approx(320)


def test_an_episode_of_no_length_or_at_the_end_and_one_that_was_not_measured_end_nothing() -> None:
    panel = fleet([(3, 9, 600, 60)])
    values = panel.values.copy()
    values[4, 9 * 288 + 120 : 9 * 288 + 132] = np.nan
    panel = replace(panel, values=values)
    unmeasured, empty, late = episode(4, 9, 600, 60), episode(3, 9, 630, 0), episode(3, 10, 0, 0)
    held = rule_precedents([unmeasured, empty, late], panel, [RULE]).held
    assert held[unmeasured.id, "R"] == 0
    assert held[empty.id, "R"] == 35 * 60
    assert held[late.id, "R"] == 0
