"""Slots of time against plain arithmetic."""

from datetime import UTC, datetime, timedelta

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brownout.domain.panel import as_time
from brownout.numerics.slots import (
    days,
    epoch_ms,
    floor_to_slot,
    group_means,
    is_weekend,
    nearest_slots,
    second_of_day,
    slots_per_day,
    time_of,
    whole_slots,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLIS = st.integers(-(10**13), 10**13)


@pytest.mark.parametrize(
    ("interval_s", "a_day"), [(1, 86_400), (60, 1440), (300, 288), (7, 12_343), (86_400, 1), (10**6, 1)]
)
def test_slots_of_a_day(interval_s: int, a_day: int) -> None:
    assert slots_per_day(interval_s) == a_day


@given(st.integers(0, 10**7), st.integers(1, 10**5), st.integers(0, 20))
def test_durations_are_counted_in_slots(seconds: int, interval_s: int, least: int) -> None:
    whole, nearest = (count(seconds, interval_s, least=least) for count in (whole_slots, nearest_slots))
    assert whole == max(least, len(range(interval_s, seconds + 1, interval_s)))
    assert nearest == least or abs(nearest * interval_s - seconds) * 2 <= interval_s
    assert min(whole, nearest) >= least


@given(MILLIS)
def test_times_become_milliseconds_and_back(millis: int) -> None:
    time = time_of(millis)
    assert epoch_ms(time) == millis
    assert epoch_ms(time.astype("datetime64[us]")) == millis
    np.testing.assert_array_equal(epoch_ms(np.array([time, time + 1])), [millis, millis + 1])
    moment = EPOCH + timedelta(milliseconds=millis)
    assert second_of_day(np.array([time]))[0] == moment.hour * 3600 + moment.minute * 60 + moment.second


@given(MILLIS)
def test_weekends_are_saturdays_and_sundays(millis: int) -> None:
    assert is_weekend(np.array([time_of(millis)]))[0] == ((EPOCH + timedelta(milliseconds=millis)).weekday() >= 5)


@given(MILLIS, st.integers(1, 10**5))
def test_a_slot_begins_at_or_before_the_time_in_it(millis: int, interval_s: int) -> None:
    start = floor_to_slot(time_of(millis), interval_s)
    assert epoch_ms(start) % (interval_s * 1000) == 0
    assert start <= time_of(millis) < start + np.timedelta64(interval_s, "s")


def test_days_are_durations_in_milliseconds() -> None:
    assert days(1.5) == as_time("2026-03-03T12:00Z") - as_time("2026-03-02")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_means_of_groups_are_those_of_a_plain_loop(dtype: type) -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=200).astype(dtype)
    values[rng.random(200) < 0.3] = np.nan
    values[5] = np.inf
    groups = rng.integers(0, 60, 200)
    groups[groups == 7] = 8
    expected = naive.group_means(values.tolist(), groups.tolist(), 62)
    np.testing.assert_allclose(group_means(values, groups, 62), expected, rtol=1e-12)
    assert np.isnan(group_means(values[:0], groups[:0], 3)).all()
