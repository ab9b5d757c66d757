"""Smoothing: simple exponential smoothing on top of the mean day, for all series at once.

The recurrence is SciPy's ``lfilter`` over all rows, so a thousand series take a second, which fitting model after model
does not. The weight is chosen for each series from a few by its one-step error, as in Hyndman et al., Forecasting with
Exponential Smoothing (2008), with additive seasons held fixed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from brownout.domain.panel import Float
from brownout.forecasting.baselines.classical import Classical
from brownout.forecasting.baselines.naive import deciles

__all__ = ["Smoothing", "filled", "mean_day", "spreads"]

WEIGHTS = (0.05, 0.2, 0.5, 0.9)
"""Candidate weights of the newest value."""
MEMORY = 14
"""Seasons that the mean day and the errors are taken from."""
GROWTH = 4
"""Errors are measured at steps 1, 4, 16, … ahead and interpolated between them."""


@dataclass(frozen=True)
class Smoothing(Classical):
    """Smoothed level plus mean day, with the empirical deciles of past errors at the same distance."""

    season: int | None = None
    memory: int = MEMORY
    name: ClassVar[str] = "smoothing"

    def paths(self, past: Float, season: int, horizon: int) -> Float:
        """Quantile paths after a past."""
        return _paths(past, season, horizon)


def _paths(past: Float, season: int, horizon: int) -> Float:
    """Quantile paths ``[row, step, quantile]`` after a past ``[row, slot]``."""
    slots = past.shape[1]
    day = mean_day(past, season)
    phase = np.arange(slots + horizon) % season
    adjusted = past - day[:, phase[:slots]]
    levels = _levels(filled(adjusted))
    spread = spreads(lambda step: adjusted[:, step:] - levels[:, : max(slots - step, 0)], horizon, slots)
    middle = levels[:, -1:] + day[:, phase[slots:]]
    paths: Float = (middle[..., None] + spread).astype(np.float32)
    return paths


def spreads(misses: Callable[[int], Float], horizon: int, slots: int) -> Float:
    """Deciles of past errors at each step ahead: ``[row, step, quantile]``, measured at some steps, linear between."""
    checked = _checked(horizon, slots)
    errors = np.stack([deciles(misses(step)) for step in checked.tolist()], 1)
    steps = np.clip(np.arange(1, horizon + 1), checked[0], checked[-1])
    right = np.clip(np.searchsorted(checked, steps), 1 if len(checked) > 1 else 0, len(checked) - 1)
    left = np.maximum(right - 1, 0)
    share = ((steps - checked[left]) / np.maximum(checked[right] - checked[left], 1))[None, :, None]
    spread: Float = errors[:, left] * (1 - share) + errors[:, right] * share
    return spread


def _checked(horizon: int, slots: int) -> npt.NDArray[np.int64]:
    """Steps whose errors are measured: powers up to the first that covers the horizon, as far as the past reaches."""
    steps = GROWTH ** np.arange(int(np.ceil(np.log(max(horizon, 2)) / np.log(GROWTH))) + 1)
    return np.unique(np.minimum(steps, max(slots - 1, 1)))


def mean_day(past: Float, season: int) -> Float:
    """Mean of each phase less the mean of all, phase 0 at the first slot: ``[row, phase]``; 0 where unknown."""
    rows, slots = past.shape
    padded = np.full((rows, -(-slots // season) * season), np.nan, np.float32)
    padded[:, :slots] = past
    folded = padded.reshape(rows, -1, season)
    seen = np.isfinite(folded)
    count = seen.sum(1)
    total = np.where(seen, folded, 0).sum(1, dtype=np.float64)
    overall = total.sum(1, keepdims=True) / np.maximum(count.sum(1, keepdims=True), 1)
    day: Float = np.where(count > 0, total / np.maximum(count, 1) - overall, 0).astype(np.float32)
    return day


def filled(values: Float) -> Float:
    """Gaps hold the value before them; before the first value, the first value."""
    seen = np.isfinite(values)
    first = np.where(seen.any(1), seen.argmax(1), 0)[:, None]
    slot = np.maximum.accumulate(np.where(seen, np.arange(values.shape[1]), 0), axis=1)
    filled: Float = np.nan_to_num(np.take_along_axis(values, np.maximum(slot, first), 1))
    return filled


def _levels(values: Float) -> Float:
    """Smoothed values ``[row, slot]`` by the weight whose next-slot forecasts miss least."""
    best = np.empty_like(values)
    least = np.full(len(values), np.inf)
    for weight in WEIGHTS:
        start = (1 - weight) * values[:, :1].astype(np.float64)
        levels, _ = lfilter([weight], [1, weight - 1], values.astype(np.float64), axis=1, zi=start)
        miss = np.abs(values[:, 1:] - levels[:, :-1]).sum(1)
        better = miss < least
        best[better], least[better] = levels[better], miss[better]
    return best
