"""Views of the slots that follow a history, with what they are compared with kept from one call to the next.

Spreads, ranges and earlier values are renewed every few hours. Until then a new slot needs only these, sums over the
last hours, and blocks of the last days: the views are those of ``views`` on the whole panel, at a fraction of the time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from brownout.detection.baseline.seasonal_baseline import (
    beyond_record,
    distance_between,
    reference_values,
    seasonal_levels,
    usual_at_this_time,
    usual_spread,
)
from brownout.detection.baseline.time_blocks import TimeAxis
from brownout.detection.features.views import (
    RANGE_FLOOR,
    Scale,
    Windows,
    known_values,
    plain_residuals,
    residual_views,
    scale_of,
    series_of,
)
from brownout.domain.panel import Float, Panel
from brownout.numerics.arrays import Index, Marks
from brownout.numerics.rolling import RollingSums

__all__ = ["KeptViews"]


@dataclass(slots=True, eq=False)
class KeptViews:
    """What slots from ``slot`` on are compared with, of series as ``series_of`` gives them.

    Attributes
    ----------
    scale
        As it was at the renewal, on an axis that ends just after it.
    units, known
        By view: the usual spread ``[series, 1]``, and the sorted values that the nearest one is looked for among.
    sums
        Over the last slots; ``slot`` follows the last of them.
    blocks, volatilities
        Means of whole blocks ``[series, block]``; by width in slots, logarithms of standard deviations at their ends.
    highest, lowest
        Of all that was measured, ``[series, 1]``.
    """

    scale: Scale
    units: Mapping[str, Float]
    known: Mapping[str, Float]
    sums: RollingSums
    blocks: Float
    volatilities: dict[int, Float]
    highest: Float
    lowest: Float
    slot: int

    @classmethod
    def of(cls, panel: Panel, renewal: int) -> Self:
        """At a renewal, a slot of the panel, of which only what lies before it is looked at."""
        part = Panel(panel.values[:, : renewal + 1], panel.start, panel.interval_s, panel.entities, panel.metrics)
        axis, values = TimeAxis(renewal + 1, panel.interval_s, renewal), series_of(part)
        sums, scale, windows = RollingSums.of(values), scale_of(part, values, axis), Windows.of(panel.interval_s)
        units = {
            name: np.fmax(usual_spread(residuals, axis), floor)
            for name, residuals, floor in residual_views(values, sums, scale)
        }
        whole = renewal // axis.block_slots
        ends = axis.block_ends[:whole]
        before = values[:, :renewal]
        return cls(
            scale=scale,
            units=units,
            known={
                name: reference_values(known, slots, renewal)
                for name, (known, slots) in known_values(values, sums, scale).items()
            },
            sums=RollingSums.of(before).extended(before[:, :0], keep=_reach(axis)),
            blocks=sums.block_means(axis.block_slots)[:, :whole],
            volatilities={width: scale.log_std(sums, width, ends) for width in (windows.hour, windows.three)},
            highest=np.fmax.reduce(before, axis=1, keepdims=True),
            lowest=np.fmin.reduce(before, axis=1, keepdims=True),
            slot=renewal,
        )

    @property
    def seen(self) -> Marks:
        """Series of which anything was measured, ``[series]``."""
        return np.isfinite(self.sums.centre[:, 0])

    def views(self, values: Float) -> Iterator[tuple[str, Float]]:
        """Names and deviations ``[entity, time, metric]`` of the slots that follow, ``values [series, slot]``.

        They are kept then: the next call is about what follows them.
        """
        axis, windows = self.scale.axis, Windows.of(self.scale.axis.interval_s)
        self.sums = self.sums.extended(values, keep=_reach(axis))
        first, self.slot = self.slot, self.slot + values.shape[1]
        offset = self.slot - self.sums.values.shape[1]
        self._add_blocks(offset)
        slots = np.arange(first, self.slot)
        ends, blocks = slots - offset, slots // axis.block_slots
        here, begin = blocks - blocks[0], int(blocks[0])
        expected = seasonal_levels(_until(self.blocks, int(blocks[-1])), axis, first=begin)
        expectations = [np.take(levels, here, axis=1) for levels in expected]
        for name, residuals in plain_residuals(self.sums, windows, expectations, ends):
            yield name, self._in_spreads(name, residuals)
        for name, width in (("volatility", windows.hour), ("volatility_3h", windows.three)):
            usual = usual_at_this_time(_until(self.volatilities[width], int(blocks[-1])), axis, first=begin)
            yield name, self._in_spreads(name, self._log_std(width, ends) - np.take(usual, here, axis=1))
        asked = {
            "novelty": values,
            "novelty_3h": self.sums.mean(windows.three, ends),
            "volatility_novelty": self._log_std(windows.hour, ends),
        }
        for name, found in asked.items():
            yield name, self._in_spreads(name, distance_between(self.known[name], found))
        yield "record", self._beyond_record(values)

    def _in_spreads(self, name: str, residuals: Float) -> Float:
        return self.scale.weighted(residuals / self.units[name])

    def _log_std(self, width: int, ends: Index) -> Float:
        least = RANGE_FLOOR * self.scale.range[:, [self.scale.axis.first_renewal]] + 1e-9
        log_std: Float = np.log(self.sums.std(width, ends) + least)
        return log_std

    def _add_blocks(self, offset: int) -> None:
        """Keep the blocks that are whole by now."""
        width, there = self.scale.axis.block_slots, self.blocks.shape[1]
        first, whole = there * width - offset, self.slot // width
        if whole <= there:
            return
        last = whole * width - offset
        self.blocks = np.concatenate([self.blocks, self.sums.block_means(width, first=first, last=last)], axis=1)
        ends = np.arange(first + width, last + 1, width) - 1
        for window, known in self.volatilities.items():
            self.volatilities[window] = np.concatenate([known, self._log_std(window, ends)], axis=1)

    def _beyond_record(self, values: Float) -> Float:
        known = np.concatenate([self.highest, self.lowest, values], axis=1)
        self.highest = np.fmax.reduce(known, axis=1, keepdims=True)
        self.lowest = np.fmin.reduce(known, axis=1, keepdims=True)
        return self.scale.unfold(beyond_record(known, self.scale.floor[:, -1:], 2))


def _reach(axis: TimeAxis) -> int:
    """Slots before a slot that its views need sums over."""
    windows = Windows.of(axis.interval_s)
    return max(windows.three, 2 * windows.half, windows.hour, axis.block_slots) + 1


def _until(blocks: Float, last: int) -> Float:
    """Blocks up to a last one; of those that are not over nothing is known."""
    missing = max(last + 1 - blocks.shape[1], 0)
    return np.pad(blocks[:, : last + 1], ((0, 0), (0, missing)), constant_values=np.nan)
