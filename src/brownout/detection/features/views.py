"""Views of a metric: how unusual a slot is in several respects, each in units of the usual spread of the series."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from brownout.detection.baseline.seasonal_baseline import (
    at_sampled_slots,
    beyond_record,
    distance_to_nearest,
    history_quantiles,
    seasonal_levels,
    usual_at_this_time,
    usual_spread,
)
from brownout.detection.baseline.time_blocks import TimeAxis
from brownout.domain.metrics import Worse, shipped_catalogue
from brownout.domain.panel import Float, Panel
from brownout.numerics.arrays import Index
from brownout.numerics.rolling import RollingSums
from brownout.numerics.slots import whole_slots

__all__ = [
    "CAP",
    "LOG_FLOOR",
    "VIEWS",
    "Scale",
    "Windows",
    "known_values",
    "plain_residuals",
    "residual_views",
    "scale_of",
    "series_of",
    "views",
]

VIEWS = (
    "sample",
    "level",
    "hour",
    "change",
    "drift",
    "step",
    "volatility",
    "volatility_3h",
    "novelty",
    "novelty_3h",
    "volatility_novelty",
    "record",
)
"""Names of the views, in the order of ``views``:

``sample``
    The sample, against the same time of day on the last days.
``level``
    The mean of a quarter of an hour, against the same.
``hour``
    The mean of an hour without its highest and lowest sample, against whichever expectation comes nearest.
``change``, ``drift``
    The sample against the mean of the quarter of an hour, and of the hour, before.
``step``
    The mean of the last half hour against that of the half hour before.
``volatility``, ``volatility_3h``
    Logarithm of the standard deviation within an hour, and three hours, against the same time on the last days.
``novelty``, ``novelty_3h``, ``volatility_novelty``
    Distance to the nearest value ever measured: of the sample, of the mean of three hours, and of the logarithm of the
    standard deviation within an hour.
``record``
    How far a value lies beyond all earlier ones.
