"""The alarm boundary: the score that normal days exceed only at a stated rate."""

from dataclasses import dataclass

import numpy as np

from brownout.detection.forest.peak_tail import fit_tail
from brownout.domain.errors import DataError
from brownout.domain.panel import Float

__all__ = ["Threshold", "fit_threshold", "robust_line"]

BODY = (0.5, 0.9)
"""Quantiles of the peaks that faults do not reach: on a small fleet they can hold a peak in twenty."""
LEAST_PEAKS = 40
"""Peaks from which on these quantiles are known."""


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


def robust_line(peaks: Float, expected: float) -> float:
    """The level that ``expected`` of the peaks would exceed if all were healthy; infinite where too few are known.

    Extrapolated from the median and the 90 % quantile as an exponential tail: faults among the peaks, which are fewer
    than a tenth, do not raise it.
    """
    known = peaks[np.isfinite(peaks)].astype(np.float64)
    if len(known) < LEAST_PEAKS:
        return float("inf")
    low, high = np.quantile(known, BODY)
    begin, end = (-np.log(1 - level) for level in BODY)
    wanted = np.log(len(known) / max(expected, 1e-9))
    return float(low + (high - low) * (max(wanted, begin) - begin) / (end - begin))
