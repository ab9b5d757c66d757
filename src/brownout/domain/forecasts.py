"""Forecasts, and the breaches of limits predicted from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from brownout.domain.errors import DataError
from brownout.domain.panel import Float, Times

__all__ = ["QUANTILES", "Breach", "Driver", "Forecasts", "Odds", "Series", "Skill"]

QUANTILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """One metric of one entity."""

    entity: str
    metric: str


@dataclass(frozen=True, slots=True)
class Odds:
    """Correction of the chance to cross a limit, learned from how chances turned out in held-out windows.

    ``miss_rate`` is the chance that a limit is crossed within the horizon although no forecast shows it,
    ``false_alarm_rate`` that it is not although every forecast does; ``intercept`` and ``slope`` are applied to the
    log-odds between them.
    ``limit`` is the one that they were learned for, None for any: they hold for no other limit.
    """

    miss_rate: float = 0.0
    false_alarm_rate: float = 0.0
    intercept: float = 0.0
    slope: float = 1.0
    limit: float | None = None

    def speaks_of(self, limit: float) -> bool:
        """Whether the odds hold for a limit."""
        return self.limit is None or self.limit == limit


@dataclass(frozen=True, slots=True, eq=False)
class Forecasts:
    """Quantile paths of many series, each from its own origin.

    Attributes
    ----------
    series
        One a row; a series may stand in several rows with different origins.
    origins
        ``datetime64[ms] [row]``: time of the last slot seen; the first predicted slot is one interval later.
    values
        float32 ``[row, step, quantile]``, never decreasing along the last axis.
    makers
        Name of the model that made each row, e.g. ``lstm`` or ``seasonal-naive``.
    persistence
        Autocorrelation of neighbouring steps of each row, 0 … 1 (the AR(1) coefficient of ranks); None where unknown.
    odds
        Correction of each row's chance to cross a limit; None where unknown.
    outer
        The 5 % and 95 % quantiles, which bound the 90 % interval: float32 ``[row, step, 2]``; None where unknown.
    """

    series: tuple[Series, ...]
    origins: Times
    interval_s: int
    values: Float
    makers: tuple[str, ...]
    quantiles: tuple[float, ...] = QUANTILES
    persistence: tuple[float, ...] | None = None
    odds: tuple[Odds, ...] | None = None
    outer: Float | None = None

    def __post_init__(self) -> None:
        rows = len(self.series)
        if self.values.ndim != 3 or self.values.shape[0] != rows or self.values.shape[2] != len(self.quantiles):
            msg = f"{rows} rows and {len(self.quantiles)} quantiles have values of shape {self.values.shape}."
            raise DataError(msg, remedy="Give values of shape [row, step, quantile].")
        if len(self.origins) != rows or len(self.makers) != rows:
            msg = f"{rows} rows have {len(self.origins)} origins and {len(self.makers)} makers."
            raise DataError(msg, remedy="Give one of each for every row.")

    @property
    def horizon(self) -> int:
        """Number of steps."""
        return int(self.values.shape[1])

    def times(self, row: int) -> Times:
        """Slot times of a row, ``datetime64[ms] [step]``."""
        step = np.timedelta64(self.interval_s * 1000, "ms")
        times: Times = self.origins[row] + step * np.arange(1, self.horizon + 1)
        return times

    def rows(self, indices: Sequence[int]) -> Self:
        """The rows of the given indices."""
        return type(self)(
            tuple(self.series[i] for i in indices),
            self.origins[list(indices)],
            self.interval_s,
            self.values[list(indices)],
            tuple(self.makers[i] for i in indices),
            self.quantiles,
            None if self.persistence is None else tuple(self.persistence[i] for i in indices),
            None if self.odds is None else tuple(self.odds[i] for i in indices),
            None if self.outer is None else self.outer[list(indices)],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """How a forecaster did on a backtest, beside seasonal-naive on the same windows.

    Attributes
    ----------
    mase, crps
        Ratios to seasonal-naive; below 1 = better.
    coverage, coverage_50, coverage_90
        Share of values inside the 10–90 % band, 0.8 when calibrated, and inside those of 50 and 90 %.
    brier, brier_base
        Mean squared error of the chance to cross the limit, and that of always giving the share of windows that cross.
    quarters
        CRPS of each forecaster on each quarter of the horizon, by its name.
    bins
        For chances from 0 to 0.1, …, from 0.9 to 1: how many windows, the sum of their chances, how many crossed.
    """

    metric: str
    maker: str
    windows: int
    mase: float
    crps: float
    coverage: float
    note: str = ""
    coverage_50: float = float("nan")
    coverage_90: float = float("nan")
    brier: float = float("nan")
    brier_base: float = float("nan")
    quarters: tuple[tuple[str, tuple[float, ...]], ...] = ()
    bins: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """A resource whose forecast drives a predicted breach of console latency.

    Attributes
    ----------
    entity
        The guest or host it belongs to.
    resource
        Family of the metric: cpu, memory, disk or network.
    metric
        The one of the resource that adds most.
    share
        How much of the rise of the latency it makes, 0 … 1; what the shares of a breach leave to 1 no load explains.
    forecast, usual
        Level of the metric when the breach is likely, and what it is compared with.
    daily
        Whether it is as high at that time every day: then ``usual`` is its median over all hours, else over that hour.
    """

    entity: str
    resource: str
    metric: str
    share: float
    forecast: float
    usual: float
    daily: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A limit that a series is forecast to cross.

    Attributes
    ----------
    probability
        Chance that the limit is crossed at least once within the horizon.
    earliest, likely, latest
        When the chance of having crossed reaches 10 %, 50 % and 90 %; None where it does not within the horizon.
    duration_s
        Expected time beyond the limit within the horizon, in seconds.
    now
        Last measured value, NaN where there is none.
    exceeded
        Whether that is beyond the limit already: then it is no warning, and what is forecast is how long it lasts.
    drivers
        What drives it, the largest share first; None where that was not asked, empty where no load does.
    """

    series: Series
    limit: float
    probability: float
    earliest: np.datetime64 | None
    likely: np.datetime64 | None
    latest: np.datetime64 | None
    duration_s: float
    horizon_s: float
    now: float
    maker: str
    exceeded: bool = False
    drivers: tuple[Driver, ...] | None = None
