"""Response of console latency to loads: a monotone curve for each load, which add up in the logarithm of latency."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls

from brownout.domain.metrics import Family
from brownout.domain.panel import Float
from brownout.forecasting.covariates.console_covariates import Load, Place
from brownout.numerics.arrays import Doubles

__all__ = ["Response", "learn_response"]

LEVELS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.85, 0.95, 0.99, 1.0)
"""Quantiles of a load between which its curve is straight: closer where it matters, at the busy end."""
RIDGE = 1e-3
"""Ridge on the steps of the curves, in units of their mean square: loads that rise together share the effect."""
MOST = 300_000
"""Slots that are enough to learn nine points a load from."""
LEAST = 200
"""Slots below which nothing is learned."""


@dataclass(frozen=True, slots=True)
class Response:
    """Curves by load; what they add up to is a difference of log latency, 0 where every load is at its median.

    Attributes
    ----------
    loads
        What the curves are of.
    knots
        Oriented levels of each load, increasing: the sign is such that more is worse.
    rises
        Log latency at the knots, never decreasing; the curve is constant outside of them.
    """

    loads: tuple[Load, ...]
    knots: tuple[tuple[float, ...], ...]
    rises: tuple[tuple[float, ...], ...]

    def parts(self, values: Float) -> Float:
        """Contribution of each load, the shape of ``values [..., load]``; 0 for a load that is not known."""
        parts = np.zeros(values.shape, np.float32)
        for column, (load, knots, rises) in enumerate(zip(self.loads, self.knots, self.rises, strict=True)):
            oriented = _oriented(values[..., column], load)
            parts[..., column] = np.nan_to_num(np.interp(oriented, knots, rises), nan=0.0)
        return parts

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """From JSON."""
        loads = tuple(
            Load(Place(load["place"]), Family(load["family"]), load["metric"], load["upwards"])
            for load in facts["loads"]
        )
        return cls(loads, tuple(map(tuple, facts["knots"])), tuple(map(tuple, facts["rises"])))


def learn_response(loads: Sequence[Load], values: Float, latency: Float) -> Response | None:
    """Least squares with steps that cannot be negative, each console measured against its own mean.

    ``values [console, slot, load]``, ``latency [console, slot]`` as log; None where nothing can be learned.
    """
    varied = [column for column in range(len(loads)) if np.isfinite(values[..., column]).sum() >= LEAST]
    chosen = [loads[column] for column in varied]
    knots = [_knots(_oriented(values[..., column], load)) for column, load in zip(varied, chosen, strict=True)]
    moving = [place for place, points in enumerate(knots) if len(points) > 1]
    consoles, slots = np.nonzero(np.isfinite(latency))
    if not moving or len(slots) < LEAST:
        return None
    thin = slice(None, None, max(len(slots) // MOST, 1))
    consoles, slots = consoles[thin], slots[thin]
    design = np.concatenate(
        [_steps(_oriented(values[consoles, slots, varied[place]], chosen[place]), knots[place]) for place in moving], 1
    )
    target = latency[consoles, slots].astype(np.float64)
    heights = _fitted(_centred(design, consoles), _centred(target[:, None], consoles)[:, 0])
    bounds = np.cumsum([len(knots[place]) - 1 for place in moving])[:-1]
    rises = []
    for place, steps in zip(moving, np.split(heights, bounds), strict=True):
        curve = np.concatenate([[0.0], np.cumsum(steps)])
        middle = np.nanmedian(_oriented(values[..., varied[place]], chosen[place]))
        rises.append(tuple((curve - np.interp(middle, knots[place], curve)).tolist()))
    return Response(
        tuple(chosen[place] for place in moving), tuple(tuple(knots[place].tolist()) for place in moving), tuple(rises)
    )


def _oriented(values: Float, load: Load) -> Doubles:
    return (values if load.upwards else -values).astype(np.float64)


def _knots(oriented: Doubles) -> Doubles:
    """Different levels of a load at ``LEVELS``."""
    return np.unique(np.nanquantile(oriented, LEVELS))


def _steps(oriented: Doubles, knots: Doubles) -> Doubles:
    """How far each step between knots has been climbed, 0 … 1: ``[slot, step]``; an unknown load is at its median."""
    known = np.where(np.isfinite(oriented), oriented, np.nanmedian(oriented) if np.isfinite(oriented).any() else 0.0)
    return np.clip((known[:, None] - knots[:-1]) / np.diff(knots), 0, 1)


def _centred(values: Doubles, groups: npt.NDArray[np.int64]) -> Doubles:
    """Values less the mean of their group, ``[row, column]``."""
    count = np.bincount(groups)
    totals = np.stack([np.bincount(groups, values[:, column]) for column in range(values.shape[1])], 1)
    centred: Doubles = values - (totals / np.maximum(count, 1)[:, None])[groups]
    return centred


def _fitted(design: Doubles, target: Doubles) -> Doubles:
    """Non-negative least squares by the normal equations: one product over the slots, then a small problem."""
    square = design.T @ design
    square[np.diag_indices_from(square)] += RIDGE * max(float(np.trace(square)) / len(square), 1e-9)
    root = cholesky(square, lower=True)
    heights, _ = nnls(root.T, solve_triangular(root, design.T @ target, lower=True))
    steps: Doubles = heights
    return steps
