"""Chances pooled with base rates: closed forms against a search, and never worse than what was known before."""

from dataclasses import replace

import numpy as np
import pytest
from panels import waves

from brownout.domain.forecasts import Odds
from brownout.domain.losses import brier
from brownout.domain.metrics import Family, Metric, Worse
from brownout.domain.panel import Panel
from brownout.domain.paths import corrected
from brownout.forecasting.odds import BORROWED, EXPECTED, Events, base_rates, learn_odds, stories_of

RNG = np.random.default_rng(0)


def metrics(families: dict[str, Family]) -> dict[str, Metric]:
    return {
        name: Metric(name=name, unit="%", family=family, lower=0, upper=100, limit=90, worse=Worse.UP)
        for name, family in families.items()
    }


CPU = metrics({"cpu_pct": Family.CPU})


def events(rows: int, rate: float, skill: float, weight: float = 1.0) -> Events:
    """Chances that are right with a share ``skill`` of the windows, and anything for the others."""
    happened = RNG.random(rows) < rate
    likely = np.where(RNG.random(rows) < skill, np.where(happened, 0.95, 0.05), RNG.random(rows))
    return Events(likely, happened, weight)


def share_of(odds: Odds) -> float:
    return odds.surprise + odds.lapse


def test_the_share_of_the_base_rate_is_the_one_that_a_search_finds() -> None:
    part = events(3000, 0.2, 0.5)
    found = share_of(learn_odds({"cpu_pct": [part]}, {"cpu_pct": 0.2}, CPU)["cpu_pct"])
    shares = np.linspace(0, 1, 1001)
    scores = [brier((1 - w) * part.likely + w * 0.2, part.happened) for w in shares]
    assert found == pytest.approx(shares[int(np.argmin(scores))], abs=2e-3)
    assert 0.2 < found < 0.8


def test_chances_are_pooled_linearly() -> None:
    odds = learn_odds({"cpu_pct": [events(3000, 0.2, 0.5)]}, {"cpu_pct": 0.2}, CPU)["cpu_pct"]
    chances = np.array([0.05, 0.5, 0.9])
    expected = (1 - share_of(odds)) * chances + share_of(odds) * 0.2
    np.testing.assert_allclose(corrected(chances, [odds]), expected, atol=1e-6)


@pytest.mark.parametrize(("skill", "least", "most"), [(0.0, 0.97, 1.0), (1.0, 0.0, 0.05)])
def test_useless_chances_give_way_to_the_base_rate_and_good_ones_do_not(
    skill: float, least: float, most: float
) -> None:
    odds = learn_odds({"cpu_pct": [events(4000, 0.1, skill)]}, {"cpu_pct": 0.1}, CPU)["cpu_pct"]
    assert least <= share_of(odds) <= most
    other = events(4000, 0.1, skill)
    known = brier(np.full(4000, 0.1), other.happened)
    pooled = brier(corrected(other.likely, [odds]), other.happened)
    assert pooled < 1.01 * known
    assert pooled <= brier(other.likely, other.happened) * 1.05


def test_a_metric_with_few_windows_is_corrected_as_its_family_is() -> None:
    families = {"a": Family.CPU, "b": Family.CPU, "c": Family.DISK, "d": Family.DISK}
    rates = dict.fromkeys(families, 0.1)
    made = {
        "a": [events(4000, 0.1, 0.0)],
        "b": [events(4000, 0.1, 1.0, weight=BORROWED / 4e6)],
        "c": [events(4000, 0.1, 1.0)],
    }
    found = learn_odds(made, rates, metrics(families))
    assert share_of(found["b"]) > 0.3
    assert share_of(found["a"]) > 0.97
    assert share_of(found["c"]) < 0.1
    assert 0 < share_of(found["d"]) < share_of(found["b"])  # no window of its own: as the disk it is


def test_without_windows_nothing_is_corrected() -> None:
    assert learn_odds({}, {"cpu_pct": 0.1}, CPU) == {}
    sure = Events(np.full(10, 0.3), np.zeros(10, bool), 1.0)
    assert learn_odds({"cpu_pct": [sure]}, {"cpu_pct": 0.3}, CPU) == {"cpu_pct": Odds(limit=90)}


def crossing(panel: Panel) -> Panel:
    """Two days of half hours; vm0's cpu is beyond 90 % twice, vm1's free memory falls once below 10 %."""
    values = np.full_like(panel.values, 50)
    values[0, 20:24, 0] = 95
    values[0, 70, 0] = 95
    values[1, 60, 1] = 5
    values[1, 9:36, 0] = np.nan  # longer than a horizon
    return replace(panel, values=values)


def test_base_rates_count_windows_that_begin_below_the_limit_as_a_loop_does() -> None:
    panel, horizon = crossing(waves(entities=2, days=2)), 24
    found = base_rates([panel], horizon)
    for column, (name, side, limit) in enumerate((("cpu_pct", 1, 90), ("free_pct", -1, 10))):
        crossed = quiet = 0
        for row in range(2):
            for origin in range(0, panel.values.shape[1] - horizon, 2):
                now, *after = panel.values[row, origin : origin + 1 + horizon, column]
                if np.isfinite(now) and not side * now > side * limit and np.isfinite(after).any():
                    crossed, quiet = crossed + any(side * value > side * limit for value in after), quiet + 1
        weight = 2 / 24  # two stories of two entities, each window a twelfth of a horizon after the last
        assert found[name] == pytest.approx((weight * crossed + EXPECTED[0]) / (weight * quiet + EXPECTED[1]))
    assert 0.2 < found["cpu_pct"] < 0.6


def test_where_nothing_is_known_one_in_twenty_is_expected() -> None:
    panel = waves(entities=2, days=1)
    assert base_rates([panel], 96)["cpu_pct"] == pytest.approx(0.05)
    bare = replace(panel, metrics=tuple(replace(metric, limit=None) for metric in panel.metrics))
    assert base_rates([bare], 24) == {}


def test_entities_of_one_host_tell_one_story() -> None:
    panel = waves(entities=4)
    placed = replace(panel, entities=tuple(replace(e, parent=f"h{i // 2}") for i, e in enumerate(panel.entities)))
    assert stories_of([panel, waves(entities=1, kind="host")]) == [1.0, 1.0]
    assert stories_of([placed]) == [0.5]
