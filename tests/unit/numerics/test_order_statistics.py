"""Order statistics against plain loops: gaps, ties, rows without a value, one sample, none."""

import naive
import numpy as np
import pytest
from strict_warnings import warnings_are_errors

from brownout.numerics.order_statistics import Method, measured_counts, median, median_of_layers, quantiles

LEVELS = (0.0, 0.1, 0.25, 0.5, 0.85, 0.99, 1.0)
CASES = ("no gaps", "gaps", "ties", "all missing", "one sample", "no samples", "one row", "no rows")


@pytest.fixture(autouse=True)
def no_warnings() -> object:
    with warnings_are_errors():
        yield


def rows(case: str, dtype: type) -> np.ndarray:
    rng = np.random.default_rng(3)
    values = rng.normal(50, 20, (7, 23)).astype(dtype)
    if case == "gaps":
        values[rng.random(values.shape) < 0.4] = np.nan
        values[2] = np.nan
        values[3, 1:] = np.nan
    elif case == "ties":
        values = np.round(values / 30).astype(dtype)
        values[rng.random(values.shape) < 0.2] = np.nan
    elif case == "all missing":
        values[:] = np.nan
    return {"one sample": values[:, :1], "no samples": values[:, :0], "one row": values[:1], "no rows": values[:0]}.get(
        case, values
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", ["nearest", "lower", "linear"])
@pytest.mark.parametrize("case", CASES)
def test_quantiles_are_those_of_a_plain_loop(case: str, method: Method, dtype: type) -> None:
    values = rows(case, dtype)
    found = quantiles(values, LEVELS, method=method)
    assert [part.dtype for part in found] == [dtype] * len(LEVELS)
    for level, part in zip(LEVELS, found, strict=True):
        expected = np.array([naive.quantile(row, level, method) for row in values.tolist()], dtype)
        np.testing.assert_array_max_ulp(np.nan_to_num(part), np.nan_to_num(expected), 0 if method != "linear" else 2)
        np.testing.assert_array_equal(np.isnan(part), np.isnan(expected))
        np.testing.assert_array_equal(quantiles(values, (level,), method=method)[0], part)


@pytest.mark.parametrize("width", [1, 2, 3, 11, 12, 13, 14])
@pytest.mark.parametrize("gaps", [0.0, 0.3, 0.9])
def test_quantiles_of_few_and_of_many_values_are_those_of_a_plain_loop(width: int, gaps: float) -> None:
    rng = np.random.default_rng(width)
    values = rng.integers(-5, 5, (3000, width)).astype(np.float32)
    values[rng.random(values.shape) < gaps] = np.nan
    values[rng.random(values.shape) < 0.1] = np.inf
    for level in LEVELS:
        expected = np.array([naive.quantile(row, level, "nearest") for row in values.tolist()], np.float32)
        for levels in ((level,), (level, 0.5)):
            np.testing.assert_array_equal(quantiles(values, levels)[0], expected)
            np.testing.assert_array_equal(quantiles(values[:2], levels)[0], expected[:2])


@pytest.mark.parametrize("count", [1, 2, 5, 30])
def test_one_row_has_its_median_and_quantiles(count: int) -> None:
    row = np.random.default_rng(count).normal(size=count).astype(np.float32)
    assert median(row) == np.float32(naive.median(row.tolist()))
    assert quantiles(row, (0.25,), axis=0)[0] == np.float32(naive.quantile(row.tolist(), 0.25, "nearest"))
    assert quantiles(row, (0.25, 0.5), axis=0)[0] == np.float32(naive.quantile(row.tolist(), 0.25, "nearest"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES)
def test_medians_are_those_of_a_plain_loop_and_of_numpy(case: str, dtype: type) -> None:
    values = rows(case, dtype)
    found = median(values, axis=1)
    expected = np.array([naive.median(row) for row in values.tolist()], dtype)
    assert found.dtype == dtype
    np.testing.assert_array_max_ulp(np.nan_to_num(found), np.nan_to_num(expected), 1)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    if values.size and not np.isnan(expected).any():
        np.testing.assert_array_equal(found, np.nanmedian(values, axis=1))


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_any_axis_may_be_taken(axis: int) -> None:
    values = np.random.default_rng(1).normal(size=(4, 5, 6)).astype(np.float32)
    values[1, 2] = np.nan
    values[0, :, 3] = np.nan
    moved = np.moveaxis(values, axis, -1)
    np.testing.assert_array_equal(median(values, axis=axis), median(moved, axis=-1))
    for method in ("nearest", "lower", "linear"):
        np.testing.assert_array_equal(
            quantiles(values, (0.3,), axis=axis, method=method)[0], quantiles(moved, (0.3,), axis=-1, method=method)[0]
        )


@pytest.mark.parametrize("number", [1, 2, 3, 6, 7])
@pytest.mark.parametrize("gaps", [0.0, 0.5, 1.0])
def test_medians_of_layers_are_those_of_each_element(number: int, gaps: float) -> None:
    rng = np.random.default_rng(number)
    layers = rng.integers(0, 9, (number, 5, 40)).astype(np.float32)
    layers[rng.random(layers.shape) < gaps] = np.nan
    before = layers.copy()
    np.testing.assert_array_equal(median_of_layers(list(layers)), median(layers, axis=0))
    np.testing.assert_array_equal(layers, before)


def test_what_is_measured_of_each_series_is_counted() -> None:
    values = np.random.default_rng(2).normal(size=(3, 500, 4)).astype(np.float32)
    values[values > 1] = np.nan
    values[1, :, 2] = np.nan
    np.testing.assert_array_equal(measured_counts(values), np.isfinite(values).sum(axis=1))
    assert measured_counts(values[:, :0]).tolist() == np.zeros((3, 4)).tolist()
    assert measured_counts(values[:0]).shape == (0, 4)
