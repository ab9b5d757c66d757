"""Views of a metric: what one slot looks like against its past, each in units of how far the series usually strays."""

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
"""Names in the order of :func:`views`:

``sample`` the sample, ``level`` the mean of a quarter of an hour, against the same time of the last days;
``hour`` the mean of an hour, without its highest and lowest sample, against whichever of the ways to expect comes
nearest; ``change`` the sample against the quarter of an hour before, ``drift`` against the hour before; ``step`` the
last half hour against the half hour before; ``volatility`` and ``volatility_3h`` the logarithm of the scatter within an hour and
three hours against the same time of the last days; ``novelty`` the distance to the nearest value ever measured,
``novelty_3h`` the same of means of three hours, ``volatility_novelty`` of the logarithm of the scatter within an hour; ``record`` how far
a value lies beyond all of them.
"""
FLOOR = 0.02
"""Least spread as a share of the level: movements of 2 % are nobody's incident."""
RANGE_FLOOR = 0.05
"""Least spread as a share of how far the series usually ranges."""
LOG_FLOOR = 0.15
"""Least spread of a logarithm of scatter."""
NOVEL_FLOOR = 0.2
"""Least usual distance to the nearest earlier value, as a share of the least spread."""
BENIGN = 0.3
"""Weight of a deviation in the direction that is not worse."""
CAP = 1000.0
"""Largest deviation in spreads: beyond it more is not more telling."""
QUARTER, HALF, HOUR, THREE_HOURS = (900, 3), (1800, 6), (3600, 12), (10_800, 36)
"""Windows in seconds, and the slots that they have at least."""


