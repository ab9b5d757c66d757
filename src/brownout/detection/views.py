"""Views of a metric: what one slot looks like against its past, each in units of how far the series usually strays."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from brownout.detection.past import (
    Clock,
    at_slots,
    novelty,
    past_quantiles,
    record,
    seasonal,
    spread,
    trailing_mean,
    trailing_std,
)
from brownout.domain.metrics import Worse
from brownout.domain.panel import Float, Panel

__all__ = ["CAP", "VIEWS", "views"]

VIEWS = ("now", "level", "hour", "change", "drift", "step", "calm", "calm3", "novel", "record")
"""Names in the order of :func:`views`:

``now`` the sample, ``level`` the mean of a quarter of an hour, against the same time of the last days;
``hour`` the mean of an hour against whichever of the ways to expect comes nearest; ``change`` the sample against the
quarter of an hour before, ``drift`` against the hour before; ``step`` the last half hour against the half hour
before; ``calm`` and ``calm3`` the logarithm of the scatter within an hour and three hours against the same time of the
last days; ``novel`` the distance to the nearest value ever measured; ``record`` how far it lies beyond all of them.
"""
FLOOR = 0.02
"""Least spread as a share of the level: movements of 2 % are nobody's incident."""
RANGE_FLOOR = 0.05
"""Least spread as a share of how far the series usually ranges."""
UNIT_FLOORS = {"%": 0.3, "ms": 0.3}
"""Least spread of a unit: a third of a percent point or of a millisecond is nobody's incident."""
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


@dataclass(frozen=True, slots=True)
class _Ruler:
    """What residuals of a panel are measured with.

    ``floor`` and ``range [entity, renewal, metric]`` are the least spread of a value and how far the series usually
    ranges; ``up`` and ``down [metric]`` the weights of the two directions.
    """

    clock: Clock
    start: int
    floor: Float
    range: Float
    up: Float
    down: Float

    def measure(self, residuals: Float, floor: Float) -> Float:
        """Residuals from ``start`` on in usual spreads, weighted by direction, capped."""
        usual = np.fmax(spread(residuals, self.clock), floor)
        scaled = residuals[:, self.start :] / self.clock.from_renewals(usual, self.start)
        return np.clip(np.where(scaled > 0, scaled * self.up, scaled * self.down), -CAP, CAP).astype(np.float32)


def views(panel: Panel, start: int = 0) -> Iterator[tuple[str, Float]]:
    """Signed deviations ``[entity, time, metric]`` of each view for the slots from ``start`` on; NaN = unknown.

    A deviation in the direction that is not worse counts less. Every slot looks at itself and back only.
    """
    clock, values = Clock(panel.values.shape[1], panel.interval_s), panel.values
    ruler = _ruler(panel, clock, start)
    quarter, half, hour, three = (clock.window(*window) for window in (QUARTER, HALF, HOUR, THREE_HOURS))
    expected = seasonal(values, clock)
    usual = at_slots(np.where(np.isfinite(expected[0]), expected[0], expected[2]), clock)
    level, hourly, means = (trailing_mean(values, width) for width in (quarter, hour, half))
    yield "now", ruler.measure(values - usual, ruler.floor)
    yield "level", ruler.measure(level - usual, ruler.floor)
    yield "hour", ruler.measure(_nearest(hourly, expected, clock), ruler.floor)
    yield "change", ruler.measure(values - _before(level, 1), ruler.floor)
    yield "drift", ruler.measure(values - _before(hourly, 1), ruler.floor)
    yield "step", ruler.measure(means - _before(means, half), ruler.floor)
    yield "calm", _calm(values, hour, ruler)
    yield "calm3", _calm(values, three, ruler)
    yield "novel", ruler.measure(novelty(values, clock), NOVEL_FLOOR * ruler.floor)
    yield "record", record(values, clock.from_renewals(ruler.floor))[:, start:]


def _calm(values: Float, width: int, ruler: _Ruler) -> Float:
    """How much more or less than usual at this time of day a series scatters, by the logarithm."""
    least = RANGE_FLOOR * ruler.clock.from_renewals(ruler.range) + 1e-9
    scatter = np.log(trailing_std(values, width) + least)
    usual = seasonal(scatter, ruler.clock)
    usual = np.where(np.isfinite(usual[0]), usual[0], usual[2])
    return ruler.measure(scatter - at_slots(usual, ruler.clock), np.full_like(ruler.floor, LOG_FLOOR))


def _ruler(panel: Panel, clock: Clock, start: int) -> _Ruler:
    lowest, low, middle, high, highest = past_quantiles(panel.values, (0.01, 0.05, 0.5, 0.95, 0.99), clock)
    ranged = np.nan_to_num(np.fmax((high - low) / 3.29, (highest - lowest) / 10), nan=1.0)
    units = np.array([UNIT_FLOORS.get(metric.unit, 0.0) for metric in panel.metrics])
    floor = np.fmax(np.fmax(FLOOR * np.abs(np.nan_to_num(middle)), RANGE_FLOOR * ranged), units) + 1e-6
    up = np.array([BENIGN if metric.worse is Worse.DOWN else 1.0 for metric in panel.metrics], np.float32)
    down = np.array([BENIGN if metric.worse is Worse.UP else 1.0 for metric in panel.metrics], np.float32)
    return _Ruler(clock, start, floor.astype(np.float32), ranged.astype(np.float32), up, down)


def _nearest(values: Float, expected: Float, clock: Clock) -> Float:
    """Distance to the nearest of the ways to expect."""
    nearest = np.full_like(values, np.nan)
    for way in expected:
        distance = values - at_slots(way, clock)
        closer = np.isnan(nearest) | (np.abs(distance) < np.abs(nearest))
        nearest = np.where(closer & np.isfinite(distance), distance, nearest)
    return nearest


def _before(values: Float, slots: int) -> Float:
    shifted = np.full_like(values, np.nan)
    shifted[:, slots:] = values[:, :-slots]
    return shifted
