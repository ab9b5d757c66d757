"""The shape of an episode: which kind of movement its leading metric made."""

import numpy as np

from brownout.domain.findings import Shape
from brownout.domain.panel import Float

__all__ = ["shape_of"]

SPIKE_SLOTS = 5
"""A movement of at most so many slots is a spike."""
GONE = 0.5
"""Share of slots without a value from which a metric has dropped out."""
FLAT = 0.05
"""Standard deviation as a share of the usual one, below which a metric has frozen."""
RAMP = 0.85
"""Correlation with time from which a movement is a ramp, unless much of it comes at once."""
AT_ONCE = 0.5
"""Share of the whole rise that, within a tenth of the episode, makes it a step."""
RETURNS = 3
"""Times that a metric must leave its usual range for its movement to count as bursts."""
REGULAR = 0.35
"""Spread of the distances between bursts, as a share of their mean, below which they are periodic."""


def shape_of(values: Float, before: Float, deviation: Float, line: float) -> Shape:
    """Shape of a movement: ``values [time]`` within, ``before [time]`` the day before, ``deviation [time]`` in spreads.

    ``line`` is the deviation from which a slot counts as moved.
    """
    seen = np.isfinite(values)
    if not seen.any() or seen.mean() < 1 - GONE:
        return Shape.DROPOUT
    within, usual = values[seen], before[np.isfinite(before)]
    if len(within) > SPIKE_SLOTS and len(usual) > SPIKE_SLOTS and np.std(within) < FLAT * np.std(usual):
        middle = abs(float(np.median(within)) - float(np.median(usual)))
        return Shape.FLAT if middle < np.std(usual) else Shape.STEP
    moved = np.abs(np.nan_to_num(deviation)) >= line
    starts = np.flatnonzero(np.diff(np.concatenate(([False], moved))) & moved)
    if moved.sum() <= SPIKE_SLOTS:
        return Shape.SPIKE
    if len(starts) >= RETURNS and moved.mean() < 0.8:
        distances = np.diff(starts)
        return Shape.PERIODIC if np.std(distances) < REGULAR * np.mean(distances) else Shape.BURST
    return _rise(within)


def _rise(values: Float) -> Shape:
    """Ramp or step: a ramp climbs all along, a step does most of its way at once."""
    smooth = np.convolve(values, np.ones(3) / 3, mode="valid") if len(values) > 5 else values
    tenth = max(len(smooth) // 10, 1)
    whole = float(np.ptp(smooth))
    at_once = float(np.abs(smooth[tenth:] - smooth[:-tenth]).max(initial=0.0))
    time = np.arange(len(smooth))
    steady = abs(float(np.corrcoef(time, smooth)[0, 1])) if whole > 0 else 0.0
    return Shape.RAMP if steady >= RAMP and at_once < AT_ONCE * whole else Shape.STEP