"""
FLOOR = 0.02
"""Least spread as a share of the level: movements of 2 % are nobody's incident."""
RANGE_FLOOR = 0.05
"""Least spread as a share of the range that the series usually moves in."""
LOG_FLOOR = 0.15
"""Least spread of the logarithm of a standard deviation."""
NOVEL_FLOOR = 0.2
"""Least usual distance to the nearest earlier value, as a share of the least spread."""
BENIGN = 0.3
"""Weight of a deviation in the direction that is not worse."""
CAP = 1000.0
"""Largest deviation in spreads: beyond it, more says nothing further."""
QUARTER, HALF, HOUR, THREE_HOURS = (900, 3), (1800, 6), (3600, 12), (10_800, 36)
"""Windows: seconds, and the least number of slots."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Widths of windows in slots: a quarter of an hour, half an hour, an hour and three hours."""

    quarter: int
    half: int
    hour: int
    three: int

    @classmethod
    def of(cls, interval_s: int) -> Self:
        """At an interval; each has a least number of slots."""
        spans = (QUARTER, HALF, HOUR, THREE_HOURS)
        return cls(*(whole_slots(seconds, interval_s, least=least) for seconds, least in spans))


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """The units that residuals of series are stated in.

    ``floor`` and ``range [series, renewal]`` are the least spread of a value and the usual range of the series, ``up``
    and ``down [series, 1]`` the weights of deviations upwards and downwards, ``shape`` the numbers of entities and
    metrics that the series were made from.
    """

    axis: TimeAxis
    shape: tuple[int, int]
    floor: Float
    range: Float
    up: Float
    down: Float

    def in_spreads(self, residuals: Float, floor: Float) -> Float:
        """Residuals ``[series, sampled slot]`` in usual spreads from ``start`` on, weighted by direction and capped."""
        usual = np.fmax(usual_spread(residuals, self.axis), floor)
        return self.weighted(residuals[:, self.axis.sampled_before_start :] / self.axis.at_each_slot(usual))

    def weighted(self, scaled: Float) -> Float:
        """Deviations ``[series, slot]`` weighted by direction and capped; the array given is worked on."""
        scaled *= np.where(scaled > 0, self.up, self.down)
        np.minimum(scaled, CAP, out=scaled)
        return self.unfold(np.maximum(scaled, -CAP, out=scaled))

    def unfold(self, series: Float) -> Float:
        """Series as ``[entity, time, metric]``."""
        return np.moveaxis(series.reshape(*self.shape, series.shape[1]), 1, 2)

    def log_std(self, sums: RollingSums, width: int, ends: Index) -> Float:
        """Logarithm of the standard deviation in the windows of ``width`` slots that end at ``ends``."""
        least = RANGE_FLOOR * self.range[:, ends // self.axis.renewal_slots] + 1e-9
        log_std: Float = np.log(sums.std(width, ends) + least)
        return log_std

    @property
    def least(self) -> Float:
        """``floor`` from the first renewal due on."""
        return self.floor[:, self.axis.first_renewal :]


def views(panel: Panel, start: int = 0) -> Iterator[tuple[str, Float]]:
    """Names and signed deviations ``[entity, time, metric]`` of all views, for slots from ``start`` on; NaN = unknown.

    A deviation in the direction that is not worse counts less. A slot is compared with earlier ones only.
    """
    slots = panel.values.shape[1]
    if not panel.values.size:
        nothing = np.empty((len(panel.entities), slots - start, len(panel.metrics)), np.float32)
        yield from ((name, nothing) for name in VIEWS)
        return
    axis = TimeAxis(slots, panel.interval_s, start)
    values = series_of(panel)
    scale = scale_of(panel, values, axis)
    for name, residuals, floor in residual_views(values, RollingSums.of(values), scale):
        yield name, scale.in_spreads(residuals, floor)
    yield "record", scale.unfold(beyond_record(values, axis.at_each_slot(scale.least), start))


def series_of(panel: Panel) -> Float:
    """Values ``[series, slot]``: all metrics of the first entity, then those of the next one."""
    return np.moveaxis(panel.values, 1, 2).reshape(-1, panel.values.shape[1])


def residual_views(values: Float, sums: RollingSums, scale: Scale) -> Iterator[tuple[str, Float, Float]]:
    """Name, residuals ``[series, sampled slot]`` and least spread of each view but the record, in their order."""
    axis, least = scale.axis, scale.least
    ends, windows = axis.sampled, Windows.of(axis.interval_s)
    blocks = sums.block_means(axis.block_slots)
    expectations = [at_sampled_slots(expectation, axis) for expectation in seasonal_levels(blocks, axis)]
    yield from ((name, found, least) for name, found in plain_residuals(sums, windows, expectations, ends))
    volatility = scale.log_std(sums, windows.hour, ends)
    for name, width in (("volatility", windows.hour), ("volatility_3h", windows.three)):
        now = volatility if width == windows.hour else scale.log_std(sums, width, ends)
        usual = at_sampled_slots(usual_at_this_time(scale.log_std(sums, width, axis.block_ends), axis), axis)
        yield name, now - usual, np.full_like(least, LOG_FLOOR)
    for name, (known, slots) in known_values(values, sums, scale).items():
        if name == "volatility_novelty":
            asked, floor = volatility, np.full_like(least, NOVEL_FLOOR * LOG_FLOOR)
        else:
            asked, floor = sums.mean(windows.three if name == "novelty_3h" else 1, ends), NOVEL_FLOOR * least
        yield name, distance_to_nearest(asked, known, slots, axis), floor


def plain_residuals(
    sums: RollingSums, windows: Windows, expectations: Sequence[Float], ends: Index
) -> Iterator[tuple[str, Float]]:
    """Residuals of the views that need only sums over windows that end at ``ends``, and what is expected there.

    ``expectations`` are those of ``seasonal_levels``, each ``[series, end]``.
    """
    sample = np.take(sums.values, ends, axis=1)
    usual = np.where(np.isnan(expectations[0]), expectations[2], expectations[0])
    yield "sample", sample - usual
    yield "level", sums.mean(windows.quarter, ends) - usual
    yield "hour", _nearest(sums.trimmed_mean(windows.hour, ends), expectations)
    yield "change", sample - sums.mean(windows.quarter, ends - 1)
    yield "drift", sample - sums.mean(windows.hour, ends - 1)
    yield "step", sums.mean(windows.half, ends) - sums.mean(windows.half, ends - windows.half)


def known_values(values: Float, sums: RollingSums, scale: Scale) -> dict[str, tuple[Float, Index]]:
    """What each view of novelty compares with: values ``[series, k]`` and their slots, in order of time."""
    axis, windows = scale.axis, Windows.of(scale.axis.interval_s)
    some = np.arange(0, axis.slots, axis.sampling_step)
    return {
        "novelty": (values, np.arange(axis.slots)),
        "novelty_3h": (sums.mean(windows.three, some), some),
        "volatility_novelty": (scale.log_std(sums, windows.hour, some), some),
    }


def scale_of(panel: Panel, values: Float, axis: TimeAxis) -> Scale:
    """The scale of the series ``values`` of a panel."""
    lowest, low, middle, high, highest = history_quantiles(values, (0.01, 0.05, 0.5, 0.95, 0.99), axis)
    ranged = np.nan_to_num(np.fmax((high - low) / 3.29, (highest - lowest) / 10), nan=1.0)
    entities = len(panel.entities)
    stated = _per_series(np.array([shipped_catalogue().detection_floor(metric) for metric in panel.metrics]), entities)
    floor = np.fmax(np.fmax(FLOOR * np.abs(np.nan_to_num(middle)), RANGE_FLOOR * ranged), stated) + 1e-6
    up = np.array([BENIGN if metric.worse is Worse.DOWN else 1.0 for metric in panel.metrics])
    down = np.array([BENIGN if metric.worse is Worse.UP else 1.0 for metric in panel.metrics])
    return Scale(
        axis,
        (entities, len(panel.metrics)),
        floor.astype(np.float32),
        ranged.astype(np.float32),
        _per_series(up, entities),
        _per_series(down, entities),
    )


def _per_series(by_metric: npt.NDArray[np.float64], entities: int) -> Float:
    """A value of each metric as ``[series, 1]``."""
    return np.tile(by_metric, entities).astype(np.float32)[:, None]


def _nearest(values: Float, expectations: Sequence[Float]) -> Float:
    """Signed distance to the expectation that comes nearest."""
    nearest = values - expectations[0]
    for expectation in expectations[1:]:
        distance = values - expectation
        closer = np.isnan(nearest) | (np.abs(distance) < np.abs(nearest))
        nearest = np.where(closer, distance, nearest)
    return nearest
