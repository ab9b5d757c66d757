"""The alarm boundary: where scores of ordinary days end, at a stated rate of alarms."""

from dataclasses import dataclass

import numpy as np

from brownout.detection.forest.peak_tail import fit_tail
from brownout.domain.panel import Float

__all__ = ["Threshold", "fit_threshold"]


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """Raw scores are mapped so that ``centre`` becomes 0 and ``boundary`` 1."""

    centre: float
    boundary: float

    def farther(self, factor: float) -> "Threshold":
        """A boundary ``factor`` times as far from the centre."""
        return Threshold(centre=self.centre, boundary=self.centre + factor * (self.boundary - self.centre))

    def apply(self, raw: Float) -> Float:
        """Scores: 1.0 = the boundary, higher = more abnormal."""
        width = max(self.boundary - self.centre, 1e-9)
        scores: Float = ((raw - self.centre) / width).astype(np.float32)
        return scores

    def raw(self, score: float) -> float:
        """The raw score that became a score."""
        return self.centre + score * max(self.boundary - self.centre, 1e-9)


def fit_threshold(levels: Float, peaks: Float, expected: float) -> Threshold:
    """Boundary that ``expected`` of as many ordinary peaks exceed; the median of the levels becomes 0.

    Beyond the highest peaks it is extrapolated by their tail.
    """
    centre = float(np.median(levels))
    ordered = np.sort(peaks[np.isfinite(peaks)])[::-1].astype(np.float64)
    tail = fit_tail(ordered)
    if tail is None:
        boundary = float(np.max(levels))
    elif expected >= len(tail.highest):
        boundary = float(np.interp(min(expected, len(ordered) - 1), np.arange(len(ordered)), ordered))
    else:
        boundary = tail.level(expected)
    return Threshold(centre=centre, boundary=max(boundary, centre + 1e-6))
