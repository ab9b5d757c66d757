"""Continuity: forecasts go on from the last value, and from one quarter of the horizon to the next, without a jump."""

import numpy as np
import numpy.typing as npt

from brownout.domain.forecasts import QUANTILES
from brownout.domain.panel import Float, Marks
from brownout.forecasting.baselines.classical import pasts
from brownout.forecasting.series_rows import Rows
from brownout.numerics.order_statistics import median

__all__ = ["joined_weights", "with_first_step"]

SEAM = 16
"""Two makers overlap over this part of the horizon on both sides of the seam between them."""
DAYS = 7
"""Days whose step at the time of day of the first step is the known one."""
MOST_ALIKE = 0.98
"""Largest share of a distance from the last value that is left after another step."""


def joined_weights(made_by: Marks) -> Float:
    """Weights ``[row, step]``, 0 … 1, of a maker that makes some of the steps; of all makers they add up to 1."""
    steps = made_by.shape[1]
    reach = steps // SEAM
    if not reach:
        return made_by.astype(np.float32)
    padded = np.pad(made_by.astype(np.float32), ((0, 0), (reach, reach)), mode="edge")
    running = np.cumsum(np.pad(padded, ((0, 0), (1, 0))), axis=1)
    weights: Float = (running[:, 2 * reach + 1 :] - running[:, : -2 * reach - 1]) / (2 * reach + 1)
    return weights


def with_first_step(values: Float, outer: Float, rows: Rows) -> tuple[Float, Float]:
    """Quantiles and outer ones whose band at the first step reaches the last value, or the step known at that time.

    The outermost quantile on that side is stretched there, and returns with the distance as the series forgets its last
    value; all others stay, as most last values are noise (moving them too cost console latency 4 to 6 % of its CRPS).
    """
    values, outer = values.copy(), outer.copy()
    season = rows.panel.slots_per_day
    for part, past in pasts(rows, (DAYS + 1) * season):
        last = past[:, -1]
        known = last + _known_step(past, season)
        low, high = np.fmin(last, known), np.fmax(last, known)
        first = values[part, 0]
        short = np.nan_to_num(np.where(low > first[:, -1], low - first[:, -1], np.minimum(high - first[:, 0], 0)))
        keeps = _keeps(past[:, -season:])
        steps = np.arange(1, values.shape[1] + 1, dtype=np.float32)
        edge = short[:, None] * keeps[:, None] ** (steps - 1)
        for side, column in ((-1, 0), (1, len(QUANTILES) - 1)):
            reaches = np.where(np.sign(short)[:, None] == side, edge, 0)
            values[part, :, column] += reaches
            outer[part, :, min(column, 1)] += reaches
    return values, outer


def _known_step(past: Float, season: int) -> Float:
    """Median of the changes of the last days from the time of day of the last slot to the next; 0 where unknown."""
    slots = past.shape[1]
    ends = np.arange(slots - season, 0, -season)
    changes: npt.NDArray[np.float32] = past[:, ends] - past[:, ends - 1]
    return np.nan_to_num(median(changes)) if len(ends) else np.zeros(len(past), np.float32)


def _keeps(recent: Float) -> Float:
    """Autocorrelation of neighbouring slots of the last day, 0 … ``MOST_ALIKE``; 0 where nothing is known."""
    past = recent.astype(np.float64)
    change = np.diff(past, axis=1)
    steps, count = np.nan_to_num(change**2).sum(axis=1), np.isfinite(change).sum(axis=1)
    seen = np.isfinite(past)
    mean = np.where(seen, past, 0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    around = np.where(seen, (past - mean[:, None]) ** 2, 0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    alike = 1 - np.divide(steps / np.maximum(count, 1), 2 * around, out=np.ones_like(around), where=around > 0)
    autocorrelation: Float = np.clip(alike, 0, MOST_ALIKE).astype(np.float32)
    return autocorrelation
