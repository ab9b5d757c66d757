"""What is known of crossed limits without a forecast: how often a series crossed its own, and all of its metric."""

from dataclasses import replace

import numpy as np
import pytest
from panels import waves

from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.panel import Float, Panel
from brownout.forecasting.exceedance.chance_correction import MOST_KNOWN, Chances
from brownout.forecasting.exceedance.habits import OTHER_DAYS, Habit, Windows, learn_trust, without_gaps_of
from brownout.forecasting.exceedance.told_odds import told_odds
from brownout.forecasting.series_rows import rows_of

DAY, HORIZON = 48, 48


def panel_of(beyond: Float) -> Panel:
    """Shares of CPU of 50 %, and 95 %, beyond the limit of 90 %, where marked ``[entity, slot]``; half hours."""
    panel = waves(entities=len(beyond), days=beyond.shape[1] // DAY)
    values = np.full_like(panel.values, 50)
    values[..., 0] = np.where(beyond, 95, 50)
    return replace(panel, values=values)


def busy_days(days: int, *, guests: int, chance: float, seed: int = 1, same: bool) -> Panel:
    """Guests that are busy for an hour of some days: the same guests each day, or whoever it may be."""
    rng = np.random.default_rng(seed)
    beyond = np.zeros((guests, days * DAY), bool)
    busy = np.arange(guests) < chance * guests
    for day in range(days):
        crowd = busy if same else rng.uniform(size=guests) < chance
        beyond[crowd, day * DAY + 20 : day * DAY + 22] = True
    return panel_of(beyond)


def test_windows_before_an_origin_are_counted_as_a_loop_does() -> None:
    panel = busy_days(6, guests=5, chance=0.4, same=False)
    panel.values[2, 30:90] = np.nan
    windows = Windows.of(panel, HORIZON)
    for slot in (10, 60, 200, 250, 287):
        rows, column = np.arange(5), np.zeros(5, np.int64)
        for any_day in (False, True):
            crossed, counted = windows.until(np.full(5, slot), rows, column, any_day=any_day)
            for row in range(5):
                own = np.zeros(2)
                for origin in range(0, slot - HORIZON + 1, HORIZON // 12):
                    now, *after = panel.values[row, origin : origin + HORIZON + 1, 0]
                    if origin + HORIZON < panel.values.shape[1] and now <= 90 and np.isfinite(after).any():
                        weight = 1 if any_day or mostly_weekend(origin) == mostly_weekend(slot) else OTHER_DAYS
                        own += weight * np.array([any(value > 90 for value in after), 1])
                assert (crossed[row], counted[row]) == pytest.approx(own / 12)


def mostly_weekend(slot: int) -> bool:
    """Whether most of the slots after one lie on a Saturday or Sunday: the panels begin on a Monday."""
    return sum(later // DAY % 7 >= 5 for later in range(slot + 1, slot + 1 + HORIZON)) >= HORIZON / 2


def trust_of(panel: Panel) -> float:
    return learn_trust([(panel, Windows.of(panel, HORIZON))]).get("cpu_pct", 0.0)


def test_own_days_count_where_the_same_guests_are_busy_and_not_where_anyone_is() -> None:
    assert trust_of(busy_days(10, guests=20, chance=0.2, same=True)) >= 1
    assert trust_of(busy_days(10, guests=20, chance=0.2, same=False)) <= 0.1
    assert trust_of(busy_days(10, guests=20, chance=0.0, same=True)) == 0


def test_a_habit_lies_between_the_rate_of_the_metric_and_the_own_share() -> None:
    habit = Habit(share=0, rate=0.05, trust=1)
    assert habit.known(0, 0) == pytest.approx(0.05)
    assert habit.known(9, 9) == pytest.approx(9.05 / 10)
    assert habit.known(0, 9) < 0.01
    assert Habit(share=0, rate=0.05).known(9, 9) == pytest.approx(0.05)


def odds(usual: Panel, measured: Panel, chances: Chances, *, worst: Panel | None = None) -> Float:
    origin = (usual.values.shape[1] - 1,)
    rows = rows_of(usual, origin)
    request = ForecastRequest(usual, origin, HORIZON, measured=measured, worst=worst)
    told = told_odds(chances, rows, request, HORIZON)
    return np.array([one.miss_rate for one, column in zip(told, rows.metrics, strict=True) if column == 0], np.float32)


def test_who_is_busy_each_day_is_told_to_be_and_nobody_else() -> None:
    panel = busy_days(10, guests=20, chance=0.2, same=True)
    told = odds(panel, panel, Chances(habits={"cpu_pct": Habit(share=0, rate=0.2, trust=3)}))
    assert told[:4].min() > 0.9
    assert told[4:].max() < 0.02


def test_who_is_busy_on_working_days_is_told_to_be_on_monday_and_not_at_the_weekend() -> None:
    panel = busy_days(14, guests=20, chance=0.2, same=True)
    weekend = np.arange(14 * DAY) // DAY % 7 >= 5
    panel.values[:, weekend, 0] = 50
    chances = Chances(habits={"cpu_pct": Habit(share=0, rate=0.2, trust=3)})
    monday, saturday = panel, panel.between(panel.start, panel.start + 12 * DAY * panel.step)
    assert odds(monday, monday, chances)[:4].min() > 0.8
    assert odds(saturday, saturday, chances).max() < 0.25


def test_what_came_once_to_all_names_nobody_and_raises_what_is_known_of_the_metric() -> None:
    measured = busy_days(5, guests=8, chance=1.0, same=True)
    usual = replace(measured, values=np.where(measured.values > 90, np.nan, measured.values).astype(np.float32))
    told = odds(usual, measured, Chances(habits={"cpu_pct": Habit(share=0, rate=0.01, trust=0)}))
    assert told == pytest.approx(MOST_KNOWN)
    assert not np.isfinite(without_gaps_of(measured, usual).values[measured.values > 90]).any()


def test_what_crosses_for_minutes_raises_what_is_known_of_the_metric_and_names_nobody() -> None:
    sustained = busy_days(10, guests=20, chance=0.0, same=True)
    worst = busy_days(10, guests=20, chance=0.1, same=True)
    chances = Chances(habits={"cpu_pct": Habit(share=0, rate=0.01, trust=0)})
    assert odds(sustained, sustained, chances).max() < 0.01
    told = odds(sustained, sustained, chances, worst=worst)
    assert told.min() == told.max()
    assert told[0] == pytest.approx(0.1, rel=0.2)


def test_nothing_after_the_origin_is_read() -> None:
    panel = busy_days(10, guests=6, chance=0.5, same=False)
    later = replace(panel, values=panel.values.copy())
    later.values[:, 5 * DAY + 1 :, 0] = 95
    chances = Chances(habits={"cpu_pct": Habit(share=0, rate=0.2, trust=1)})
    origin = (5 * DAY,)
    made = [
        told_odds(chances, rows_of(one, origin), ForecastRequest(one, origin, HORIZON), HORIZON)
        for one in (panel, later)
    ]
    assert made[0] == made[1]


def test_without_habits_the_odds_are_those_of_the_metric() -> None:
    panel = busy_days(3, guests=2, chance=0.5, same=True)
    rows = rows_of(panel, (10,))
    assert set(told_odds(Chances(), rows, ForecastRequest(panel, (10,), HORIZON), HORIZON)) == {
        Chances().correction("")
    }


def test_habits_are_stored_and_read() -> None:
    chances = Chances(habits={"cpu_pct": Habit(share=0.3, rate=0.05, trust=1.0)})
    assert Chances.from_facts(chances.facts()) == chances
