"""Forecasts, and the breaches of limits predicted from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from brownout.domain.encoding import Instant, MetricResult, Number, Seconds
from brownout.domain.errors import DataError
from brownout.domain.panel import Float, Times

__all__ = ["LOCAL_TREND", "QUANTILES", "Breach", "Driver", "Forecasts", "Odds", "Series", "Skill"]

QUANTILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
LOCAL_TREND = "local-trend"
"""Maker of forecasts by a trend that is going on: used only where it beat the forecaster over its last hours."""


@dataclass(frozen=True, slots=True, order=True)
class Series(MetricResult):
    """One metric of one entity.

    Attributes
    ----------
    entity
        Id of the entity.
    metric
        Name of the metric.
    """

    entity: str
    metric: str


@dataclass(frozen=True, slots=True)
class Odds:
    """Correction of the chance to cross a limit, learned from how chances turned out in held-out windows.

    ``miss_rate`` is the chance that a limit is crossed within the horizon although no forecast shows it,
    ``false_alarm_rate`` that it is not although every forecast does; ``intercept`` and ``slope`` are applied to the
    log-odds between them.
    ``limit`` is the one that they were learned for, None for any: they hold for no other limit.
    ``when`` is the share of the crossings that no forecast shows which come by the middle of each step of the horizon,
    the last one 1; None where they come evenly.
    """

    miss_rate: float = 0.0
    false_alarm_rate: float = 0.0
    intercept: float = 0.0
    slope: float = 1.0
    limit: float | None = None
    when: tuple[float, ...] | None = None

    def speaks_of(self, limit: float) -> bool:
        """Whether the odds hold for a limit."""
        return self.limit is None or self.limit == limit

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Self:
        """Build from what a model's card says; cards of version 0.1 called the two rates surprise and lapse."""
        former = {"surprise": "miss_rate", "lapse": "false_alarm_rate"}
        return cls(**{former.get(key, key): value for key, value in table.items()})


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
class Skill(MetricResult):
    """How a forecaster did on held-out windows, beside seasonal-naive on the same windows.

    Attributes
    ----------
    metric
        Name of the metric; empty for all together.
    maker
        Who forecasts it.
    windows
        How many windows were kept from training.
    mase
        Mean absolute scaled error as a ratio to that of seasonal-naive; below 1 is better.
    crps
        Continuous ranked probability score as a ratio to that of seasonal-naive; below 1 is better.
    coverage
        Share of values inside the 10–90 % band; 0.8 when calibrated.
    note
        What is special about the choice of the forecaster.
    coverage_50
        Share of values inside the 50 % interval.
    coverage_90
        Share of values inside the 90 % interval; NaN where a classical forecaster predicts a part.
    brier
        Mean squared error of the chance to cross the limit; NaN without a limit.
    brier_base
        The same for always giving the share of windows that crossed in the days before, which is known.
    quarters
        The CRPS ratio of each forecaster on each quarter of the horizon, by its name.
    bins
        For chances from 0 to 0.1, …, from 0.9 to 1: how many windows, the sum of their chances, how many crossed.
    """

    metric: str
    maker: str
    windows: int
    mase: Number
    crps: Number
    coverage: Number
    note: str = ""
    coverage_50: Number = float("nan")
    coverage_90: Number = float("nan")
    brier: Number = float("nan")
    brier_base: Number = float("nan")
    quarters: tuple[tuple[str, tuple[Number, ...]], ...] = ()
    bins: tuple[tuple[Number, Number, Number], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver(MetricResult):
    """A resource whose forecast drives a predicted breach of console latency.

    Attributes
    ----------
    entity
        The guest or host it belongs to.
    resource
        Family of the metric: cpu, memory, disk or network.
    metric
        The metric of the resource that adds most.
    share
        How much of the rise of the latency it makes, 0 … 1; what the shares of a breach leave to 1 no load explains.
    added
        That share in the unit of the limit, which is ms: how much slower the console is by it; NaN where unknown.
    forecast
        Level of the metric when the breach is likely.
    usual
        Median of the last days, at that hour or, with ``daily``, over all hours.
    daily
        Whether the metric is as high at that time every day.
    """

    entity: str
    resource: str
    metric: str
    share: Number
    added: Number = float("nan")
    forecast: Number
    usual: Number
    daily: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach(MetricResult):
    """A limit that a series is forecast to cross, or is beyond already and will probably still be.

    Attributes
    ----------
    series
        The metric and the entity that it is of.
    limit
        The line whose crossing is the breach.
    probability
        Chance that the limit is crossed at least once within the horizon.
    earliest
        When it has been crossed in 10 % of the cases in which it is within the horizon.
    likely
        When it has been crossed in half of them.
    latest
        When it has been crossed in 90 % of them; None, as the others, where it is never crossed.
    duration_s
        Expected time beyond the limit within the horizon, in seconds.
    horizon_s
        How far ahead was looked, in seconds.
    now
        Last measured value; NaN where there is none.
    maker
        Which forecaster predicts it.
    exceeded
        Whether ``now`` is beyond the limit already: then it is no warning, and what is forecast is how long it lasts.
    drivers
        What drives it, the largest share first; None where that was not asked, empty where no load does.
    """

    series: Series
    limit: Number
    probability: Number
    earliest: Instant | None
    likely: Instant | None
    latest: Instant | None
    duration_s: Seconds
    horizon_s: Seconds
    now: Number
    maker: str
    exceeded: bool = False
    drivers: tuple[Driver, ...] | None = None
