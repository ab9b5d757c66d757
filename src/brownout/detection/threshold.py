"""The alarm boundary: where scores of ordinary days end, at a stated rate of alarms."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.stats import genpareto

__all__ = ["Threshold", "fit_threshold"]

Levels = npt.NDArray[np.float32]

TAIL = 50
"""Highest peaks that make the tail that is extrapolated."""
LEAST = 10
"""Peaks below which there is no tail."""


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """Raw scores are mapped so that ``centre`` becomes 0 and ``boundary`` 1.

    Attributes
    ----------
    knee, scale, shape
        Generalised Pareto tail of ordinary peaks beyond the knee; a scale of 0 says that there were too few.
    often
        How many ordinary peaks lie beyond the knee for each one that was expected beyond the boundary when it was
        set.
    """

    centre: float
    boundary: float
    knee: float = 0.0
    scale: float = 0.0
    shape: float = 0.0
    often: float = 0.0

    def farther(self, factor: float) -> "Threshold":
        """A boundary ``factor`` times as far from the centre."""
        return replace(self, boundary=self.centre + factor * (self.boundary - self.centre))

    def apply(self, raw: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Scores: 1.0 = the boundary, higher = more abnormal."""
        width = max(self.boundary - self.centre, 1e-9)
        scores: npt.NDArray[np.float32] = ((raw - self.centre) / width).astype(np.float32)
        return scores

    def beyond(self, score: float) -> float:
        """How many ordinary peaks reach a score for each one that was expected beyond the boundary when it was set.

        Scores below the knee count as the knee; 0 where there were too few peaks to tell.
        """
        if not self.scale > 0:
            return 0.0
        raw = self.centre + score * (self.boundary - self.centre)
        return self.often * float(genpareto.sf(max(raw - self.knee, 0.0), -self.shape, scale=self.scale))


def fit_threshold(levels: Levels, peaks: Levels, expected: float) -> Threshold:
    """Boundary that ``expected`` of as many ordinary peaks exceed; the median of the levels becomes 0.

    Beyond the peaks seen, a generalised Pareto tail over the highest of them, fitted by probability-weighted moments
    (Hosking and Wallis 1987), which do not diverge on small samples.
    """
    centre = float(np.median(levels))
    ordered = np.sort(peaks[np.isfinite(peaks)])[::-1].astype(np.float64)
    count = min(TAIL, len(ordered) // 2)
    if count < LEAST:
        return Threshold(centre=centre, boundary=max(float(np.max(levels)), centre + 1e-6))
    knee = float(ordered[count])
    scale, shape = _tail(ordered[:count][::-1] - knee)
    if expected >= count:
        place = min(expected, len(ordered) - 1)
        boundary = float(np.interp(place, np.arange(len(ordered)), ordered))
    else:
        # genpareto's c is minus Hosking and Wallis' k.
        boundary = knee + float(genpareto.isf(expected / count, -shape, scale=scale))
    boundary = max(boundary, centre + 1e-6)
    return Threshold(
        centre=centre, boundary=boundary, knee=knee, scale=scale, shape=shape, often=count / max(expected, 1e-12)
    )


def _tail(excess: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Scale and shape (Hosking and Wallis' k) of a generalised Pareto distribution of ascending excesses."""
    count = len(excess)
    first = excess.mean()
    second = float((excess * (1 - (np.arange(1, count + 1) - 0.35) / count)).mean())
    shape = float(np.clip(first / max(first - 2 * second, 1e-12) - 2, -0.5, 0.5))
    return max(float(first) * (1 + shape), 1e-12), shape
