"""Breaches against closed forms."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from brownout.domain.entities import Entity, Topology
from brownout.domain.forecasts import QUANTILES, Breach, Driver, Forecasts, Odds, Series
from brownout.domain.metrics import Catalogue, Metric, Worse
from brownout.planning.actions import merged, plan_breach
from brownout.planning.remedies import Remedies
from brownout.planning.saturation import PathModel, breaches, exceedance

START = np.datetime64("2026-03-02T00:00", "ms")
UP = {"m": Metric(name="m", limit=10.0, worse=Worse.UP)}
DOWN = {"m": Metric(name="m", limit=10.0, worse=Worse.DOWN)}


def forecasts(means: list[float], spread: float) -> Forecasts:
    values = np.array(means)[None, :, None] + spread * norm.ppf(QUANTILES)
    return Forecasts((Series("e", "m"),), np.array([START]), 3600, values.astype(np.float32), ("lstm",))


@pytest.mark.parametrize("limit", [-1.0, -0.5, 0.0, 0.3, 1.2])
def test_exceedance_of_a_normal_forecast_within_the_quantiles(limit: float) -> None:
    found = exceedance(forecasts([0.0], 1.0), np.array([limit], np.float32), upwards=np.array([True]))
    assert found[0, 0] == pytest.approx(norm.sf(limit), abs=0.01)


def test_tails_fall_off_and_never_reach_certainty() -> None:
    far = exceedance(forecasts([0.0], 1.0), np.array([4.0], np.float32), upwards=np.array([True]))[0, 0]
    assert 0 < far < 0.01


def test_both_directions_share_all_probability() -> None:
    f = forecasts([0.0, 1.0], 1.0)
    limit = np.array([0.7], np.float32)
    up, down = (exceedance(f, limit, upwards=np.array([way])) for way in (True, False))
    np.testing.assert_allclose(up + down, 1.0)


def test_independent_steps_breach_as_the_product_says() -> None:
    # Six fresh chances of 10 %: 1 − 0.9⁶.
    f = forecasts([10 - norm.ppf(0.9)] * 6, 1.0)
    found = breaches(f, UP, {}, model=PathModel(persistence=0.0, paths=40_000))
    assert found[0].probability == pytest.approx(1 - 0.9**6, abs=0.01)


def test_fully_persistent_steps_breach_like_one() -> None:
    f = forecasts([10 - norm.ppf(0.9)] * 6, 1.0)
    found = breaches(f, UP, {}, model=PathModel(persistence=0.9999, paths=40_000))
    assert found[0].probability == pytest.approx(0.1, abs=0.015)


def test_a_certain_climb_is_dated_where_it_crosses() -> None:
    found = breaches(forecasts([5, 7, 9, 11, 13, 15], 0.05), UP, {Series("e", "m"): 4.0})
    assert len(found) == 1
    breach = found[0]
    assert 0.99 < breach.probability < 1, "all paths cross, and still it is no certainty"
    # Half way between the middles of the slots with 9 and 11; when between the two nobody knows.
    crossing, most = START + np.timedelta64(4, "h"), np.timedelta64(24, "m")
    assert (breach.earliest, breach.likely, breach.latest) == (crossing - most, crossing, crossing + most)
    assert breach.duration_s == pytest.approx(3 * 3600, rel=0.01)
    assert breach.now == 4.0


def test_dates_are_of_the_middles_of_slots_and_hold_as_many_cases_as_they_say() -> None:
    """Climbs that cross at any time, each known but for its pace: dates by hand from the normal distribution."""
    pace = 1.0 + 0.1 * norm.ppf(QUANTILES)
    steps = np.arange(12)[:, None] + 0.5
    values = (4.0 + steps * pace)[None].astype(np.float32)
    f = replace(forecasts([0.0] * 12, 1.0), values=values)
    (breach,) = breaches(f, UP, {}, model=PathModel(persistence=0.9999, paths=20_000))
    start = START + np.timedelta64(1, "h")
    hours = [(date - start) / np.timedelta64(1, "h") for date in (breach.earliest, breach.likely, breach.latest)]  # type: ignore[operator]
    # 6 above the start at a pace of 1 ± 0.128: the quickest tenth in 5.3 hours, the slowest in 6.9. Within a slot
    # crossings are taken as even, which is right to a third of it.
    assert hours == pytest.approx([6 / (1 + 0.128), 6.0, 6 / (1 - 0.128)], abs=0.33)
    assert hours[1] == pytest.approx(6.0, abs=0.05)


def test_dates_are_in_order_and_a_falling_metric_breaches_downwards() -> None:
    found = breaches(forecasts([14, 13, 12, 11, 10, 9, 8, 7], 1.5), DOWN, {})
    breach = found[0]
    assert breach.earliest is not None
    assert breach.likely is not None
    assert breach.latest is not None
    assert breach.earliest <= breach.likely <= breach.latest
    assert not breaches(forecasts([14, 13, 12], 0.1), UP | DOWN, {}, min_probability=0.01)


def test_what_has_no_limit_or_is_improbable_is_left_out() -> None:
    assert breaches(forecasts([100.0], 1.0), {"m": Metric(name="m")}, {}) == ()
    assert breaches(forecasts([0.0], 1.0), UP, {}, min_probability=0.2) == ()


@pytest.mark.parametrize(
    ("metrics", "now", "exceeded"),
    [(UP, 10.5, True), (UP, 9.5, False), (UP, float("nan"), False), (DOWN, 9.5, True), (DOWN, 10.5, False)],
)
def test_what_is_beyond_its_limit_already_says_so(metrics: dict[str, Metric], now: float, *, exceeded: bool) -> None:
    (breach,) = breaches(forecasts([10.0, 10.0], 1.0), metrics, {Series("e", "m"): now})
    assert breach.exceeded is exceeded


def test_equal_seeds_give_equal_probabilities() -> None:
    f = forecasts([8, 9, 10], 2.0)
    now = {Series("e", "m"): 1.0}  # NaN would not equal itself
    assert breaches(f, UP, now) == breaches(f, UP, now)


def driven(share: float) -> Breach:
    driver = Driver(
        entity="kvm1", resource="cpu", metric="host_cpu_busy_pct", share=share, forecast=95, usual=50, daily=False
    )
    return Breach(
        series=Series("vm1/console", "console_update_ms"), limit=150.0, probability=0.6, earliest=None, likely=None,
        latest=None, duration_s=60, horizon_s=3600, now=40, maker="lstm", drivers=(driver,),
    )  # fmt: skip


def test_what_is_done_about_a_slow_console_is_done_about_the_load_that_drives_it() -> None:
    metrics, remedies = Catalogue.load().metrics, Remedies.load()
    topology = Topology.of([Entity(id="kvm1", kind="host"), Entity(id="vm1", kind="vm", parent="kvm1")])
    mostly, partly = (plan_breach(driven(share), metrics, topology, remedies) for share in (0.7, 0.3))
    assert (mostly.entity, mostly.cause) == ("kvm1", remedies.of_metric("host_cpu_busy_pct", "cpu").id)
    assert mostly.reason.endswith("is forecast to cross 150 ms, driven by Host CPU busy of kvm1")
    assert (partly.entity, partly.about) == ("vm1/console", mostly.about)
    assert "driven" not in partly.reason


def waiting(guest: str) -> Breach:
    return replace(driven(0.1), series=Series(guest, "vm_ready_pct"), drivers=None)


def test_guests_that_will_wait_for_a_cpu_move_off_their_host_unless_a_quota_holds_them_back() -> None:
    metrics, remedies = Catalogue.load().metrics, Remedies.load()
    quotas = {"vm1": {}, "vm2": {"vcpu_quota": "-1", "emulator_quota": "0"}, "vm3": {"vcpu_quota": "50000"}}
    guests = [Entity(id=name, kind="vm", parent="kvm1", labels=labels) for name, labels in quotas.items()]
    topology = Topology.of([Entity(id="kvm1", kind="host"), *guests])
    planned = [plan_breach(waiting(guest), metrics, topology, remedies) for guest in ("vm1", "vm3", "vm2")]
    moved, quota = merged(planned)
    assert (moved.entity, moved.cause, moved.about) == ("kvm1", "HW-01", "vm1 vm_ready_pct")
    title = metrics["vm_ready_pct"].title
    assert moved.reason == f"{title} of vm1 is forecast to cross 150 %, and 1 more like it"
    assert (quota.entity, quota.cause, quota.reason) == ("vm3", "VIRT-04", planned[1].reason)


def test_corrected_odds_move_the_chance_the_dates_and_the_time_beyond() -> None:
    f = forecasts([10 - norm.ppf(0.9)] * 6, 1.0)
    now = dict.fromkeys(f.series, 5.0)
    plain = breaches(f, UP, now)[0]
    found = breaches(replace(f, odds=(Odds(miss_rate=0.3, intercept=0.5),)), UP, now)[0]
    expected = 0.3 + 0.7 / (1 + np.exp(-0.5 - np.log(plain.probability / (1 - plain.probability))))
    assert found.probability == pytest.approx(expected, abs=1e-6)
    assert found.duration_s == pytest.approx(plain.duration_s * found.probability / plain.probability)
    # Misses come evenly over the horizon, as crossings of a flat forecast do: dates move by less than half a slot.
    for date in ("earliest", "likely", "latest"):
        assert abs(getattr(found, date) - getattr(plain, date)) < np.timedelta64(30, "m")
    own, foreign = (replace(f, odds=(Odds(miss_rate=0.3, intercept=0.5, limit=limit),)) for limit in (found.limit, 11))
    assert breaches(own, UP, now)[0] == found
    assert breaches(foreign, UP, now)[0] == plain  # what was learned about another limit says nothing about this one


def test_a_series_that_often_crosses_is_told_though_its_forecast_shows_nothing() -> None:
    quiet = forecasts([1, 1, 1], 0.1)
    often = replace(quiet, odds=(Odds(miss_rate=0.6, false_alarm_rate=0.4),))
    other = replace(quiet, odds=(Odds(miss_rate=0.6, false_alarm_rate=0.4, limit=12.0),))
    assert breaches(quiet, UP, {}, min_probability=0.2) == breaches(other, UP, {}, min_probability=0.2) == ()
    (found,) = breaches(often, UP, {}, min_probability=0.2)
    assert found.probability == pytest.approx(0.6, abs=0.01)
    assert found.earliest is not None
    assert found.latest is not None
    assert found.earliest < found.latest


def test_a_habit_dates_the_crossings_that_no_forecast_shows() -> None:
    quiet = forecasts([1.0] * 24, 0.1)
    when = tuple(0.0 if step < 9 else 1.0 for step in range(24))
    (found,) = breaches(replace(quiet, odds=(Odds(miss_rate=0.8, when=when),)), UP, {}, min_probability=0.2)
    (evenly,) = breaches(replace(quiet, odds=(Odds(miss_rate=0.8),)), UP, {}, min_probability=0.2)
    assert found.probability == pytest.approx(evenly.probability)
    first, last = (START + np.timedelta64(minutes, "m") for minutes in (9 * 60, 11 * 60))
    assert found.earliest is not None
    assert found.latest is not None
    assert first <= found.earliest < found.latest <= last
    assert evenly.earliest is not None
    assert evenly.earliest < first
