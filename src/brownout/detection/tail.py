"""The tail of peaks: how often they reach how far, beyond the farthest that were seen too."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import genpareto

__all__ = ["Tail", "fit_tail"]

HIGHEST = 50
"""Highest peaks that make the tail that is extrapolated."""
LEAST = 10
"""Peaks below which there is no tail."""


@dataclass(frozen=True, kw_only=True)
class Tail:
    """A generalised Pareto distribution of the peaks beyond the knee, of which there were ``peaks``.

    ``shape`` is Hosking and Wallis' k: positive = the tail ends somewhere.
    """

    knee: float
    scale: float
    shape: float
    peaks: float

    def beyond(self, level: float) -> float:
        """How many peaks lie beyond a level; below the knee as many as beyond the knee."""
        # genpareto's c is minus Hosking and Wallis' k.
        return self.peaks * float(genpareto.sf(max(level - self.knee, 0.0), -self.shape, scale=self.scale))

    def level(self, expected: float) -> float:
        """The level that so many peaks lie beyond, no more than there are beyond the knee."""
        share = min(expected / self.peaks, 1.0)
        return self.knee + float(genpareto.isf(share, -self.shape, scale=self.scale))


def fit_tail(ordered: npt.NDArray[np.float64]) -> Tail | None:
    """Tail of peaks in descending order; None where they are too few.

    Fitted by probability-weighted moments (Hosking and Wallis 1987), which do not diverge on small samples.
    """
    count = min(HIGHEST, len(ordered) // 2)
    if count < LEAST:
        return None
    knee = float(ordered[count])
    excess = ordered[:count][::-1] - knee
    first = float(excess.mean())
    second = float((excess * (1 - (np.arange(1, count + 1) - 0.35) / count)).mean())
    shape = float(np.clip(first / max(first - 2 * second, 1e-12) - 2, -0.5, 0.5))
    return Tail(knee=knee, scale=max(first * (1 + shape), 1e-12), shape=shape, peaks=float(count))
