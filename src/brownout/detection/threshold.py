"""The alarm boundary: where scores of ordinary days end, at a stated rate of alarms."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import genpareto

__all__ = ["Threshold", "fit_threshold"]

TAIL = 0.98
"""Scores above this quantile make the tail that is extrapolated."""


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """Raw scores are mapped so that ``centre`` becomes 0 and ``boundary`` 1."""

    centre: float
    boundary: float

    def apply(self, raw: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Scores: 1.0 = the boundary, higher = more abnormal."""
        width = max(self.boundary - self.centre, 1e-9)
        scores: npt.NDArray[np.float32] = ((raw - self.centre) / width).astype(np.float32)
        return scores


def fit_threshold(raw: npt.NDArray[np.float32], rate: float) -> Threshold:
    """Boundary that a share ``rate`` of ordinary scores exceeds: a generalised Pareto tail above the 98 % quantile.

    The tail is fitted by probability-weighted moments (Hosking and Wallis 1987), which do not diverge on small samples.
    """
    raw = raw[np.isfinite(raw)]
    centre, knee = (float(q) for q in np.quantile(raw, [0.5, TAIL]))
    excess = np.sort(raw[raw > knee] - knee).astype(np.float64)
    share = len(excess) / max(len(raw), 1)
    if len(excess) < 20 or rate >= share:
        return Threshold(centre=centre, boundary=float(np.quantile(raw, 1 - min(rate, 0.5))))
    first = excess.mean()
    second = float((excess * (1 - (np.arange(1, len(excess) + 1) - 0.35) / len(excess))).mean())
    shape = float(np.clip(first / max(first - 2 * second, 1e-12) - 2, -0.5, 0.5))
    scale = first * (1 + shape)
    # genpareto's c is minus Hosking and Wallis' k.
    beyond = float(genpareto.isf(rate / share, -shape, scale=max(scale, 1e-12)))
    return Threshold(centre=centre, boundary=max(knee + beyond, centre + 1e-6))
