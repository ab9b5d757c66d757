"""Views of a metric: how unusual a slot is in several respects, each in units of the usual spread of the series."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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

__all__ = ["CAP", "VIEWS", "views"]

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


@dataclass(frozen=True, slots=True, eq=False)
class _Scale:
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
        scaled = residuals[:, self.axis.sampled_before_start :] / self.axis.at_each_slot(usual)
        scaled *= np.where(scaled > 0, self.up, self.down)
        return self.unfold(np.clip(scaled, -CAP, CAP, out=scaled))

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
    values = np.moveaxis(panel.values, 1, 2).reshape(len(panel.entities) * len(panel.metrics), slots)
    scale, sums, ends = _scale_of(panel, values, axis), RollingSums.of(values), axis.sampled
    quarter, half, hour, three = (
        whole_slots(seconds, panel.interval_s, least=least) for seconds, least in (QUARTER, HALF, HOUR, THREE_HOURS)
    )
    blocks = sums.block_means(axis.block_slots)
    expectations = [at_sampled_slots(expectation, axis) for expectation in seasonal_levels(blocks, axis)]
    usual = np.where(np.isnan(expectations[0]), expectations[2], expectations[0])
    sample, hourly = np.take(values, ends, axis=1), sums.trimmed_mean(hour, ends)
    yield "sample", scale.in_spreads(sample - usual, scale.least)
    yield "level", scale.in_spreads(sums.mean(quarter, ends) - usual, scale.least)
    yield "hour", scale.in_spreads(_nearest(hourly, expectations), scale.least)
    yield "change", scale.in_spreads(sample - sums.mean(quarter, ends - 1), scale.least)
    yield "drift", scale.in_spreads(sample - sums.mean(hour, ends - 1), scale.least)
    yield "step", scale.in_spreads(sums.mean(half, ends) - sums.mean(half, ends - half), scale.least)
    yield "volatility", _volatility(sums, hour, scale)
    yield "volatility_3h", _volatility(sums, three, scale)
    every, some = np.arange(slots), np.arange(0, slots, axis.sampling_step)
    least, log_least = NOVEL_FLOOR * scale.least, np.full_like(scale.least, NOVEL_FLOOR * LOG_FLOOR)
    distance = distance_to_nearest(sample, values, every, axis)
    yield "novelty", scale.in_spreads(distance, least)
    distance = distance_to_nearest(sums.mean(three, ends), sums.mean(three, some), some, axis)
    yield "novelty_3h", scale.in_spreads(distance, least)
    distance = distance_to_nearest(scale.log_std(sums, hour, ends), scale.log_std(sums, hour, some), some, axis)
    yield "volatility_novelty", scale.in_spreads(distance, log_least)
    yield "record", scale.unfold(beyond_record(values, axis.at_each_slot(scale.least), start))


def _volatility(sums: RollingSums, width: int, scale: _Scale) -> Float:
    """How much more or less than usual at this time of day a series varies, by the logarithm.

    What is usual is taken from the windows at the ends of blocks.
    """
    axis, slots = scale.axis, sums.values.shape[1]
    ends = np.minimum(np.arange(axis.block_slots, slots + axis.block_slots, axis.block_slots), slots) - 1
    usual = usual_at_this_time(scale.log_std(sums, width, ends), axis)
    here = scale.log_std(sums, width, axis.sampled)
    return scale.in_spreads(here - at_sampled_slots(usual, axis), np.full_like(scale.least, LOG_FLOOR))


def _scale_of(panel: Panel, values: Float, axis: TimeAxis) -> _Scale:
    """The scale of the series ``values`` of a panel."""
    lowest, low, middle, high, highest = history_quantiles(values, (0.01, 0.05, 0.5, 0.95, 0.99), axis)
    ranged = np.nan_to_num(np.fmax((high - low) / 3.29, (highest - lowest) / 10), nan=1.0)
    entities = len(panel.entities)
    stated = _per_series(np.array([shipped_catalogue().detection_floor(metric) for metric in panel.metrics]), entities)
    floor = np.fmax(np.fmax(FLOOR * np.abs(np.nan_to_num(middle)), RANGE_FLOOR * ranged), stated) + 1e-6
    up = np.array([BENIGN if metric.worse is Worse.DOWN else 1.0 for metric in panel.metrics])
    down = np.array([BENIGN if metric.worse is Worse.UP else 1.0 for metric in panel.metrics])
    return _Scale(
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
