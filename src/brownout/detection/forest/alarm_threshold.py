"""The alarm boundary: the score that normal days exceed only at a stated rate."""

from dataclasses import dataclass

import numpy as np

from brownout.detection.forest.peak_tail import fit_tail
from brownout.domain.errors import DataError
from brownout.domain.panel import Float

__all__ = ["Threshold", "fit_threshold"]


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """Maps raw scores so that ``centre`` becomes 0 and ``boundary`` becomes 1."""

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
        """The raw score that is mapped to a score."""
        return self.centre + score * max(self.boundary - self.centre, 1e-9)


def fit_threshold(levels: Float, peaks: Float, expected: float) -> Threshold:
    """Threshold that ``expected`` of the given peaks of normal days exceed; the median of the levels becomes 0.

    Beyond the highest peaks it is extrapolated by their tail. Without any level there is no threshold: DataError.
    """
    if not len(levels):
        msg = "No level of a normal period was measured to set an alarm boundary from."
        raise DataError(msg, remedy="Learn from entities that were measured for longer.")
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
