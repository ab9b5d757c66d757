"""The choice between forecasters, and the chances to cross a line, where the right answer is known."""

from dataclasses import replace

import numpy as np
import pytest
from panels import waves
from scipy.signal import lfilter
from scipy.stats import norm

from brownout.domain.forecasts import QUANTILES, Forecasts, Odds, Series
from brownout.domain.losses import brier, reliability
from brownout.domain.panel import Float
from brownout.domain.paths import PathModel, corrected, crossing, exceedance
from brownout.forecasting.breach_skill import CANDIDATES, learn_persistence, with_brier
from brownout.forecasting.calibration import Calibration
from brownout.forecasting.choice import HeldOut, choose
from brownout.forecasting.odds import Chances
from brownout.forecasting.selected import origins_for

ROWS, STEPS = 120, 24
PLAIN = Calibration(STEPS, {})
RNG = np.random.default_rng(0)


def made(middle: Float, spread: float, maker: str) -> Forecasts:
    values = (middle[..., None] + spread * norm.ppf(QUANTILES)).astype(np.float32)
    origins = np.full(len(values), np.datetime64("2026-03-02", "ms"))
    return Forecasts((Series("vm0", "cpu_pct"),) * len(values), origins, 60, values, (maker,) * len(values))


def held_out(lstm: Float, rival: Float, actual: Float) -> HeldOut:
    half = np.arange(ROWS) % 2 == 0
    return HeldOut(
        calibrates=half,
        metrics=np.full(ROWS, "cpu_pct"),
        now=np.zeros(ROWS, np.float32),
        actual=actual,
        scale=np.ones(ROWS),
        lstm=made(lstm, 1, "lstm"),
        rivals={"seasonal-naive": made(rival, 1, "seasonal-naive").rows(np.flatnonzero(~half).tolist())},
        limits={"cpu_pct": (2.0, True)},
    )


def noise() -> Float:
    return RNG.normal(size=(ROWS, STEPS)).astype(np.float32)


