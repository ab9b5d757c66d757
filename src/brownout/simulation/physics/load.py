"""Load over days and weeks, and the noise on it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from brownout.simulation.physics.draws import Array, Draws

__all__ = ["Array", "ar1", "bursts", "working_day"]

HOURS = (0, 3, 7.5, 9.5, 11.8, 12.6, 13.6, 15.5, 17.5, 19.5, 22, 24)
WEEKDAY = (0.12, 0.10, 0.16, 0.92, 1.00, 0.70, 0.88, 0.97, 0.75, 0.32, 0.17, 0.12)
"""Ramp until 09:30, a lunch dip of about 30 %, a second plateau, decay until 19:30; nights at 10 to 20 %."""
WEEKEND_SHARE = 0.3


def working_day(times: npt.NDArray[np.datetime64]) -> Array:
    """Share of the peak load by UTC time, ``[time]``: a double hump on weekdays, 30 % of it at weekends."""
    seconds = times.astype("datetime64[s]").astype(np.int64)
    level = np.interp(seconds % 86_400 / 3600, HOURS, WEEKDAY)
    weekday = (seconds // 86_400 + 3) % 7  # 1970-01-01 was a Thursday
    share: Array = np.where(weekday >= 5, WEEKEND_SHARE * level + 0.06, level)
    return share


def ar1(rng: Draws, shape: Sequence[int], *, steps: float) -> Array:
    """Standard normal noise along the last axis whose autocorrelation falls to 1/e after ``steps``."""
    phi = float(np.exp(-1 / max(steps, 1e-3)))
    white = rng.standard_normal(tuple(shape))
    begun = rng.carried(False)
    if not begun[0]:
        white[..., 0] /= np.sqrt(1 - phi**2)  # start in the stationary distribution
        begun[0] = True
    return rng.filtered([np.sqrt(1 - phi**2)], [1, -phi], white)


def bursts(rng: Draws, shape: Sequence[int], *, rate: float, steps: float) -> Array:
    """Bursts of log-normal size at a rate a slot (compound Poisson), each decaying over ``steps`` slots."""
    shots = rng.poisson(rate, tuple(shape)) * rng.lognormal(0, 0.7, tuple(shape))
    decay = float(np.exp(-1 / max(steps, 1e-3)))
    return rng.filtered([1], [1, -decay], shots)
