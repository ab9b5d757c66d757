"""Time to saturation: from quantile paths to the probability and the dates of a breach."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter
from scipy.stats import norm

from brownout.domain.forecasts import Breach, Forecasts, Series
from brownout.domain.metrics import Metric, Worse
from brownout.domain.panel import Float

__all__ = ["PathModel", "breaches", "exceedance"]

Doubles = npt.NDArray[np.float64]
Marks = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class PathModel:
    """How the marginal forecasts of the steps hang together.

    Paths are drawn from a Gaussian copula whose correlation between neighbouring steps is ``persistence``
    (AR(1)): 0 would
    make every step a fresh chance, 1 a single one. ``paths`` is their number: the standard error of a probability is at
    most 0.5 / sqrt(paths).
    """

    persistence: float = 0.9
    paths: int = 1000
    seed: int = 0


def exceedance(forecasts: Forecasts, limits: Float, *, upwards: Marks) -> Doubles:
    """Chance of being beyond the limit at each step: ``[row, step]``.

    The distribution is linear between quantiles and has exponential tails outside of them that carry on the
    slope of the
    outermost pair.
    """
    values = forecasts.values.astype(np.float64)
    levels = np.array(forecasts.quantiles)
    limit = limits.astype(np.float64)[:, None]
    place = (values <= limit[..., None]).sum(axis=-1)
    inner = np.clip(place, 1, len(levels) - 1)
    low, high = (np.take_along_axis(values, (inner + k)[..., None], axis=-1)[..., 0] for k in (-1, 0))
    width = np.maximum(high - low, 1e-12)
    below = levels[inner - 1] + (levels[inner] - levels[inner - 1]) * np.clip((limit - low) / width, 0, 1)
    left_scale = _tail_scale(values[..., 1] - values[..., 0], levels[0], levels[1])
    right_scale = _tail_scale(values[..., -1] - values[..., -2], levels[0], levels[1])
    left = levels[0] * np.exp(-np.maximum(values[..., 0] - limit, 0) / left_scale)
    right = 1 - (1 - levels[-1]) * np.exp(-np.maximum(limit - values[..., -1], 0) / right_scale)
    below = np.where(place == 0, left, np.where(place == len(levels), right, below))
    chance: Doubles = np.where(upwards[:, None], 1 - below, below)
    return chance


def _tail_scale(step: Doubles, outer: float, inner: float) -> Doubles:
    """Scale of an exponential tail through the two outermost quantiles."""
    scale: Doubles = np.maximum(step, 1e-9) / np.log(inner / outer)
    return scale


def breaches(
    forecasts: Forecasts,
    metrics: Mapping[str, Metric],
    now: Mapping[Series, float],
    *,
    model: PathModel | None = None,
    min_probability: float = 0.0,
) -> tuple[Breach, ...]:
    """Limits that are crossed at least once within the horizon, most probable first.

    Rows whose metric has no limit or no direction are passed over. ``now`` holds the last measured values.
    """
    limited = [
        row
        for row, series in enumerate(forecasts.series)
        if series.metric in metrics
        and metrics[series.metric].limit is not None
        and metrics[series.metric].worse is not Worse.NONE
    ]
    if not limited:
        return ()
    chosen = forecasts.rows(limited)
    kinds = [metrics[series.metric] for series in chosen.series]
    limits = np.array([metric.limit for metric in kinds], np.float32)
    upwards = np.array([metric.worse is Worse.UP for metric in kinds])
    chance = exceedance(chosen, limits, upwards=upwards)
    possible = np.flatnonzero(chance.max(axis=1) >= min_probability / chosen.horizon)
    found = []
    for row in possible.tolist():
        crossed = _crossed(chance[row], model or PathModel())
        series = chosen.series[row]
        breach = _breach(chosen, row, crossed, float(limits[row]), now.get(series, float("nan")))
        if breach.probability >= min_probability:
            found.append(breach)
    return tuple(sorted(found, key=lambda breach: (-breach.probability, breach.series)))


def _crossed(chance: Doubles, model: PathModel) -> Marks:
    """Whether each drawn path is beyond the limit at each step: ``[path, step]``."""
    rng = np.random.default_rng(model.seed)
    phi = model.persistence
    noise = rng.standard_normal((model.paths, len(chance)))
    noise[:, 0] /= np.sqrt(1 - phi**2) if phi < 1 else 1.0
    paths = lfilter([np.sqrt(1 - phi**2)], [1, -phi], noise, axis=1)
    crossed: Marks = norm.sf(paths) < chance[None, :]
    return crossed


def _breach(forecasts: Forecasts, row: int, crossed: Marks, limit: float, now: float) -> Breach:
    by_then = np.maximum.accumulate(crossed, axis=1).mean(axis=0)
    times = forecasts.times(row)

    def reached(level: float) -> np.datetime64 | None:
        steps = np.flatnonzero(by_then >= level)
        return times[steps[0]] if len(steps) else None

    return Breach(
        series=forecasts.series[row],
        limit=limit,
        probability=float(by_then[-1]),
        earliest=reached(0.1),
        likely=reached(0.5),
        latest=reached(0.9),
        duration_s=float(crossed.mean(axis=0).sum() * forecasts.interval_s),
        horizon_s=float(forecasts.horizon * forecasts.interval_s),
        now=now,
        maker=forecasts.makers[row],
    )
