"""Shapes of movements, one planted at a time."""

import numpy as np
import pytest

from brownout.detection.episodes.movement_shape import shape_of
from brownout.domain.findings import Shape

RNG = np.random.default_rng(0)
BEFORE = (20 + RNG.normal(0, 2, 300)).astype(np.float32)
LENGTH = 60


def planted(shape: Shape) -> np.ndarray:
    values = 20 + RNG.normal(0, 2, LENGTH)
    if shape is Shape.SPIKE:
        values[:3] += 40
    elif shape is Shape.STEP:
        values += 40
        values[0] -= 40
    elif shape is Shape.RAMP:
        values += np.linspace(10, 60, LENGTH)
    elif shape is Shape.BURST:
        for start in (0, 5, 30, 55):
            values[start : start + 3] += 40
    elif shape is Shape.PERIODIC:
        for start in range(0, LENGTH, 12):
            values[start : start + 3] += 40
    elif shape is Shape.FLAT:
        values[:] = 21
    else:
        values[5:] = np.nan
    return values.astype(np.float32)


@pytest.mark.parametrize("shape", list(Shape))
def test_each_shape_is_told_from_the_others(shape: Shape) -> None:
    values = planted(shape)
    assert shape_of(values, BEFORE, (values - 20) / 2, line=4.0) is shape
