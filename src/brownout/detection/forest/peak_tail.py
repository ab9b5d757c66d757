"""The tail of a distribution of peaks: how often peaks reach which height, also beyond the highest one measured."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import genpareto

__all__ = ["Tail", "fit_tail"]

HIGHEST = 50
"""Most peaks, the highest ones, that the tail is fitted to."""
LEAST = 10
"""Least number of peaks that a tail is fitted to."""


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
        """Expected number of peaks beyond a level: those measured, or those of the fitted tail where they are more.

        The fit does not follow a few incidents far beyond many normal peaks. Below the knee all peaks count.
        """
        # genpareto's c is minus Hosking and Wallis' k.
        share = float(genpareto.sf(max(level - self.knee, 0.0), -self.shape, scale=self.scale))
        return max(len(self.highest) * share, sum(peak > level for peak in self.highest))

    def level(self, expected: float) -> float:
        """The level beyond which the tail expects so many peaks, at most as many as it was fitted to."""
        share = min(expected / len(self.highest), 1.0)
        return self.knee + float(genpareto.isf(share, -self.shape, scale=self.scale))


def fit_tail(ordered: npt.NDArray[np.float64]) -> Tail | None:
    """Tail of peaks given in descending order; None where there are too few.

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
