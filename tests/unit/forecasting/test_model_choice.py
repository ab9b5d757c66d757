"""The choice between forecasters, and the chances to cross a line, where the right answer is known."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from panels import waves
from scipy.signal import lfilter
from scipy.stats import norm

from brownout.domain.exceedance import PathModel, corrected, crossing, exceedance
from brownout.domain.forecasts import QUANTILES, Forecasts, Odds, Series
from brownout.domain.panel import Doubles, Float
from brownout.forecasting.exceedance.breach_skill import CANDIDATES, learn_persistence, odds_of, with_brier
from brownout.forecasting.exceedance.chance_correction import (
    UNPROVEN,
    Chances,
    Events,
    learn_odds,
    missed,
    pool_share,
    pooled,
)
from brownout.forecasting.selection.calibration import Calibration
from brownout.forecasting.selection.held_out import HeldOut, origins_for
from brownout.forecasting.selection.model_choice import choose
from brownout.numerics.losses import brier, reliability

ROWS, STEPS = 120, 24
PLAIN = Calibration(STEPS, {})
RNG = np.random.default_rng(0)
LIMITED = waves(entities=2, days=3)
"""A history of the metric that never comes near its limit."""


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
    found = with_brier(choice, [(LIMITED, table)], [LIMITED], PLAIN, Chances({"cpu_pct": 0.0}))[0][1]
    assert found.brier <= found.brier_base + 0.01  # every window is alike
    beyond = replace(table, now=np.full(ROWS, 3.0, np.float32))
    assert np.isnan(with_brier(choice, [(LIMITED, beyond)], [LIMITED], PLAIN, Chances())[0][1].brier)


def test_a_reliability_diagram_counts_as_a_loop_does() -> None:
    likely = np.array([0.0, 0.05, 0.1, 0.35, 0.99, 1.0])
    happened = np.array([False, True, False, True, True, True])
    found = reliability(likely, happened)
    for place, (count, said, came) in enumerate(found):
        inside = [i for i in range(6) if place / 10 <= likely[i] < (place + 1) / 10 or (place == 9 and likely[i] == 1)]
        assert (count, came) == (len(inside), sum(happened[i] for i in inside))
        assert said == pytest.approx(sum(likely[i] for i in inside))


def events(rows: int, miss_rate: float, slope: float, weight: float = 1.0, false_alarm_rate: float = 0.0) -> Events:
    """Chances that are stretched by ``slope`` too little, and crossings that nothing shows or that do not come."""
    said = RNG.normal(-2, 1.5, rows)
    likely = 1 / (1 + np.exp(-said))
    true = miss_rate + (1 - miss_rate - false_alarm_rate) / (1 + np.exp(-slope * said))
    return Events(likely, RNG.uniform(size=rows) < true, weight)


@pytest.mark.parametrize(("miss_rate", "slope"), [(0.0, 1.0), (0.1, 1.0), (0.05, 1.7), (0.0, 0.6)])
def test_the_odds_that_chances_were_spoilt_with_are_found_again(miss_rate: float, slope: float) -> None:
    found = learn_odds([events(20_000, miss_rate, slope), events(20_000, miss_rate, slope)])
    assert found.miss_rate == pytest.approx(miss_rate, abs=0.02)
    assert found.slope == pytest.approx(slope, abs=0.12)
    assert found.intercept == pytest.approx(0, abs=0.15)


def test_corrected_chances_are_better_on_other_windows() -> None:
    odds, other = learn_odds([events(4000, 0.15, 1.0)]), events(4000, 0.15, 1.0)
    assert brier(corrected(other.likely, [odds]), other.happened) < 0.95 * brier(other.likely, other.happened)


@pytest.mark.parametrize(("rows", "weight"), [(5, 1.0), (500, 0.01)], ids=["few", "overlapping"])
def test_few_events_move_the_odds_little_and_windows_that_overlap_are_few(rows: int, weight: float) -> None:
    found = [learn_odds([events(rows, 0.2, 1.0, weight)]) for _ in range(15)]
    assert max(odds.miss_rate for odds in found) < 0.07
    assert np.median([odds.slope for odds in found]) == pytest.approx(1, abs=0.35)


def test_corrected_chances_keep_their_order_and_surprises_come_evenly() -> None:
    chances = np.array([0.0, 0.2, 0.5, 1.0])
    odds = [Odds(0.1, 0.02, -0.3, 1.2)]
    whole, half = (corrected(chances, odds, elapsed) for elapsed in (1.0, 0.5))
    assert (np.diff(whole) > 0).all()
    assert (whole[0], half[0]) == pytest.approx((0.1, 0.05), abs=0.003)
    assert whole[-1] == pytest.approx(0.98, abs=0.003)
    assert corrected(chances, [Odds()]) == pytest.approx(chances, abs=1.1e-3)  # as 1,000 paths can tell


def test_surprises_are_crossings_after_a_window_without_one() -> None:
    panel = waves(entities=2, days=6, interval_s=21_600)  # four slots a day
    values = np.full_like(panel.values, 50)
    values[0, 8:10, 0] = 95  # cpu_pct crosses 90 on the third day, out of the blue, and on the fourth
    values[0, 13, 0] = 95
    values[1, 22, 1] = 5  # free_pct falls below 10 on the last day
    found = missed(replace(panel, values=values), 4)
    assert found == {"cpu_pct": (1, 8), "free_pct": (1, 10)}


def test_a_history_of_surprises_is_expected_to_go_on_half_as_often_in_log_odds() -> None:
    quiet = Events(np.full(10, 1e-3), np.zeros(10, bool), 0.01)
    often, seldom = (learn_odds([quiet], seen).miss_rate for seen in ((1000, 9000), (0, 900)))
    assert often == pytest.approx(0.0325, abs=0.004)  # half way between 1 % and 10 %
    assert seldom < 0.005


def test_warnings_that_do_not_come_true_are_lapses() -> None:
    sure = RNG.choice([0.01, 0.99], 4000)
    happened = RNG.uniform(size=4000) < np.where(sure > 0.5, 0.8, 0.01)
    assert learn_odds([Events(sure, happened, 1.0)]).false_alarm_rate == pytest.approx(0.2, abs=0.05)


def test_a_correction_knows_the_limit_that_it_was_learned_for() -> None:
    zero = np.zeros((ROWS, STEPS), np.float32)
    panel = waves(entities=2, days=2)
    odds = odds_of([(panel, held_out(zero, zero, noise()))], [panel], PLAIN, {})
    assert odds["cpu_pct"].limit == 90
    assert odds["cpu_pct"].speaks_of(90)
    assert not odds["cpu_pct"].speaks_of(80)


def test_a_correction_that_makes_chances_worse_is_dropped() -> None:
    zero = np.zeros((ROWS, STEPS), np.float32)
    table = held_out(zero - 3, zero - 3, noise() - 3)  # never near the limit of 2
    choice = choose([table], PLAIN)
    worse = Chances({"cpu_pct": 0.0}, {"cpu_pct": Odds(miss_rate=0.4)})
    skills, chances = with_brier(choice, [(LIMITED, table)], [LIMITED], PLAIN, worse)
    assert chances.odds["cpu_pct"].miss_rate < 0.05
    assert skills[1].brier < 0.01


def told(likely: Doubles, happened: npt.NDArray[np.bool_], base: float = 0.1, weight: float = 1.0) -> Doubles:
    """Chances as they are told, after a pool that was learned from the same windows."""
    share = pool_share([Events(likely, happened, weight)], base)
    return corrected(likely, [pooled(Odds(), share, base)])


def test_what_shows_no_skill_is_told_as_the_base_rate() -> None:
    rng = np.random.default_rng(8)
    likely = rng.choice([0.01, 0.9], 400)
    happened = rng.uniform(size=400) < 0.1
    assert told(likely, happened) == pytest.approx(0.1, abs=0.03)
    quiet = np.full(400, 0.1)
    assert told(quiet, happened) == pytest.approx(0.1)


def test_what_is_right_is_told_as_it_is() -> None:
    likely = RNG.choice([0.01, 0.95], 400)
    assert told(likely, RNG.uniform(size=400) < likely) == pytest.approx(likely, abs=0.05)


def test_few_right_windows_prove_little_and_overlapping_ones_are_few() -> None:
    likely, came = np.full(1, 0.95), np.ones(1, bool)
    assert told(likely, came)[0] == pytest.approx(0.1 + 0.85 * 0.85 * 0.9 / (0.85**2 + UNPROVEN), abs=0.001)
    assert told(np.full(20, 0.95), np.ones(20, bool), weight=0.001)[0] < 0.3


@given(share=st.floats(0, 1), base=st.floats(0.001, 0.999), chance=st.floats(0.01, 0.99))
def test_a_pool_of_odds_is_the_pool_of_their_chances(share: float, base: float, chance: float) -> None:
    odds = Odds(0.1, 0.05, -0.2, 1.3)
    alone, both = (corrected(np.array([chance]), [one]) for one in (odds, pooled(odds, share, base)))
    assert both == pytest.approx(share * alone + (1 - share) * base)


def test_a_metric_without_forecast_skill_says_so() -> None:
    zero = np.zeros((ROWS, STEPS), np.float32)
    table = held_out(zero + 2.5, zero + 2.5, noise() - 3)  # said to cross the limit of 2, which is never near
    skills, chances = with_brier(choose([table], PLAIN), [(LIMITED, table)], [LIMITED], PLAIN, Chances())
    assert "no forecast skill" in skills[1].note
    assert skills[1].brier == pytest.approx(skills[1].brier_base, abs=1e-3)
    assert corrected(np.array([1.0]), [chances.told("cpu_pct", chances.habits["cpu_pct"].rate, 0, 0)])[0] < 0.1


@pytest.mark.parametrize(("entities", "origins"), [(4, 24), (2500, 12), (60_000, 8)])
def test_a_large_fleet_is_judged_from_fewer_origins(entities: int, origins: int) -> None:
    panel = waves(days=1, interval_s=43_200)
    panel = replace(panel, values=np.ones((entities, 2, 2), np.float32), entities=panel.entities[:1] * entities)
    assert origins_for([panel]) == origins