def test_each_quarter_goes_to_the_forecaster_that_is_better_there() -> None:
    zero = np.zeros((ROWS, STEPS), np.float32)
    lstm = zero.copy()
    lstm[:, STEPS // 2 :] = 5  # far off in the second half
    choice = choose([held_out(lstm, zero + 1, noise())], PLAIN)
    assert choice.makers["cpu_pct"] == ("lstm", "lstm", "seasonal-naive", "seasonal-naive")
    skill = choice.skills[1]
    assert skill.maker == "lstm+seasonal-naive"
    assert "in quarter 3" in skill.note
    assert "in quarter 1" not in skill.note
    assert skill.crps < 1


def test_where_the_lstm_wins_nothing_is_said_and_its_intervals_are_measured() -> None:
    zero = np.zeros((ROWS, STEPS), np.float32)
    overall, skill = choose([held_out(zero, zero + 3, noise())], PLAIN).skills
    assert (skill.maker, skill.note) == ("lstm", "")
    assert (skill.coverage_50, skill.coverage, skill.coverage_90) == pytest.approx((0.5, 0.8, 0.9), abs=0.03)
    assert overall.coverage_50 == skill.coverage_50


def test_a_rival_with_outer_quantiles_has_its_own_90_percent_interval() -> None:
    zero = np.zeros((ROWS, STEPS), np.float32)
    table = held_out(zero + 3, zero + 3, noise())
    rows = ROWS // 2
    better = made(zero[:rows], 1, "lstm with loads")
    outer = np.tile(norm.ppf([0.05, 0.95]).astype(np.float32), (rows, STEPS, 1))
    table = replace(table, rivals={**table.rivals, "lstm with loads": better}, outer={"lstm with loads": outer})
    _, skill = choose([table], PLAIN).skills
    assert skill.maker == "lstm with loads"
    assert (skill.coverage_50, skill.coverage, skill.coverage_90) == pytest.approx((0.5, 0.8, 0.9), abs=0.03)
    assert skill.note.startswith("without the forecasts of load the LSTM had a CRPS of")
    classical = choose([replace(table, rivals={"seasonal-naive": replace(better)}, outer={})], PLAIN).skills[1]
    assert classical.coverage_50 == skill.coverage_50
    assert np.isnan(classical.coverage_90)


def ar1(phi: float, rows: int) -> Float:
    steps = RNG.normal(size=(rows, STEPS + 200)) * np.sqrt(1 - phi**2)
    paths: Float = lfilter([1], [1, -phi], steps, axis=1)[:, 200:].astype(np.float32)
    return paths


@pytest.mark.parametrize("phi", [0.0, 0.8, 0.98])
def test_the_persistence_that_paths_were_drawn_with_is_found_again(phi: float) -> None:
    rows = 200
    forecasts = made(np.zeros((rows, STEPS), np.float32), 1, "lstm")
    found = learn_persistence(np.full(rows, "cpu_pct"), forecasts, ar1(phi, rows))["cpu_pct"]
    assert abs(CANDIDATES.index(found) - CANDIDATES.index(phi)) <= 1


def test_chances_to_cross_happen_as_often_as_they_say() -> None:
    """A reliability diagram on simulated truth: each tenth of the chances within what chance allows."""
    rows, phi = 4000, 0.9
    middle = np.repeat(RNG.uniform(-3, 1, rows).astype(np.float32)[:, None], STEPS, axis=1)
    actual = middle + ar1(phi, rows)
    chance = exceedance(made(middle, 1, "lstm"), np.full(rows, 1.5, np.float32), upwards=np.ones(rows, bool))
    likely = crossing(chance, PathModel(persistence=phi))
    happened = (actual > 1.5).any(axis=1)
    for low in np.arange(0, 1, 0.2):
        inside = (likely >= low) & (likely < low + 0.2)
        error = 3 * np.sqrt(0.25 / inside.sum())
        assert happened[inside].mean() == pytest.approx(likely[inside].mean(), abs=error + 0.02)
    assert brier(likely, happened) < 0.7 * brier(np.full(rows, happened.mean()), happened)


def test_windows_that_begin_beyond_the_limit_are_no_news_and_do_not_count() -> None:
    zero = np.zeros((ROWS, STEPS), np.float32)
    table = held_out(zero, zero, noise())
    choice = choose([table], PLAIN)
    found = with_brier(choice, [table], PLAIN, Chances({"cpu_pct": 0.0}))[1]
    assert found.brier == pytest.approx(found.brier_base, abs=0.01)  # every window is alike
    beyond = replace(table, now=np.full(ROWS, 3.0, np.float32))
    assert np.isnan(with_brier(choice, [beyond], PLAIN, Chances())[1].brier)


def test_a_reliability_diagram_counts_as_a_loop_does() -> None:
    likely = np.array([0.0, 0.05, 0.1, 0.35, 0.99, 1.0])
    happened = np.array([False, True, False, True, True, True])
    found = reliability(likely, happened)
    for place, (count, said, came) in enumerate(found):
        inside = [i for i in range(6) if place / 10 <= likely[i] < (place + 1) / 10 or (place == 9 and likely[i] == 1)]
        assert (count, came) == (len(inside), sum(happened[i] for i in inside))
        assert said == pytest.approx(sum(likely[i] for i in inside))


def test_corrected_chances_keep_their_order_and_surprises_come_evenly() -> None:
    chances = np.array([0.0, 0.2, 0.5, 1.0])
    odds = [Odds(0.1, 0.02, -0.3, 1.2)]
    whole, half = (corrected(chances, odds, elapsed) for elapsed in (1.0, 0.5))
    assert (np.diff(whole) > 0).all()
    assert (whole[0], half[0]) == pytest.approx((0.1, 0.05), abs=0.003)
    assert whole[-1] == pytest.approx(0.98, abs=0.003)
    assert corrected(chances, [Odds()]) == pytest.approx(chances, abs=1.1e-3)  # as 1,000 paths can tell


@pytest.mark.parametrize(("entities", "origins"), [(4, 24), (2500, 12), (60_000, 8)])
def test_a_large_fleet_is_judged_from_fewer_origins(entities: int, origins: int) -> None:
    panel = waves(days=1, interval_s=43_200)
    panel = replace(panel, values=np.ones((entities, 2, 2), np.float32), entities=panel.entities[:1] * entities)
    assert origins_for([panel]) == origins
