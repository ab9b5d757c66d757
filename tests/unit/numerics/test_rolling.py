"""Rolling windows against plain loops, with gaps and series without a value."""

import naive
import numpy as np
import pytest

from brownout.numerics.rolling import RollingSums, largest_since, rolling_extreme, rolling_mean, rolling_sum

RNG = np.random.default_rng(0)
ENDS = np.array([-3, -1, 0, 1, 2, 57, 158, 159])
SAMPLED_THEN_ALL = np.concatenate([np.arange(0, 90, 7), np.arange(90, 150)])
RUN_FROM_BEFORE = np.arange(-3, 40)


def series(gaps: float = 0.1, slots: int = 160) -> np.ndarray:
    values = RNG.normal(100, 1, (6, slots)).astype(np.float32)
    values[RNG.random(values.shape) < gaps] = np.nan
    if gaps:
        values[2] = np.nan
        values[3, 1:] = np.nan
    return values


def expected(values: np.ndarray, width: int, ends: np.ndarray, statistic: object) -> np.ndarray:
    """The statistic of each window by a loop, NaN where it ends before the first slot or in a gap."""
    return np.array(
        [
            [
                statistic(naive.window(row, end, width)) if end >= 0 and np.isfinite(row[end]) else np.nan
                for end in ends.tolist()
            ]
            for row in values.tolist()
        ]
    )


@pytest.mark.parametrize("gaps", [0.0, 0.1, 0.6, 1.0])
@pytest.mark.parametrize("width", [1, 2, 3, 12, 500])
@pytest.mark.parametrize(
    "ends", [ENDS, SAMPLED_THEN_ALL, RUN_FROM_BEFORE, ENDS[:1]], ids=["few", "sampled", "run", "none"]
)
def test_mean_trimmed_mean_and_scatter_are_those_of_what_was_measured(
    ends: np.ndarray, width: int, gaps: float
) -> None:
    values = series(gaps)
    sums = RollingSums.of(values)
    np.testing.assert_allclose(sums.mean(width, ends), expected(values, width, ends, naive.mean), rtol=1e-6)
    np.testing.assert_allclose(
        sums.trimmed_mean(width, ends), expected(values, width, ends, naive.trimmed_mean), rtol=1e-6
    )
    np.testing.assert_allclose(sums.std(width, ends), expected(values, width, ends, naive.std), atol=1e-4)


@pytest.mark.parametrize("gaps", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("size", [1, 3, 7, 200])
def test_block_means_are_those_of_what_was_measured_in_each_block(size: int, gaps: float) -> None:
    values = series(gaps)
    found = RollingSums.of(values).block_means(size)
    blocks = [
        [naive.mean(naive.window(row, first + size - 1, size)) for first in range(0, 160, size)]
        for row in np.pad(values, ((0, 0), (0, size)), constant_values=np.nan).tolist()
    ]
    np.testing.assert_allclose(found, np.array(blocks), rtol=1e-6)


@pytest.mark.parametrize("gaps", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("width", [1, 2, 5, 16, 500])
def test_rolling_mean_and_sum_are_those_of_each_window(width: int, gaps: float) -> None:
    values = series(gaps)
    every = np.arange(values.shape[1])
    np.testing.assert_allclose(rolling_mean(values, width), expected(values, width, every, naive.mean), rtol=1e-6)
    counts = [[len(naive.window(row, end, width)) for end in every.tolist()] for row in values.tolist()]
    np.testing.assert_array_equal(rolling_sum(np.isfinite(values), width), counts)


@pytest.mark.parametrize("gaps", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("width", [1, 2, 3, 5, 16, 17, 500])
def test_rolling_extremes_are_those_of_each_window(width: int, gaps: float) -> None:
    values = series(gaps)
    for ends in (None, np.array([0, 3, 57, 159])):
        for extreme, of in ((np.fmax, max), (np.fmin, min)):
            found = rolling_extreme(extreme, values, width, ends)
            slots = np.arange(160) if ends is None else ends
            loop = [[of(naive.window(row, end, width), default=np.nan) for end in slots.tolist()] for row in values]
            np.testing.assert_array_equal(found, np.array(loop, np.float32))
    whole = rolling_extreme(np.minimum, values, width)
    for end in (0, 5, 159):
        part = values[:, max(end - width + 1, 0) : end + 1]
        np.testing.assert_array_equal(whole[:, end], part.min(axis=1))


def test_the_largest_value_since_a_slot_is_found_whatever_slot_that_is() -> None:
    values = RNG.random((4, 90)).astype(np.float32)
    first = np.minimum(RNG.integers(0, 90, 90), np.arange(90))
    found = largest_since(values, first)
    for slot in range(90):
        loop = [max(row[first[slot] : slot], default=0.0) for row in values.tolist()]
        np.testing.assert_array_equal(found[:, slot], np.array(loop, np.float32))
