"""Calibration: widen or narrow each quantile by what held-out windows say, by metric and distance (split conformal)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from brownout.domain.forecasts import QUANTILES, Forecasts
from brownout.domain.panel import Float

__all__ = ["BANDS", "Calibration", "bands_of", "beyond", "calibrate", "outer_of"]

MIDDLE = QUANTILES.index(0.5)
BANDS = 4
"""Parts of the horizon that are calibrated apart: errors of the first hour are no measure for those of the last."""
BOUNDS = (0.2, 5.0)
"""Least and largest factor: a model that needs more is wrong, and stretching it would hide that."""
LEAST = 0.5
"""Least factor on the side of an interval that is narrowed because the interval covers too much."""
ENOUGH = 200
"""Held-out values below which a band keeps the model's own quantiles."""
OUTER = (0.05, 0.95)
"""Quantiles beyond the forecast ones that are calibrated too: they bound the 90 % interval."""

Factors = npt.NDArray[np.float64]


def bands_of(steps: int, horizon: int) -> npt.NDArray[np.int64]:
    """Which band each of the first ``steps`` belongs to, of a horizon that was learned: ``[step]``."""
    return np.minimum(np.arange(steps) * BANDS // horizon, BANDS - 1)


def beyond(outer: Float, values: Float) -> Float:
    """Outer quantiles ``[row, step, 2]`` that do not cross the quantiles ``[row, step, quantile]``."""
    lower, upper = np.minimum(outer[..., 0], values[..., 0]), np.maximum(outer[..., 1], values[..., -1])
    return np.stack([lower, upper], axis=-1)


@dataclass(frozen=True)
class Calibration:
    """Factors on the distance of each quantile from the median, by metric name and band.

    Attributes
    ----------
    horizon
        Steps of the forecasts that were learned from; the bands divide them.
    factors
        ``[band][quantile]`` by metric; then for the quantiles of ``OUTER``, on the distance of those that the forecasts
        have, or else of the outermost ones.
    """

    horizon: int
    factors: Mapping[str, tuple[tuple[float, ...], ...]]

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Self:
        """From what ``asdict`` made of one, lists for tuples where it went through JSON."""
        factors = {name: tuple(tuple(band) for band in bands) for name, bands in table["factors"].items()}
        return cls(table["horizon"], factors)

    def apply(self, forecasts: Forecasts) -> Float:
        """Calibrated values of the forecasts, still monotone."""
        table = self._table(forecasts)[..., : len(QUANTILES)]
        middle = forecasts.values[..., MIDDLE : MIDDLE + 1]
        moved = middle + (forecasts.values - middle) * table
        # A factor may differ from its neighbour's; going outwards from the median keeps the order.
        moved[..., MIDDLE:] = np.maximum.accumulate(moved[..., MIDDLE:], axis=-1)
        moved[..., : MIDDLE + 1] = np.minimum.accumulate(moved[..., MIDDLE::-1], axis=-1)[..., ::-1]
        values: Float = moved.astype(np.float32)
        return values

    def outer(self, forecasts: Forecasts) -> Float:
        """The quantiles of ``OUTER`` that belong to the values before calibration: ``[row, step, 2]``."""
        table = self._table(forecasts)[..., len(QUANTILES) :]
        middle = forecasts.values[..., MIDDLE : MIDDLE + 1]
        ends = forecasts.values[..., [0, -1]] if forecasts.outer is None else forecasts.outer
        values: Float = (middle + (ends - middle) * table).astype(np.float32)
        return values

    def calibrated(self, forecasts: Forecasts) -> Forecasts:
        """The forecasts with calibrated values and outer quantiles, none of which cross."""
        values = self.apply(forecasts)
        return replace(forecasts, values=values, outer=beyond(self.outer(forecasts), values))

    def tempered(self, share: float, *, normal_tail: bool = False) -> Self:
        """A calibration that moves each quantile by a share, 0 … 1, of what this one does, on the logarithm.

        With ``normal_tail`` the outer quantiles are those of forecasts without: nothing is done where they are normal.
        """
        plain = _PLAIN if normal_tail else (1.0,) * len(_LEVELS)
        factors = {
            name: tuple(
                tuple(one * (factor / one) ** share for factor, one in zip(band, plain, strict=True)) for band in bands
            )
            for name, bands in self.factors.items()
        }
        return type(self)(self.horizon, factors)

    def _table(self, forecasts: Forecasts) -> Float:
        """Factors of each row and step: ``[row, step, quantile]``."""
        unknown = (_PLAIN if forecasts.outer is None else (1.0,) * len(_LEVELS),) * BANDS
        names = sorted({series.metric for series in forecasts.series})
        row_of = {name: row for row, name in enumerate(names)}
        table = np.array([self.factors.get(name, unknown) for name in names], np.float32)
        table = table.reshape(-1, BANDS, len(_PLAIN))[:, bands_of(forecasts.horizon, self.horizon)]
        rows: Float = table[[row_of[series.metric] for series in forecasts.series]]
        return rows


def outer_of(forecasts: Forecasts) -> Float:
    """The outer quantiles of forecasts ``[row, step, 2]``; where they have none, those of a normal tail."""
    return Calibration(forecasts.horizon, {}).outer(forecasts) if forecasts.outer is None else forecasts.outer


_LEVELS = (*QUANTILES, *OUTER)
_PAIRS = ((0, 8), (1, 7), (2, 6), (3, 5), (9, 10))
_PLAIN = (1.0,) * len(QUANTILES) + (1.28, 1.28)
"""Nothing is changed, and a normal tail: its 5 % quantile lies 1.28 times as far out as its 10 %."""


def calibrate(metrics: npt.NDArray[np.str_], values: Float, actual: Float, outer: Float | None = None) -> Calibration:
    """Learn factors from held-out windows: ``values [row, step, quantile]``, ``actual [row, step]``, NaN = a gap.

    A factor is the quantile, at its level, of how far values lie from the median in units of the predicted distance.
    ``outer [row, step, 2]`` are the quantiles of ``OUTER`` where they were forecast: their factors are then on them.
    """
    horizon = actual.shape[1]
    bands = bands_of(horizon, horizon)
    plain = _PLAIN if outer is None else (1.0,) * len(_LEVELS)
    ladder = np.concatenate([values, values[..., [0, -1]] if outer is None else outer], axis=-1)
    factors = {
        str(metric): tuple(
            _factors(ladder[metrics == metric][:, bands == band], actual[metrics == metric][:, bands == band], plain)
            for band in range(BANDS)
        )
        for metric in np.unique(metrics)
    }
    return Calibration(horizon, factors)


def _factors(ladder: Float, actual: Float, plain: tuple[float, ...]) -> tuple[float, ...]:
    """A factor for each level, then narrower on one side where an interval still covers too much."""
    middle = ladder[..., MIDDLE]
    sides = np.array(
        [
            1.0 if column == MIDDLE else _factor(middle, ladder[..., column], actual, (level, plain[column]))
            for column, level in enumerate(_LEVELS)
        ]
    )
    miss = actual - middle
    for low, high in _PAIRS:
        down, up = (sides[k] * np.abs(ladder[..., k] - middle) for k in (low, high))
        sides[[low, high]] *= _narrower(miss, down, up, _LEVELS[high] - _LEVELS[low])
    return tuple(sides.tolist())


def _factor(middle: Float, quantile: Float, actual: Float, level_and_plain: tuple[float, float]) -> float:
    """Observed over predicted distance of a level from the median; windows without a width are skipped."""
    level, plain = level_and_plain
    side = 1 if level > 0.5 else -1
    distance = side * (quantile - middle)
    usable = np.isfinite(actual) & (distance > 1e-6 * np.abs(middle) + 1e-9)
    if usable.sum() < ENOUGH:
        return plain
    ratio = side * (actual[usable] - middle[usable]) / distance[usable]
    return float(np.clip(np.quantile(ratio, max(level, 1 - level)), *BOUNDS))


def _narrower(miss: Float, down: Float, up: Float, nominal: float) -> tuple[float, float]:
    """Factors on the two sides of an interval that covers more than its levels say.

    Where the lower end is an idle disk's zero, no value lies below it, and an interval from the 10 % to the 90 %
    quantile covers 90 %. The other side is then narrowed until the interval covers what its levels say, by ``LEAST`` at
    most.
    """
    known = np.isfinite(miss)
    if known.sum() < ENOUGH:
        return 1.0, 1.0
    miss, down, up = miss[known], down[known], up[known]
    outside, below, above = 1 - nominal, float((miss < -down).mean()), float((miss > up).mean())
    if below + above >= outside:
        return 1.0, 1.0
    if below <= above:
        return 1.0, _reaching(miss, up, 1 - outside + below)
    return _reaching(-miss, down, 1 - outside + above), 1.0


def _reaching(miss: Float, width: Float, share: float) -> float:
    """Factor on ``width`` within which a share of the misses lies; misses on the other side count as within."""
    away = np.maximum(miss, 0)
    needed = np.divide(away, width, out=np.where(away > 0, np.inf, 0.0).astype(away.dtype), where=width > 0)
    return float(np.clip(np.quantile(needed, min(share, 1.0), method="higher"), LEAST, 1.0))
