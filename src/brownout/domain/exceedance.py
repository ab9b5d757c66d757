"""Exceedance: the chance of a forecast to be beyond a limit at each step, and at any step of its horizon."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter
from scipy.special import expit, logit
from scipy.stats import norm

from brownout.domain.forecasts import Forecasts, Odds
from brownout.domain.panel import Doubles, Float, Marks

__all__ = ["PathModel", "corrected", "crossed", "crossing", "exceedance", "likelihood"]

RESOLUTION = 1e-3
"""Least chance of a crossing that none of 1,000 paths shows, by Laplace's rule of succession."""
ROWS_AT_ONCE = 64
"""Rows whose paths are drawn together: 64 × 1,000 × 48 marks are 3 MB."""


@dataclass(frozen=True, kw_only=True)
class PathModel:
    """Dependence between the steps of a forecast, of which the quantiles say nothing.

    Paths are drawn from a Gaussian copula whose correlation between neighbouring steps is ``persistence`` (AR(1)): with
    0 steps are independent, with 1 a path keeps its quantile. ``paths`` is their number: the standard error of a
    probability is at most 0.5 / sqrt(paths).
    """

    persistence: float = 0.9
    paths: int = 1000
    seed: int = 0


def exceedance(forecasts: Forecasts, limits: Float, *, upwards: Marks) -> Doubles:
    """Chance of being beyond the limit at each step: ``[row, step]``.

    The distribution is linear between quantiles and has exponential tails outside of them that carry on the
    slope of the outermost pair.
    """
    values = forecasts.values.astype(np.float64)
    levels = np.array(forecasts.quantiles)
    limit = limits.astype(np.float64)[:, None]
    quantiles_below = (values <= limit[..., None]).sum(axis=-1)
    inner = np.clip(quantiles_below, 1, len(levels) - 1)
    low, high = (np.take_along_axis(values, (inner + k)[..., None], axis=-1)[..., 0] for k in (-1, 0))
    width = np.maximum(high - low, 1e-12)
    below = levels[inner - 1] + (levels[inner] - levels[inner - 1]) * np.clip((limit - low) / width, 0, 1)
    left_scale = _tail_scale(values[..., 1] - values[..., 0], levels[0], levels[1])
    right_scale = _tail_scale(values[..., -1] - values[..., -2], levels[0], levels[1])
    left = levels[0] * np.exp(-np.maximum(values[..., 0] - limit, 0) / left_scale)
    right = 1 - (1 - levels[-1]) * np.exp(-np.maximum(limit - values[..., -1], 0) / right_scale)
    below = np.where(quantiles_below == 0, left, np.where(quantiles_below == len(levels), right, below))
    chance: Doubles = np.where(upwards[:, None], 1 - below, below)
    return chance


def _tail_scale(step: Doubles, outer: float, inner: float) -> Doubles:
    """Scale of an exponential tail through the two outermost quantiles."""
    scale: Doubles = np.maximum(step, 1e-9) / np.log(inner / outer)
    return scale


def crossed(chance: Doubles, model: PathModel) -> Marks:
    """Whether each drawn path is beyond the limit at each step: ``[path, step]``."""
    beyond: Marks = norm.sf(_paths(len(chance), model)) < chance[None, :]
    return beyond


def crossing(chance: Doubles, model: PathModel) -> Doubles:
    """Chance of each row to be beyond the limit at least once, ``[row]``, from ``chance [row, step]``."""
    paths = norm.sf(_paths(chance.shape[1], model))
    likely = np.zeros(len(chance))
    for first in range(0, len(chance), ROWS_AT_ONCE):
        part = slice(first, first + ROWS_AT_ONCE)
        likely[part] = (paths[None] < chance[part, None]).any(axis=2).mean(axis=1)
    return likely


def likelihood(forecasts: Forecasts, limits: Float, *, upwards: Marks) -> Doubles:
    """Chance of each row to be beyond its limit at least once, ``[row]``, corrected as its forecaster learned."""
    chance = exceedance(forecasts, limits, upwards=upwards)
    autocorrelation = np.array(forecasts.persistence or (PathModel().persistence,) * len(chance))
    likely = np.zeros(len(chance))
    for persistence in np.unique(autocorrelation).tolist():
        rows = autocorrelation == persistence
        likely[rows] = crossing(chance[rows], PathModel(persistence=persistence))
    return likely if forecasts.odds is None else corrected(likely, forecasts.odds)


def corrected(likely: Doubles, odds: Sequence[Odds], elapsed: Doubles | float = 1.0) -> Doubles:
    """Corrected chances ``[row]``, by the odds of each row or of all.

    ``elapsed`` is the share of the crossings that no forecast shows which come by the end of what the chances are for,
    0 … 1; where they come evenly that is the part of the horizon. Chances are clipped to ``RESOLUTION``, as they are
    shares of 1,000 paths.
    """
    miss_rate, false_alarm_rate, intercept, slope = np.array(
        [(o.miss_rate, o.false_alarm_rate, o.intercept, o.slope) for o in odds]
    ).T
    foreseen = expit(intercept + slope * logit(np.clip(likely, RESOLUTION, 1 - RESOLUTION)))
    chances: Doubles = miss_rate * elapsed + (1 - miss_rate * elapsed - false_alarm_rate) * foreseen
    return chances


def _paths(steps: int, model: PathModel) -> Doubles:
    """Normal AR(1) paths ``[path, step]`` of variance 1."""
    rng = np.random.default_rng(model.seed)
    phi = model.persistence
    noise = rng.standard_normal((model.paths, steps))
    noise[:, 0] /= np.sqrt(1 - phi**2) if phi < 1 else 1.0
    paths: Doubles = lfilter([np.sqrt(1 - phi**2)], [1, -phi], noise, axis=1)
    return paths
