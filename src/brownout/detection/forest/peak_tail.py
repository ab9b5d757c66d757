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
    """A generalised Pareto distribution of the peaks beyond the knee.

    ``shape`` is Hosking and Wallis' k: positive = the tail ends somewhere. ``highest`` are the peaks that it was fitted
    to, highest first.
    """

    knee: float
    scale: float
    shape: float
    highest: tuple[float, ...]

    def beyond(self, level: float) -> float:
        """How many peaks lie beyond a level: those that were seen, or the tail's where these are more.

        A few incidents far beyond a crowd of ordinary peaks are none of the tail's. Below the knee it is all of them.
        """
        # genpareto's c is minus Hosking and Wallis' k.
        share = float(genpareto.sf(max(level - self.knee, 0.0), -self.shape, scale=self.scale))
        return max(len(self.highest) * share, sum(peak > level for peak in self.highest))

    def level(self, expected: float) -> float:
        """The level that the tail has so many peaks beyond, no more than were seen."""
        share = min(expected / len(self.highest), 1.0)
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
    return Tail(knee=knee, scale=max(first * (1 + shape), 1e-12), shape=shape, highest=tuple(ordered[:count].tolist()))
