"""What the past tells, against plain loops."""

import numpy as np
import pytest
from panels import waves

from brownout.detection.baseline.seasonal_baseline import (
    beyond_record,
    distance_to_nearest,
    seasonal_levels,
    usual_at_this_time,
    usual_spread,
)
from brownout.detection.baseline.time_blocks import TimeAxis
from brownout.detection.features.views import VIEWS, views
from brownout.detection.forest.deduplication import (
    LEAST_QUIET,
    MUTED_FROM,
    QUIET_SHARE,
    WORSE,
    deduplicated,
    new_alarms,
)
from brownout.domain.entities import Entity
from brownout.domain.metrics import Metric, Worse
from brownout.domain.panel import Panel
from brownout.numerics.order_statistics import quantile

RNG = np.random.default_rng(0)


def series(slots: int = 400, gaps: float = 0.1) -> np.ndarray:
    values = RNG.normal(0, 1, (6, slots)).astype(np.float32)
    values[RNG.random(values.shape) < gaps] = np.nan
    return values


def test_novelty_is_the_distance_to_the_nearest_value_before_the_last_renewal() -> None:
    values, axis = series(), TimeAxis(400, 1800)
    found = distance_to_nearest(values, values, np.arange(400), axis)
    for slot in (axis.renewal_slots, 77, 399):
        known = values[:, : slot // axis.renewal_slots * axis.renewal_slots]
        here = np.isfinite(values[:, slot])
        distance = np.nanmin(np.abs(known - values[:, slot : slot + 1])[here], axis=1)
        np.testing.assert_allclose(np.abs(found[:, slot])[here], distance, atol=1e-6)
    assert np.isnan(found[:, : axis.renewal_slots]).all()


@pytest.mark.parametrize(("references", "start"), [(2000, 0), (60, 0), (60, 300)])
def test_novelty_compares_with_a_sample_of_the_past(
    references: int, start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values in order are kept from renewal to renewal; as the past grows every second, third … is looked at."""
    monkeypatch.setattr("brownout.detection.baseline.seasonal_baseline.REFERENCES", references)
    values, axis = np.round(series(), 1), TimeAxis(400, 1800, start)
    values[2, 100:] = np.nan
    found = distance_to_nearest(values[:, axis.sampled], values, np.arange(400), axis)
    for place, slot in enumerate(axis.sampled.tolist()):
        earlier = slot // axis.renewal_slots * axis.renewal_slots
        known = values[:, : earlier : max(earlier // references, 1)]
        for row in range(len(values)):
            distance = values[row, slot] - known[row][np.isfinite(known[row])]
            nearest = min(distance, key=lambda one: (abs(one), one), default=np.nan)
            np.testing.assert_array_equal(found[row, place], np.float32(nearest))


def test_a_record_is_beyond_all_before_it_in_percent_of_their_range() -> None:
    values = np.array([[0, 10, 5, 12, 11, -5]], np.float32)
    expected = [0, 1000, 0, 20, 0, -100 * 5 / 12]
    for start in (0, 1, 3):
        found = beyond_record(values, np.full((1, 6 - start), 0.1, np.float32), start)[0]
        np.testing.assert_allclose(found, expected[start:], rtol=1e-5)


def test_the_same_time_of_the_last_days_is_expected() -> None:
    values, axis = series(11 * 48, gaps=0.4), TimeAxis(11 * 48, 1800)
    day, week, last = seasonal_levels(values, axis)
    for slot in (5, 48, 3 * 48 + 7, 8 * 48 + 5, 10 * 48 + 46):
        same = np.full((len(values), 7), np.nan, np.float32)
        for k in range(1, 8):
            if slot >= 48 * k:
                same[:, k - 1] = values[:, slot - 48 * k]
        known = np.isfinite(same).any(axis=1)
        np.testing.assert_allclose(day[known, slot], np.nanmedian(same[known], axis=1), atol=1e-6)
        assert np.isnan(day[~known, slot]).all()
        np.testing.assert_array_equal(week[:, slot], same[:, 6])
        hour = slot // 2 * 2
        np.testing.assert_array_equal(last[:, slot], quantile(values[:, max(hour - 48, 0) : hour], 0.5))
    np.testing.assert_array_equal(usual_at_this_time(values, axis), np.where(np.isnan(day), last, day))


def test_an_incident_on_one_day_does_not_widen_what_is_usual() -> None:
    residuals = RNG.normal(0, 1, (1, 9 * 288)).astype(np.float32)
    axis = TimeAxis(9 * 288, 300)
    before = usual_spread(residuals, axis)[0, -1]
    residuals[:, 7 * 288 : 7 * 288 + 60] += 50
    assert usual_spread(residuals, axis)[0, -1] == pytest.approx(before, rel=0.15)
    assert before == pytest.approx(1, rel=0.25)


@pytest.mark.parametrize("interval_s", [10, 60, 300, 600, 900, 1800, 3600])
def test_what_comes_at_a_minute_of_every_hour_is_sampled_as_often_as_it_comes(interval_s: int) -> None:
    """A sample that keeps step with the hour would see it always, or never."""
    day = 86_400 // interval_s
    axis = TimeAxis(9 * day, interval_s, 8 * day)
    sampled = axis.sampled[: axis.sampled_before_start]
    hour = 3600 // interval_s
    per_minute = np.bincount(sampled % hour, minlength=hour)
    assert per_minute.min() >= per_minute.mean() / 2
    assert len(sampled) / 7.25 >= min(day, 48)


def test_the_sampled_past_tells_the_same_wherever_the_start_is() -> None:
    panel = waves(interval_s=300, seed=3, entities=2)
    panel.values[0, 100:900, 0] = np.nan
    for (name, whole), (_, part) in zip(views(panel), views(panel, 10 * 288 + 77), strict=True):
        np.testing.assert_array_equal(whole[:, 10 * 288 + 77 :], part, err_msg=name)


def test_views_are_known_by_name_and_look_back_only() -> None:
    whole, cut = waves(interval_s=1800, seed=3), waves(interval_s=1800, seed=3)
    end = 10 * 48
    cut.values[:, end:] = 77
    for (name, one), (other, two), expected in zip(views(whole, 300), views(cut, 300), VIEWS, strict=True):
        assert name == other == expected
        np.testing.assert_array_equal(one[:, : end - 300], two[:, : end - 300])


def test_a_lone_sample_of_a_metric_that_never_moves_does_not_make_an_hour() -> None:
    """A count that is nearly always zero: one event must not be an episode of an hour."""
    panel, slot = waves(interval_s=300, seed=3), 10 * 288
    panel.values[3, slot, 1] = 20
    seen = {name: np.abs(signed[3, : 2 * 12, 1]) for name, signed in views(panel, slot)}
    assert seen["sample"][0] > 20
    assert seen["hour"].max() < 1
    panel.values[3, slot : slot + 6, 1] = 20
    seen = {name: np.abs(signed[3, : 2 * 12, 1]) for name, signed in views(panel, slot)}
    assert seen["hour"].max() > 10


def test_news_is_what_clearly_exceeds_all_of_its_quiet_time() -> None:
    levels = RNG.random((3, 300)).astype(np.float32)
    found = new_alarms(levels, 400)
    for slot in range(300):
        quiet = max(int(QUIET_SHARE * (slot + 400)), LEAST_QUIET)
        before = levels[:, max(slot - quiet, 0) : slot].max(axis=1, initial=0)
        np.testing.assert_array_equal(found[:, slot], levels[:, slot] > WORSE * before)


def test_an_alarm_is_raised_once_and_keeps_its_place_while_it_goes_on() -> None:
    levels = np.array([[0.1, 0.2, 1.5, 1.4, 1.45, 0.3, 1.9, np.nan]], np.float32)
    scores = deduplicated(levels, 0)[0]
    np.testing.assert_array_equal(scores >= 1, [False, False, True, False, False, False, True, False])
    held = scores[[3, 4]]
    assert (held < MUTED_FROM).all()
    assert held[1] > held[0] > scores[1]
    assert np.isnan(scores[-1])
    lasting = np.arange(8) < 4
    np.testing.assert_array_equal(deduplicated(levels, 0, lasting[None])[0], np.where(lasting, levels[0], scores))


@pytest.mark.parametrize(("events", "strays"), [(1.0, False), (10.0, True)])
def test_one_event_in_an_hour_is_no_deviation_but_ten_are(*, events: float, strays: bool) -> None:
    slots = 6 * 720
    values = np.zeros((1, slots, 1), np.float32)
    values[0, -30:] = events
    metric = Metric(name="errors_per_h", unit="1/h", lower=0, worse=Worse.UP)
    panel = Panel(values, np.datetime64("2026-03-02", "ms"), 120, (Entity(id="kvm1", kind="host"),), (metric,))
    level = dict(views(panel, slots - 60))["level"]
    assert bool(level.max() > 3) is strays
    assert level[0, :25].max() == 0
