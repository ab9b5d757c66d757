"""Daily deciles: the distribution of a series at each time of the day, for horizons where the last value is no use."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from brownout.domain.panel import Float
from brownout.forecasting.baselines.classical import Classical
from brownout.forecasting.baselines.naive import deciles, last_values

__all__ = ["DailyDeciles"]

MEMORY = 27
"""Seasons that are read, beside the first."""


@dataclass(frozen=True)
class DailyDeciles(Classical):
    """Deciles of the values at the same time of the days before; the last value where there are none."""

    season: int | None = None
    memory: int = MEMORY
    name: ClassVar[str] = "usual"

    def paths(self, past: Float, season: int, horizon: int) -> Float:
        """Quantile paths after a past."""
        days = -(-past.shape[1] // season)
        padded = np.full((len(past), days * season), np.nan, np.float32)
        padded[:, days * season - past.shape[1] :] = past
        folded = padded.reshape(len(past), days, season).transpose(0, 2, 1)
        known = np.asarray(np.isfinite(folded).any(axis=2))[..., None]
        by_phase = deciles(folded.reshape(-1, days)).reshape(len(past), season, -1)
        day = np.where(known, by_phase, last_values(past)[:, None, None])
        return day[:, np.arange(horizon) % season]
