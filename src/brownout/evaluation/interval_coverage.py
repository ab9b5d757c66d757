"""Coverage of central intervals, also where values that occur often lie on their ends."""

import numpy as np

from brownout.domain.forecasts import Forecasts
from brownout.domain.panel import Float
from brownout.numerics.arrays import Doubles

__all__ = ["NOMINAL", "coverages", "interval_counts"]

NOMINAL = (50, 80, 90)
"""Per cent that the intervals should cover."""
LEVELS = np.array([(0.25, 0.75), (0.1, 0.9), (0.05, 0.95)])
SIDES = 4
"""Counts an interval: values below the lower end, up to it, below the upper end, up to it."""


def interval_counts(forecasts: Forecasts, actual: Float) -> Doubles:
    """How many values lie below and up to the ends of each interval: ``[row, step, interval × side]``; a gap counts 0.

    The quantiles of 25 and 75 % are the means of their neighbours. NaN for an interval that was not forecast.
    """
    quantiles = forecasts.values
    nothing = np.full((*actual.shape, 2), np.nan, np.float32)
    half = np.stack([quantiles[..., [1, 2]].mean(axis=-1), quantiles[..., [6, 7]].mean(axis=-1)], axis=-1)
    ends = np.stack([half, quantiles[..., [0, -1]], nothing if forecasts.outer is None else forecasts.outer], axis=2)
    truth = actual[..., None, None]
    counts = np.stack([truth < ends, truth <= ends], axis=-1).astype(np.float64)
    counts_of_each: Doubles = np.where(np.isfinite(ends)[..., None], counts, np.nan).reshape(*actual.shape, -1)
    return counts_of_each


def coverages(counts: Doubles, values: float) -> dict[str, float]:
    """Coverage of each interval from summed counts ``[interval × side]`` and the number of values.

    ``coverage_90`` is the share of values between the ends, both included. ``tied_90`` is the same with a quantile that
    equals a value which occurs often (an idle disk's zero) taken at its word where that can be true: its level is right
    if the share below it is not above it and the share up to it not below it (Gneiting and Resin 2023, unconditional
    quantile calibration), and else missed by the nearer of the two. No interval can cover less than such a value does.
    """
    below, upto = counts.reshape(len(NOMINAL), 2, 2).transpose(2, 0, 1) / max(values, 1)
    inside = upto[:, 1] - below[:, 0]
    reached = np.clip(LEVELS, below, upto)
    tied = reached[:, 1] - reached[:, 0]
    names = [("coverage" if nominal == 80 else f"coverage_{nominal}", f"tied_{nominal}") for nominal in NOMINAL]
    return {
        name: float(share)
        for pair, shares in zip(names, zip(inside, tied, strict=True), strict=True)
        for name, share in zip(pair, shares, strict=True)
    }