@dataclass(frozen=True, slots=True, eq=False)
class _Ruler:
    """What residuals of series are measured with.

    ``floor`` and ``range [series, renewal]`` are the least spread of a value and how far the series usually ranges;
    ``up`` and ``down [series, 1]`` the weights of the two directions; ``shape`` is that of entities and metrics.
    """

    axis: TimeAxis
    shape: tuple[int, int]
    floor: Float
    range: Float
    up: Float
    down: Float

    def measure(self, residuals: Float, floor: Float) -> Float:
        """Residuals ``[series, place]`` from ``start`` on in usual spreads, weighted by direction, capped."""
        usual = np.fmax(usual_spread(residuals, self.axis), floor)
        scaled = residuals[:, self.axis.sampled_before_start :] / self.axis.at_each_slot(usual)
        scaled *= np.where(scaled > 0, self.up, self.down)
        return self.unfold(np.clip(scaled, -CAP, CAP, out=scaled))

    def unfold(self, series: Float) -> Float:
        """Series as ``[entity, time, metric]``."""
        return np.moveaxis(series.reshape(*self.shape, series.shape[1]), 1, 2)

    def scatter(self, sums: RollingSums, width: int, ends: Index) -> Float:
        """Logarithm of the scatter in the windows of ``width`` slots that end at ``ends``."""
        least = RANGE_FLOOR * self.range[:, ends // self.axis.renewal_slots] + 1e-9
        scatter: Float = np.log(sums.std(width, ends) + least)
        return scatter

    @property
    def least(self) -> Float:
        """``floor`` at the renewals due."""
        return self.floor[:, self.axis.first_renewal :]


def views(panel: Panel, start: int = 0) -> Iterator[tuple[str, Float]]:
    """Signed deviations ``[entity, time, metric]`` of each view for the slots from ``start`` on; NaN = unknown.

    A deviation in the direction that is not worse counts less. Every slot looks at itself and back only.
    """
    slots = panel.values.shape[1]
    axis, values = TimeAxis(slots, panel.interval_s, start), np.moveaxis(panel.values, 1, 2).reshape(-1, slots)
    ruler, sums, places = _ruler(panel, values, axis), RollingSums.of(values), axis.sampled
    quarter, half, hour, three = (
        whole_slots(seconds, panel.interval_s, least=least) for seconds, least in (QUARTER, HALF, HOUR, THREE_HOURS)
    )
    ways = [at_sampled_slots(way, axis) for way in seasonal_levels(sums.block_means(axis.block_slots), axis)]
    usual = np.where(np.isnan(ways[0]), ways[2], ways[0])
    now, hourly = np.take(values, places, axis=1), sums.trimmed_mean(hour, places)
    yield "sample", ruler.measure(now - usual, ruler.least)
    yield "level", ruler.measure(sums.mean(quarter, places) - usual, ruler.least)
    yield "hour", ruler.measure(_nearest(hourly, ways), ruler.least)
    yield "change", ruler.measure(now - sums.mean(quarter, places - 1), ruler.least)
    yield "drift", ruler.measure(now - sums.mean(hour, places - 1), ruler.least)
    yield "step", ruler.measure(sums.mean(half, places) - sums.mean(half, places - half), ruler.least)
    yield "volatility", _calm(sums, hour, ruler)
    yield "volatility_3h", _calm(sums, three, ruler)
    every, sampled = np.arange(slots), np.arange(0, slots, axis.sampling_step)
    least, log_least = NOVEL_FLOOR * ruler.least, np.full_like(ruler.least, NOVEL_FLOOR * LOG_FLOOR)
    yield "novelty", ruler.measure(distance_to_nearest(now, values, every, axis), least)
    known = sums.mean(three, sampled)
    yield "novelty_3h", ruler.measure(distance_to_nearest(sums.mean(three, places), known, sampled, axis), least)
    known = ruler.scatter(sums, hour, sampled)
    yield (
        "volatility_novelty",
        ruler.measure(distance_to_nearest(ruler.scatter(sums, hour, places), known, sampled, axis), log_least),
    )
    yield "record", ruler.unfold(beyond_record(values, axis.at_each_slot(ruler.least), start))


def _calm(sums: RollingSums, width: int, ruler: _Ruler) -> Float:
    """How much more or less than usual at this time of day a series scatters, by the logarithm.

    What is usual of a block is the scatter at its end.
    """
    axis, slots = ruler.axis, sums.values.shape[1]
    ends = np.minimum(np.arange(axis.block_slots, slots + axis.block_slots, axis.block_slots), slots) - 1
    usual = usual_at_this_time(ruler.scatter(sums, width, ends), axis)
    here = ruler.scatter(sums, width, axis.sampled)
    return ruler.measure(here - at_sampled_slots(usual, axis), np.full_like(ruler.least, LOG_FLOOR))


def _ruler(panel: Panel, values: Float, axis: TimeAxis) -> _Ruler:
    lowest, low, middle, high, highest = history_quantiles(values, (0.01, 0.05, 0.5, 0.95, 0.99), axis)
    ranged = np.nan_to_num(np.fmax((high - low) / 3.29, (highest - lowest) / 10), nan=1.0)
    entities = len(panel.entities)
    floors = [shipped_catalogue().detection_floor(metric) for metric in panel.metrics]
    floor = (
        np.fmax(
            np.fmax(FLOOR * np.abs(np.nan_to_num(middle)), RANGE_FLOOR * ranged), _a_series(np.array(floors), entities)
        )
        + 1e-6
    )
    up = np.array([BENIGN if metric.worse is Worse.DOWN else 1.0 for metric in panel.metrics])
    down = np.array([BENIGN if metric.worse is Worse.UP else 1.0 for metric in panel.metrics])
    return _Ruler(
        axis,
        (entities, len(panel.metrics)),
        floor.astype(np.float32),
        ranged.astype(np.float32),
        _a_series(up, entities),
        _a_series(down, entities),
    )


def _a_series(by_metric: npt.NDArray[np.float64], entities: int) -> Float:
    """A value of each metric as ``[series, 1]``."""
    return np.tile(by_metric, entities).astype(np.float32)[:, None]


def _nearest(values: Float, ways: Sequence[Float]) -> Float:
    """Distance to the nearest of the ways to expect."""
    nearest = values - ways[0]
    for way in ways[1:]:
        distance = values - way
        closer = np.isnan(nearest) | (np.abs(distance) < np.abs(nearest))
        nearest = np.where(closer, distance, nearest)
    return nearest
