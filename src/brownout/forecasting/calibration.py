"""Calibration: widen or narrow each quantile of a metric by what held-out windows say (split conformal)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from brownout.domain.forecasts import QUANTILES, Forecasts
from brownout.domain.panel import Float

__all__ = ["Calibration", "calibrate"]

MIDDLE = QUANTILES.index(0.5)
BOUNDS = (0.2, 5.0)
"""Least and largest factor: beyond it the model is wrong, and stretching it would hide that."""
ENOUGH = 200
"""Held-out values below which a metric keeps the model's own quantiles."""


@dataclass(frozen=True)
class Calibration:
    """Factors ``[quantile]`` by metric name on the distance of each quantile from the median."""

    factors: Mapping[str, tuple[float, ...]]

    def apply(self, forecasts: Forecasts) -> Float:
        """Calibrated values of the forecasts, still monotone."""
        ones = (1.0,) * len(QUANTILES)
        table = np.array([self.factors.get(series.metric, ones) for series in forecasts.series], np.float32)
        middle = forecasts.values[..., MIDDLE : MIDDLE + 1]
        moved = middle + (forecasts.values - middle) * table.reshape(-1, 1, len(QUANTILES))
        # A factor may differ from its neighbour's; going outwards from the median keeps the order.
        moved[..., MIDDLE:] = np.maximum.accumulate(moved[..., MIDDLE:], axis=-1)
        moved[..., : MIDDLE + 1] = np.minimum.accumulate(moved[..., MIDDLE::-1], axis=-1)[..., ::-1]
        values: Float = moved.astype(np.float32)
        return values


def calibrate(metrics: npt.NDArray[np.str_], values: Float, actual: Float) -> Calibration:
    """Learn factors from held-out windows: ``values [row, step, quantile]``, ``actual [row, step]``, NaN = a gap.

    A factor is the quantile, at its level, of how far values lie from the median in units of the predicted distance.
    """
    return Calibration(
        {str(metric): _factors(values[metrics == metric], actual[metrics == metric]) for metric in np.unique(metrics)}
    )


def _factors(values: Float, actual: Float) -> tuple[float, ...]:
    middle = values[..., MIDDLE]
    factors = []
    for place, level in enumerate(QUANTILES):
        side = 1 if place > MIDDLE else -1
        distance = side * (values[..., place] - middle)
        usable = np.isfinite(actual) & (distance > 1e-6 * np.abs(middle) + 1e-9)
        if place == MIDDLE or usable.sum() < ENOUGH:
            factors.append(1.0)
            continue
        ratio = side * (actual[usable] - middle[usable]) / distance[usable]
        factors.append(float(np.clip(np.quantile(ratio, max(level, 1 - level)), *BOUNDS)))
    return tuple(factors)
