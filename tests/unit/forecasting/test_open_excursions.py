"""An open excursion of memory goes on, and so do consoles beside it; habits, consoles alone and what is over do not."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from brownout.domain.entities import Entity
from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import Forecasts, Odds
from brownout.domain.metrics import Family, Metric, Worse
from brownout.domain.panel import Panel
from brownout.forecasting.baselines.naive import SeasonalNaive
from brownout.forecasting.present import Survival, with_first_step, with_open_excursions
from brownout.forecasting.present.open_excursions import AGES, LADDER, PRIOR, mixture
from brownout.forecasting.selection.calibration import outer_of
from brownout.forecasting.series_rows import Rows, rows_of

START, DAY, DAYS, STEPS = np.datetime64("2026-03-02", "ms"), 48, 10, 48
ECHO = Metric(name="console_echo_ms", limit=300.0, worse=Worse.UP, family=Family.CONSOLE, upper=1e6)
FREE = Metric(name="host_memory_available_pct", limit=10.0, worse=Worse.DOWN, family=Family.MEMORY, upper=100)
HOST, CONSOLE = Entity(id="h1", kind="host"), Entity(id="vm1/console", kind="console", parent="h1")
NONE = np.zeros(0, np.int64)


def fleet(series: tuple[Entity, Metric], usual: float, now: float, since: float, days: tuple[int, ...] = ()) -> Panel:
    """One entity on half hours; for the last ``since`` hours, and on ``days`` at the same hours, it is at ``now``."""
    entity, metric = series
    values = usual + np.random.default_rng(5).normal(0, 0.02 * usual, DAYS * DAY)
    slots = round(2 * since)
    for back in (0, *days) if slots else ():
        last = len(values) - back * DAY
        values[last - slots : last] += now - usual
    return Panel(values.astype(np.float32)[None, :, None], START, 1800, (entity,), (metric,))


def host(now: float = 3.0, since: float = 6.0) -> Panel:
    return fleet((HOST, FREE), 40, now, since)


def console(since: float = 6.0, days: tuple[int, ...] = ()) -> Panel:
    return fleet((CONSOLE, ECHO), 60, 500, since, days)


def forecast(panel: Panel, *beside: Panel, trending: np.ndarray = NONE) -> tuple[Forecasts, Forecasts, Rows]:
    """By yesterday alone, with the mixture, and the rows."""
    request = ForecastRequest(panel, (panel.values.shape[1] - 1,), STEPS)
    made, rows = SeasonalNaive().predict(request), rows_of(panel, request.origins)
    made = replace(made, odds=(Odds(miss_rate=0.1, limit=300.0),) * len(rows))
    return made, with_open_excursions(made, rows, Survival(), trending, beside), rows


def test_memory_that_is_gone_now_is_gone_at_the_first_step_and_comes_back_in_time() -> None:
    made, mixed, _ = forecast(host())
    assert made.values[0, 0, 4] > 20
    middle = mixed.values[0, :, 4]
    assert middle[0] == pytest.approx(3, abs=1.5)
    # Six hours old: as long again with a chance of one half.
    assert (middle[:10] < 10).all()
    assert middle[16] > 20
    assert mixed.values[0, 40, 0] < 10
    assert (np.diff(mixed.values, axis=2) >= 0).all()
    assert mixed.outer is not None
    assert (mixed.outer[..., 0] <= mixed.values[..., 0]).all()


def test_a_console_is_slow_for_as_long_as_the_memory_of_its_host_is_gone() -> None:
    alone, beside = forecast(console())[1], forecast(console(), host())[1]
    assert alone.values[0, 0, 4] < 100
    assert beside.values[0, 0, 4] > 400
    assert forecast(console(), host(since=0))[1].values[0, 0, 4] < 100, "the memory of the host is as ever"
    other = replace(host(), entities=(replace(HOST, id="h2"),))
    assert forecast(console(), other)[1].values[0, 0, 4] < 100, "another host"


def test_the_guest_s_host_counts_too() -> None:
    guest = fleet((Entity(id="vm1", kind="vm", parent="h1"), FREE), 40, 40, 0)
    below = replace(console(), entities=(replace(CONSOLE, parent="vm1"),))
    assert forecast(below, guest, host())[1].values[0, 0, 4] > 400


@pytest.mark.parametrize(
    "panel",
    [host(since=0.5), host(since=0), console(), fleet((HOST, FREE), 40, 3, 6, (1, 2, 3))],
    ids=["a single slot", "nothing", "a console alone", "at the same hours of other days"],
)
def test_what_is_no_excursion_of_memory_stays_as_it_is(panel: Panel) -> None:
    made, mixed, _ = forecast(panel)
    assert mixed is made


def test_rows_that_trend_stay_with_their_trend() -> None:
    made, mixed, _ = forecast(host(), trending=np.array([0]))
    assert mixed is made


def test_beyond_the_limit_the_chance_is_the_mixture_s_own() -> None:
    """What is told of others says nothing of how long this lasts; within the limit the odds of the metric hold."""
    odds = [forecast(host(now=now))[1].odds for now in (3.0, 15.0)]
    assert odds == [(Odds(),), (Odds(miss_rate=0.1, limit=300.0),)]


@pytest.mark.parametrize("since", [1, 3, 12, 48])
def test_the_first_step_s_band_has_the_last_value_in_it(since: float) -> None:
    panel = host(since=since)
    _, mixed, rows = forecast(panel)
    values, _ = with_first_step(mixed.values, outer_of(mixed), rows)
    assert values[0, 0, 0] - 0.1 <= panel.values[0, -1, 0] <= values[0, 0, -1] + 0.1


def test_mixtures_have_the_quantiles_of_their_distribution() -> None:
    """Against the root of the distribution function of two normal ones that lie beside each other."""
    usual, present = 10 + 2 * norm.ppf(LADDER), 13 + 1 * norm.ppf(LADDER)
    for share in (0.0, 0.3, 0.7, 1.0):

        def beyond(x: float, level: float, share: float = share) -> float:
            return float((1 - share) * norm.cdf(x, 10, 2) + share * norm.cdf(x, 13, 1) - level)

        expected = [brentq(beyond, 0, 30, args=(level,)) for level in LADDER]
        found = mixture(usual[None, None], present[None, None], np.array([[share]]))[0, 0]
        # Inside the outermost levels; beyond them a ladder says nothing.
        np.testing.assert_allclose(found[1:-1], expected[1:-1], atol=0.35)


def test_survival_counts_ends_by_age_against_a_loop() -> None:
    """Excursions of 3 and 7 slots, and one of 4 that goes on at the end."""
    rng = np.random.default_rng(2)
    values = 40 + rng.normal(0, 0.5, DAYS * DAY)
    for first, slots in ((4 * DAY + 3, 3), (6 * DAY + 20, 7), (DAYS * DAY - 4, 4)):
        values[first : first + slots] = 2
    panel = Panel(values.astype(np.float32)[None, :, None], START, 1800, (HOST,), (FREE,))
    ended, expected = np.zeros(len(AGES)), np.zeros(len(AGES))
    for slots, over in ((3, True), (7, True), (4, False)):
        for age in range(2, slots + 1):
            if over or age < slots:
                place = max(k for k, least in enumerate(AGES) if least <= age)
                expected[place] += 1 / (age + 1)
                ended[place] += over and age == slots
    found = Survival.learn([panel]).ends["memory"]
    np.testing.assert_allclose(found, (ended + PRIOR) / (expected + PRIOR))


def test_without_any_past_what_lasted_so_long_lasts_as_long_again_in_half_of_the_cases() -> None:
    lasting = Survival().lasting("memory", np.array([6, 12]), 24)
    assert lasting[0, 5] == pytest.approx(0.5)
    assert lasting[1, 11] == pytest.approx(0.5)
    short = Survival({"memory": (5.0,) * len(AGES)}).lasting("memory", np.array([6]), 24)
    assert (short < lasting[:1]).all()
    assert (np.diff(short) < 0).all()
