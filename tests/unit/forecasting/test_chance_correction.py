"""Base rates, and how many independent stories entities tell."""

from dataclasses import replace

import numpy as np
import pytest
from panels import waves

from brownout.domain.panel import Panel
from brownout.forecasting.exceedance.chance_correction import base_rates, independent_shares
from brownout.forecasting.exceedance.habits import LEAST


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
        assert found[name] == pytest.approx((weight * crossed + LEAST[0]) / (weight * quiet + LEAST[1]))
    assert 0.1 < found["cpu_pct"] < 0.6


def test_where_nothing_is_known_one_in_a_hundred_is_expected() -> None:
    panel = waves(entities=2, days=1)
    assert base_rates([panel], 96)["cpu_pct"] == pytest.approx(0.01)
    bare = replace(panel, metrics=tuple(replace(metric, limit=None) for metric in panel.metrics))
    assert base_rates([bare], 24) == {}


def test_entities_of_one_host_tell_one_story() -> None:
    panel = waves(entities=4)
    placed = replace(panel, entities=tuple(replace(e, parent=f"h{i // 2}") for i, e in enumerate(panel.entities)))
    assert independent_shares([panel, waves(entities=1, kind="host")]) == [1.0, 1.0]
    assert independent_shares([placed]) == [0.5]
