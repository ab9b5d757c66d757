"""The alarm boundary: where scores of ordinary days end, at a stated rate of alarms."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import genpareto

__all__ = ["Threshold", "fit_threshold"]

Levels = npt.NDArray[np.float32]

TAIL = 50
"""Highest peaks that make the tail that is extrapolated."""


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """Raw scores are mapped so that ``centre`` becomes 0 and ``boundary`` 1."""

    centre: float
    boundary: float

    def farther(self, factor: float) -> "Threshold":
        """A boundary ``factor`` times as far from the centre."""
        return Threshold(centre=self.centre, boundary=self.centre + factor * (self.boundary - self.centre))

    def apply(self, raw: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Scores: 1.0 = the boundary, higher = more abnormal."""
        width = max(self.boundary - self.centre, 1e-9)
        scores: npt.NDArray[np.float32] = ((raw - self.centre) / width).astype(np.float32)
        return scores


def fit_threshold(levels: Levels, peaks: Levels, expected: float) -> Threshold:
    """Boundary that ``expected`` of as many ordinary peaks exceed; the median of the levels becomes 0.

    Beyond the peaks seen, a generalised Pareto tail over the highest of them, fitted by probability-weighted moments
    (Hosking and Wallis 1987), which do not diverge on small samples.
    """
    centre = float(np.median(levels))
    ordered = np.sort(peaks[np.isfinite(peaks)])[::-1].astype(np.float64)
    count = min(TAIL, len(ordered) // 2)
    if count < 10:
        return Threshold(centre=centre, boundary=max(float(np.max(levels)), centre + 1e-6))
    knee = float(ordered[count])
    if expected >= count:
        place = min(expected, len(ordered) - 1)
        return Threshold(
            centre=centre, boundary=max(float(np.interp(place, np.arange(len(ordered)), ordered)), centre + 1e-6)
        )
    excess = ordered[:count][::-1] - knee
    first = excess.mean()
    second = float((excess * (1 - (np.arange(1, count + 1) - 0.35) / count)).mean())
    shape = float(np.clip(first / max(first - 2 * second, 1e-12) - 2, -0.5, 0.5))
    scale = max(first * (1 + shape), 1e-12)
    # genpareto's c is minus Hosking and Wallis' k.
    beyond = float(genpareto.isf(expected / count, -shape, scale=scale))
    return Threshold(centre=centre, boundary=max(knee + beyond, centre + 1e-6))
