"""What the past tells, against plain loops."""

import numpy as np
import pytest
from panels import waves

from brownout.detection.news import HELD, LEAST_QUIET, QUIET_SHARE, WORSE, announce, news
from brownout.detection.past import Clock, novelty, record, seasonal, spread, trailing_mean, trailing_std
from brownout.detection.views import VIEWS, views

RNG = np.random.default_rng(0)


def series(slots: int = 400, gaps: float = 0.1) -> np.ndarray:
    values = RNG.normal(0, 1, (2, slots, 3)).astype(np.float32)
    values[RNG.random(values.shape) < gaps] = np.nan
    return values


@pytest.mark.parametrize("width", [1, 3, 12])
def test_trailing_mean_and_scatter_are_those_of_what_was_measured(width: int) -> None:
    values = series()
    mean, scatter = trailing_mean(values, width), trailing_std(values, width)
    for slot in (0, 2, 57, 399):
        window = values[:, max(slot - width + 1, 0) : slot + 1]
        here = np.isfinite(values[:, slot])
        np.testing.assert_array_equal(np.isfinite(mean[:, slot]), here)
        np.testing.assert_allclose(mean[:, slot][here], np.nanmean(window, axis=1)[here], atol=1e-5)
        np.testing.assert_allclose(scatter[:, slot][here], np.nanstd(window, axis=1)[here], atol=1e-4)


def test_novelty_is_the_distance_to_the_nearest_value_before_the_last_renewal() -> None:
    values, clock = series(), Clock(400, 1800)
    found = novelty(values, clock)
    every = clock.window(6 * 3600, 12)
    for slot in (every, 77, 399):
        known = values[:, : slot // every * every]
        distance = np.nanmin(np.abs(known - values[:, slot : slot + 1]), axis=1)
        here = np.isfinite(values[:, slot])
        np.testing.assert_allclose(np.abs(found[:, slot])[here], distance[here], atol=1e-6)
    assert np.isnan(found[:, :every]).all()


def test_a_record_is_beyond_all_before_it_in_percent_of_their_range() -> None:
    values = np.array([0, 10, 5, 12, 11, -5], np.float32)[None, :, None]
    found = record(values, np.full((1, 6, 1), 0.1, np.float32))[0, :, 0]
    np.testing.assert_allclose(found, [0, 1000, 0, 20, 0, -100 * 5 / 12], rtol=1e-5)


def test_the_same_time_of_the_last_days_is_expected() -> None:
    panel = waves(days=9, interval_s=1800)
    clock = Clock(panel.values.shape[1], 1800)
    expected = seasonal(panel.values, clock)[0]
    slot = 8 * 48 + 5
    past = panel.values[1, [slot - 48 * k for k in range(1, 8)]]
    np.testing.assert_allclose(expected[1, slot], np.median(past, axis=0), atol=1e-4)


def test_an_incident_on_one_day_does_not_widen_what_is_usual() -> None:
    residuals = RNG.normal(0, 1, (1, 9 * 288, 1)).astype(np.float32)
    clock = Clock(9 * 288, 300)
    before = spread(residuals, clock)[0, -1, 0]
    residuals[:, 7 * 288 : 7 * 288 + 60] += 50
    assert spread(residuals, clock)[0, -1, 0] == pytest.approx(before, rel=0.15)
    assert before == pytest.approx(1, rel=0.2)


def test_views_are_known_by_name_and_look_back_only() -> None:
    whole, cut = waves(interval_s=1800, seed=3), waves(interval_s=1800, seed=3)
    end = 10 * 48
    cut.values[:, end:] = 77
    for (name, one), (other, two), expected in zip(views(whole, 300), views(cut, 300), VIEWS, strict=True):
        assert name == other == expected
        np.testing.assert_array_equal(one[:, : end - 300], two[:, : end - 300])


def test_news_is_what_clearly_exceeds_all_of_its_quiet_time() -> None:
    levels = RNG.random((3, 300)).astype(np.float32)
    found = news(levels, 400)
    for slot in range(300):
        quiet = max(int(QUIET_SHARE * (slot + 400)), LEAST_QUIET)
        before = levels[:, max(slot - quiet, 0) : slot].max(axis=1, initial=0)
        np.testing.assert_array_equal(found[:, slot], levels[:, slot] > WORSE * before)


def test_an_alarm_is_raised_once_and_keeps_its_place_while_it_goes_on() -> None:
    levels = np.array([[0.1, 0.2, 1.5, 1.4, 1.45, 0.3, 1.9, np.nan]], np.float32)
    scores = announce(levels, 0)[0]
    np.testing.assert_array_equal(scores >= 1, [False, False, True, False, False, False, True, False])
    held = scores[[3, 4]]
    assert (held < HELD).all()
    assert held[1] > held[0] > scores[1]
    assert np.isnan(scores[-1])
