"""The optional parts of forecasting by name: each can be switched off, by a site or to measure what it is worth."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from brownout.domain.errors import SettingsError

__all__ = ["ALL_PARTS", "ForecastParts", "Part"]


class Part(StrEnum):
    """Everything that forecasts can do without; a classical forecaster has its own name."""

    AUTOCORRELATION = "autocorrelation"
    """Autocorrelation of neighbouring steps by metric, for the chance to cross a limit at any of them."""
    CALIBRATION = "calibration"
    """Widths of the LSTM's and the outlook's quantiles from held-out windows."""
    CONTINUITY = "continuity"
    """Forecasts go on from the last value, and from one quarter of the horizon to the next, without a jump."""
    COVARIATES = "covariates"
    """Console latency by the forecast loads of guest and host."""
    EXCEEDANCE_CORRECTION = "exceedance-correction"
    """Correction of the chances to cross a limit."""
    LOCAL_TREND = "local-trend"
    """Trends that have run for hours or days, where they did better over their last part."""
    MEDIAN = "median"
    NAIVE = "naive"
    ONE_OFFS = "one-offs"
    """Incidents that are over and do not return are left out of what is forecast from."""
    OPEN_EXCURSIONS = "open-excursions"
    """What is far worse than usual now goes on for as long as the like of it did."""
    OUTLOOK = "outlook"
    """Weeks ahead on wide slots."""
    ROLLING_CALIBRATION = "rolling-calibration"
    """Widths from what came of the forecasts of the last days."""
    SIBLINGS = "siblings"
    """Forecasts of similar entities for what has less than a day of past."""
    SMOOTHING = "smoothing"
    TREND = "trend"
    USUAL = "usual"
    WEEKLY_NAIVE = "weekly-naive"


@dataclass(frozen=True, slots=True)
class ForecastParts:
    """Which parts are switched off; by default none."""

    off: frozenset[Part] = frozenset()

    @classmethod
    def without(cls, names: Iterable[str]) -> Self:
        """All parts but those named; raises SettingsError for a name that is none."""
        names = tuple(names)
        unknown = sorted(set(names) - set(Part))
        if unknown:
            msg = f"{', '.join(unknown)} is no part of forecasting that can be switched off."
            raise SettingsError(msg, remedy=f"Parts are: {', '.join(sorted(Part))}.")
        return cls(frozenset(Part(name) for name in names))

    def has(self, part: Part) -> bool:
        """Whether a part is on."""
        return part not in self.off

    def named(self, name: str) -> bool:
        """Whether a forecaster of a name is on; one that is no part always is."""
        return name not in self.off


ALL_PARTS = ForecastParts()
"""Nothing is switched off."""
