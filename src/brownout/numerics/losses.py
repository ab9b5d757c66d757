"""Losses of quantile forecasts, and the ratios to seasonal-naive that skill is stated in."""

from dataclasses import dataclass

import numpy as np

from brownout.domain.forecasts import QUANTILES
from brownout.numerics.arrays import Doubles, Float, Marks

__all__ = ["BINS", "PathLosses", "brier", "path_losses", "reliability", "skill_ratio"]

MIDDLE = QUANTILES.index(0.5)
BINS = 10
"""Parts of 0 … 1 that a reliability diagram counts in."""


@dataclass(frozen=True, slots=True, eq=False)
class PathLosses:
    """Sums over the measured steps of each row, float64 ``[row]``.

    ``absolute`` is the absolute error of the median, ``quantile`` twice the quantile loss averaged over the nine
    levels (the CRPS from quantiles), ``inside`` how many values lie in the 10–90 % band, ``count`` how many there are.
    """

    absolute: Doubles
    quantile: Doubles
    inside: Doubles
    count: Doubles


def path_losses(values: Float, actual: Float) -> PathLosses:
    """Losses of quantile paths ``[row, step, 9]`` against what came ``[row, step]``; NaN = not measured."""
    measured = np.isfinite(actual)
    truth = np.where(measured, actual, 0.0)[..., None]
    error = truth - values
    levels = np.array(QUANTILES)
    loss = 2 * np.maximum(levels * error, (levels - 1) * error).mean(axis=2)
    inside = (truth[..., 0] >= values[..., 0]) & (truth[..., 0] <= values[..., -1])
    return PathLosses(
        absolute=np.where(measured, np.abs(error[..., MIDDLE]), 0.0).sum(axis=1, dtype=np.float64),
        quantile=np.where(measured, loss, 0.0).sum(axis=1, dtype=np.float64),
        inside=(inside & measured).sum(axis=1).astype(np.float64),
        count=measured.sum(axis=1).astype(np.float64),
    )


def skill_ratio(loss: Doubles, naive: Doubles, count: Doubles, scale: Doubles) -> float:
    """Mean loss over that of seasonal-naive, each series on its own scale.

    Every argument has one value a row; ``scale`` is the in-sample mean absolute error of seasonal-naive of the row's
    series (the denominator of MASE, Hyndman and Koehler 2006). Rows without a scale (flat series) or without a measured
    value do not count; NaN where none is left, 1 where neither has any loss.
    """
    usable = (count > 0) & np.isfinite(scale) & (scale > 0)
    if not usable.any():
        return float("nan")
    ours = float((loss[usable] / scale[usable]).sum())
    theirs = float((naive[usable] / scale[usable]).sum())
    if theirs == 0:
        return 1.0 if ours == 0 else float("inf")
    return ours / theirs


def brier(likely: Doubles, happened: Marks) -> float:
    """Mean squared error of probabilities, 0 … 1; always saying one half scores 0.25."""
    return float(((likely - happened) ** 2).mean()) if len(likely) else float("nan")


def reliability(likely: Doubles, happened: Marks) -> tuple[tuple[float, float, float], ...]:
    """For each of ``BINS`` equal parts of 0 … 1: how many chances lie in it, their sum, and how often it happened.

    Sums of several sets of chances may be added.
    """
    bins = np.minimum((likely * BINS).astype(np.int64), BINS - 1)
    columns = [np.bincount(bins, weights, BINS) for weights in (np.ones(len(bins)), likely, happened)]
    return tuple(
        (float(count), float(expected), float(occurred)) for count, expected, occurred in zip(*columns, strict=True)
    )
