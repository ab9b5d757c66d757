"""Weeks ahead: lines through leaks, and an outlook that keeps to what could be tested."""

import numpy as np
import pytest
from panels import METRICS

from brownout.domain.entities import Entity
from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import QUANTILES
from brownout.domain.panel import Float, Panel
from brownout.evaluation.backtest import actual_after
from brownout.forecasting.baselines.daily_deciles import DailyDeciles
from brownout.forecasting.baselines.naive import Naive
from brownout.forecasting.baselines.trend import Trend, slope_of
from brownout.forecasting.outlook import REACH, RISING, Outlook, sampled

DAY = 4
"""Slots of six hours."""


def fleet(values: Float) -> Panel:
    """Entities of one metric on slots of six hours."""
    entities = tuple(Entity(id=f"vm{i}", kind="vm") for i in range(len(values)))
    return Panel(values[..., None].astype(np.float32), np.datetime64("2026-03-02", "ms"), 21_600, entities, METRICS[:1])


def leaks(days: int, *, slope: float, entities: int = 40, seed: int = 0) -> Panel:
    """Values that rise by about ``slope`` a day, with a day's wave and noise."""
    rng = np.random.default_rng(seed)
    slots = np.arange(days * DAY)
    rise = slope * rng.uniform(0.5, 1.5, (entities, 1)) * slots / DAY
    wave = 3 * np.sin(2 * np.pi * slots / DAY)
    return fleet(10 + rise + wave + rng.normal(0, 0.5, (entities, len(slots))))


def test_the_slope_is_the_median_change_over_a_third_of_the_past_in_a_plain_loop() -> None:
    rng = np.random.default_rng(1)
    past = rng.normal(size=(5, 57)).cumsum(axis=1).astype(np.float32)
    past[1, ::3] = np.nan
    past[2, 1:] = np.nan
    lag = 57 // 3 // DAY * DAY
    found = slope_of(past, DAY)
    for row in range(5):
        changes = [past[row, t] - past[row, t - lag] for t in range(lag, 57)]
        known = [change for change in changes if np.isfinite(change)]
        assert found[row] == pytest.approx(np.median(known) / lag if known else 0.0, abs=1e-6)


def test_what_is_usual_are_the_deciles_of_the_same_time_of_the_days_before_in_a_plain_loop() -> None:
    past = np.random.default_rng(2).normal(size=(3, 5 * DAY + 3)).astype(np.float32)
    past[0, 2::DAY] = np.nan
    made = DailyDeciles().paths(past, DAY, 2 * DAY)
    for row in range(3):
        for step in range(1, 2 * DAY + 1):
            place = past.shape[1] - 1 + step
            same = [past[row, t] for t in range(past.shape[1]) if (place - t) % DAY == 0 and np.isfinite(past[row, t])]
            expected = np.quantile(same, QUANTILES) if same else np.full(9, past[row][np.isfinite(past[row])][-1])
            np.testing.assert_allclose(made[row, step - 1], expected, atol=1e-5)


def test_a_leak_is_continued_whatever_a_burst_or_a_restart_did() -> None:
    panel = leaks(20, slope=1.0, entities=3)
    panel.values[0, 40] = 90
    panel.values[1, 30:33] = 0
    past = panel.values[:, : 15 * DAY, 0]
    made = Trend().paths(past, DAY, 5 * DAY)
    miss = np.abs(made[..., 4] - panel.values[:, 15 * DAY :, 0])
    assert miss.mean() < 1.5
    assert np.abs(Naive().paths(past, DAY, 5 * DAY)[..., 4] - panel.values[:, 15 * DAY :, 0]).mean() > 2 * miss.mean()


def test_a_fleet_that_leaks_is_forecast_by_its_trend_and_one_that_does_not_is_not() -> None:
    rising = Outlook(10 * DAY).fit([leaks(40, slope=1.0)])
    assert rising.makers_["cpu_pct" + RISING] == "trend"
    assert rising.skills_["cpu_pct" + RISING] < 0.6
    steady = Outlook(10 * DAY).fit([leaks(40, slope=0.0)])
    assert steady.makers_["cpu_pct"] != "trend"


def test_one_leak_in_a_steady_fleet_is_continued() -> None:
    steady, leak = leaks(40, slope=0.0), leaks(40, slope=1.0, entities=1)
    steady.values[3] = leak.values[0]
    outlook = Outlook(10 * DAY).fit([steady.between(steady.start, steady.start + 30 * DAY * steady.step)])
    made = outlook.predict(ForecastRequest(steady, [30 * DAY - 1], 10 * DAY))
    assert [row for row, maker in enumerate(made.makers) if maker == "trend"] == [3]
    assert np.abs(made.values[3, :, 4] - steady.values[3, 30 * DAY :, 0]).mean() < 2


def test_eighty_percent_of_what_comes_lies_in_the_interval() -> None:
    rng = np.random.default_rng(3)
    walks = fleet(40 + rng.normal(0.05, 0.3, (60, 60 * DAY)).cumsum(axis=1))
    outlook = Outlook(10 * DAY).fit([walks.between(walks.start, walks.start + 45 * DAY * walks.step)])
    made = outlook.predict(ForecastRequest(walks, [45 * DAY - 1, 49 * DAY - 1], 10 * DAY))
    actual = actual_after(walks, made)
    inside = (actual >= made.values[..., 0]) & (actual <= made.values[..., -1])
    assert inside.mean() == pytest.approx(0.8, abs=0.1)


@pytest.mark.parametrize(("entities", "looked_at"), [(40, 40), (1250, 1250), (1251, 626), (25_000, 1250)])
def test_of_a_large_fleet_evenly_chosen_entities_are_looked_at(entities: int, looked_at: int) -> None:
    (part,) = sampled([fleet(np.ones((entities, 2)))])
    assert len(part.entities) == looked_at
    assert part.entity_ids[0] == "vm0"


@pytest.mark.parametrize(("days", "asked", "reached"), [(40, 200, 80), (40, 12, 12), (2, 40, 0)])
def test_no_farther_than_could_be_tested(days: int, asked: int, reached: int) -> None:
    panel = leaks(days, slope=1.0, entities=3)
    outlook = Outlook(asked).fit([panel])
    assert outlook.horizon_ == reached <= REACH * days * DAY
    made = outlook.predict(ForecastRequest(panel, [days * DAY - 1], asked))
    assert (len(made.series), made.horizon) == ((3, reached) if reached else (0, 1))
