"""The boundary of ordinary days, and the tail that says how often a level is reached beyond it."""

from itertools import pairwise

import numpy as np
import pytest

from brownout.detection.forest.alarm_threshold import fit_threshold, robust_line
from brownout.detection.forest.peak_tail import fit_tail


def exponential(count: int) -> np.ndarray:
    return np.random.default_rng(4).exponential(1.0, count).astype(np.float32)


def test_a_boundary_lies_where_the_expected_number_of_peaks_is_beyond_it() -> None:
    peaks = exponential(4000)
    fitted = fit_threshold(peaks, peaks, 10)
    assert (peaks > fitted.boundary).sum() == pytest.approx(10, abs=4)
    rare = fit_threshold(peaks, peaks, 0.5)
    assert rare.boundary == pytest.approx(np.log(8000), abs=1.5)  # closed form of an exponential tail
    many = fit_threshold(peaks, peaks, 400)
    assert (peaks > many.boundary).sum() == pytest.approx(400, abs=1)


def test_raw_scores_and_scores_are_each_others_inverse() -> None:
    fitted = fit_threshold(exponential(400), exponential(400), 3).farther(1.2)
    assert fitted.raw(float(fitted.apply(np.float32([2.5]))[0])) == pytest.approx(2.5, rel=1e-5)


def test_what_lies_beyond_a_level_is_what_other_peaks_of_the_kind_count() -> None:
    peaks = np.sort(exponential(4000))[::-1].astype(np.float64)
    tail = fit_tail(peaks)
    assert tail is not None
    fresh = np.random.default_rng(5).exponential(1.0, 4_000_000)
    for level in (5.0, 6.0, 7.0):
        assert tail.beyond(level) == pytest.approx((fresh > level).mean() * len(peaks), rel=0.5)
    assert tail.beyond(tail.level(0.01)) == pytest.approx(0.01)


def test_a_tail_falls_and_does_not_grow_below_its_knee() -> None:
    tail = fit_tail(np.sort(exponential(4000))[::-1].astype(np.float64))
    assert tail is not None
    chances = [tail.beyond(level) for level in np.linspace(0, 15, 50)]
    assert all(one >= other for one, other in pairwise(chances))
    assert chances[0] == pytest.approx(50)
    assert chances[-1] < 0.1


def test_incidents_far_beyond_a_crowd_of_peaks_are_counted_not_smoothed_away() -> None:
    crowd = np.random.default_rng(1).normal(1, 0.05, 400)
    tail = fit_tail(np.sort(np.concatenate([crowd, [5.0, 5.5, 6.0]]))[::-1])
    assert tail is not None
    assert [tail.beyond(level) for level in (4.9, 5.2, 5.9)] == pytest.approx([3, 2, 1], abs=0.9)


def test_few_peaks_have_no_tail() -> None:
    assert fit_tail(np.sort(exponential(19))[::-1].astype(np.float64)) is None
    assert fit_tail(np.sort(exponential(20))[::-1].astype(np.float64)) is not None


def test_faults_in_the_past_hardly_raise_the_robust_line() -> None:
    """Closed form: of an exponential tail of 4,000 peaks, 10 lie beyond log(400)."""
    peaks = exponential(4000)
    assert robust_line(peaks, 10) == pytest.approx(np.log(400), rel=0.05)
    for faults, raised in ((80, 1.15), (200, 1.4)):
        faulty = np.concatenate([peaks[faults:], np.full(faults, 50.0, np.float32)])
        assert robust_line(faulty, 10) < raised * np.log(400)
        assert fit_threshold(faulty, faulty, 10).boundary > 2 * np.log(400)


def test_a_few_peaks_give_no_robust_line() -> None:
    assert robust_line(exponential(39), 2) == float("inf")
    assert np.isfinite(robust_line(exponential(40), 2))
