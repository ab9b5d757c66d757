"""Paths of console latency that follow the forecast loads, at the level of the console's last days."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from brownout.domain.panel import Float
from brownout.forecasting.baselines.naive import deciles
from brownout.forecasting.covariates.console_covariates import Load
from brownout.forecasting.covariates.response import Response
from brownout.numerics.arrays import Doubles, Index

__all__ = ["Contributions", "Followed", "follow", "groups_of", "latency_of", "log_latency"]

TRUST = 1.0
"""Standard deviation of the prior of a console's gain, whose mean is 1: the response of all consoles."""
FRESH = 16
"""Slots that count as one independent observation, as neighbours are correlated."""
ROUNDS = 3
"""Times that noise and gains are estimated in turn; with gains of 1 the noise is overestimated."""
MOST_GAIN = 4.0
LEAST = 24
"""Slots with a known latency below which the gains of a console are 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """Rows to forecast: latency before each origin, and what the loads added and will add.

    ``latency`` log ``[row, past slot]`` and ``past`` ``[row, past slot, load]`` end at the origin; ``future`` is
    ``[row, step, load]``. Both hold contributions to log latency, not loads.
    """

    latency: Float
    past: Float
    future: Float


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """Quantiles of log latency ``[row, step, quantile]``, and each row's gains ``[row, load]`` on the contributions."""

    values: Float
    gains: Float


def log_latency(milliseconds: Float) -> Float:
    """Logarithm of 1 + latency, in which contributions add up: below a millisecond differences do not matter."""
    values: Float = np.log1p(np.maximum(milliseconds, 0)).astype(np.float32)
    return values


def latency_of(logarithms: Float) -> Float:
    """Milliseconds from logarithms."""
    values: Float = np.expm1(np.maximum(logarithms, 0)).astype(np.float32)
    return values


def groups_of(loads: Sequence[Load]) -> tuple[tuple[tuple[str, str], ...], Index]:
    """Place and family of each group of loads, and the group of each load."""
    keys = [(load.place.value, load.family.value) for load in loads]
    names = tuple(dict.fromkeys(keys))
    return names, np.array([names.index(key) for key in keys], np.int64)


def follow(response: Response, given: Contributions) -> Followed:
    """The past without the contributions of its loads, plus those of the forecast loads."""
    names, group = groups_of(response.loads)
    by_group = np.stack([given.past[..., group == place].sum(axis=-1) for place in range(len(names))], -1)
    gains = _gains(given.latency.astype(np.float64), by_group.astype(np.float64))[:, group].astype(np.float32)
    rest = given.latency - (given.past * gains[:, None]).sum(axis=-1)
    ahead = (given.future * gains[:, None]).sum(axis=-1)
    values = ahead[..., None] + deciles(rest)[:, None, :]
    return Followed(values.astype(np.float32), gains)


def _gains(latency: Doubles, parts: Doubles) -> Doubles:
    """Gains of each row, shrunk towards 1, by ridge regression on its own past: ``[row, group]``.

    The deviations of the gains from 1 explain what the common response leaves; the ridge is the noise of the rest over
    the variance of the prior, ``TRUST`` squared.
    """
    seen = np.isfinite(latency)
    count = seen.sum(axis=1)
    enough = np.maximum(count, 1)[:, None]
    centred = np.where(seen[..., None], parts, 0)
    centred -= np.where(seen[..., None], (centred.sum(axis=1) / enough)[:, None], 0)
    rest = np.where(seen, latency, 0)
    rest -= np.where(seen, rest.sum(axis=1, keepdims=True) / enough, 0)
    rest -= centred.sum(axis=-1)
    gains = np.ones((len(parts), parts.shape[-1]))
    for _ in range(ROUNDS):
        noise = ((rest - np.einsum("rtg,rg->rt", centred, gains - 1)) ** 2).sum(axis=1) / enough[:, 0]
        noise = FRESH * np.maximum(noise, 1e-6)
        square = np.einsum("rtg,rth->rgh", centred, centred) / noise[:, None, None] + np.eye(gains.shape[1]) / TRUST**2
        pull = np.einsum("rtg,rt->rg", centred, rest) / noise[:, None]
        moved = np.linalg.solve(square, pull[..., None])[..., 0]
        gains = np.where((count >= LEAST)[:, None], np.clip(1 + moved, 0, MOST_GAIN), 1.0)
    return gains
