"""Times of habits: what crosses its limit at the same time each day is going to do so at that time."""

from dataclasses import replace

import numpy as np
import pytest
from panels import waves

from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.panel import Panel
from brownout.forecasting.exceedance.chance_correction import Chances
from brownout.forecasting.exceedance.habit_times import first_crossings, times_of
from brownout.forecasting.exceedance.habits import Habit, Windows
from brownout.forecasting.exceedance.told_odds import told_odds
from brownout.forecasting.series_rows import rows_of

DAY = 48


def panel_of(crossed: list[list[int]], days: int) -> Panel:
    """Half hours at 50 %, and beyond the limit of 90 % at the given slots of each series."""
    panel = waves(entities=len(crossed), days=days)
    values = np.full_like(panel.values, 50)
    for entity, slots in enumerate(crossed):
        values[entity, slots] = 95
    return replace(panel, values=values)


def reached(shares: np.ndarray, level: float) -> float:
    """Slot at which so much has come, from the shares by the middle of each."""
    return float(np.interp(level, shares, np.arange(len(shares)) + 0.5))


def test_first_crossings_are_those_that_a_loop_finds() -> None:
    rng = np.random.default_rng(5)
    panel = panel_of([sorted(rng.choice(7 * DAY, 25, replace=False).tolist()) for _ in range(4)], 7)
    panel.values[1, 70:130] = np.nan
    for origin, horizon in ((200, 48), (335, 48), (250, 20), (300, 96)):
        found = first_crossings(panel, np.arange(4), np.zeros(4, np.int64), origin=origin, horizon=horizon)
        starts = [s for s in range(origin - DAY, -1, -DAY) if s + horizon <= origin]
        assert found.shape == (4, len(starts))
        for row in range(4):
            for day, start in enumerate(starts):
                ahead = [k for k in range(horizon) if panel.values[row, start + 1 + k, 0] > 90]
                expected = ahead[0] if ahead and not panel.values[row, start, 0] > 90 else np.nan
                assert found[row, day] == pytest.approx(expected, nan_ok=True)


def test_a_job_at_the_same_time_each_day_is_expected_then_and_an_irregular_one_over_hours() -> None:
    steps = np.array([[9.0, 9, 10, 9, np.nan, 9, 10], [4, 20, 9, 31, 14, 26, np.nan], [np.nan] * 7])
    nightly, irregular, never = times_of(steps, DAY)
    assert 8 < reached(nightly, 0.1) < 9.5 < reached(nightly, 0.9) < 12
    assert reached(irregular, 0.9) - reached(irregular, 0.1) > 20
    assert times_of(np.zeros((1, 7)), DAY)[0, 10] > 0.9  # nothing comes before the horizon begins
    assert never == pytest.approx(np.append((np.arange(DAY - 1) + 0.5) / DAY, 1))
    for shares in (nightly, irregular, never):
        assert (np.diff(shares) >= 0).all()
        assert shares[0] >= 0
        assert shares[-1] == 1


def test_odds_of_a_habit_have_its_times_and_those_of_a_metric_alone_have_none() -> None:
    panel = panel_of([[day * DAY + 20 for day in range(8)], []], 8).select(metrics=[0])
    rows = rows_of(panel, (8 * DAY - 1,))
    request = ForecastRequest(panel, (8 * DAY - 1,), DAY)
    chances = Chances(habits={"cpu_pct": Habit(0.0, 0.1, 3.0)})
    busy, idle = told_odds(chances, rows, request, DAY)
    assert busy.miss_rate > 0.8
    assert busy.when is not None
    assert 19 < reached(np.array(busy.when), 0.5) < 22
    assert idle.when is None
    alone, _ = told_odds(Chances(habits={"cpu_pct": Habit(0.0, 0.1, 0.0)}), rows, request, DAY)
    assert alone.when is None


def test_the_part_of_the_odds_that_is_no_habit_of_the_series_comes_evenly() -> None:
    panel = panel_of([[day * DAY + 20 for day in range(1, 8, 2)]], 8).select(metrics=[0])
    request = ForecastRequest(panel, (8 * DAY - 1,), DAY)
    habit = Habit(0.4, 0.6, 0.2)
    (told,) = told_odds(Chances(habits={"cpu_pct": habit}), rows_of(panel, (8 * DAY - 1,)), request, DAY)
    windows = Windows.of(panel, DAY).until(np.array([8 * DAY - 1]), np.array([0]), np.array([0]))
    crossed, every = (float(count[0]) for count in windows)
    share = (1 - habit.share) * habit.trust * crossed / (habit.trust * every + 1) / told.miss_rate
    steps = first_crossings(panel, np.array([0]), np.array([0]), origin=8 * DAY - 1, horizon=DAY)
    assert 0.2 < share < 0.9
    assert told.when == pytest.approx(share * times_of(steps, DAY)[0] + (1 - share) * (np.arange(DAY) + 1) / DAY)
