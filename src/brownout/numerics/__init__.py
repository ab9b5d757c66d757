"""Arithmetic that several parts share: each routine once, each checked against a plain loop.

``order_statistics``
    Medians and quantiles of what was measured.
``rolling``
    Sums, means, extremes and scatters of the window that ends at each slot.
``slots``
    Durations as numbers of slots, times as milliseconds, means of what shares a slot.
``losses``
    Losses of quantile forecasts and of probabilities, and the ratios that skill is stated in.
``arrays``
    Names for types of arrays.
"""

from brownout.numerics.order_statistics import median, median_of_layers, quantile, quantiles
from brownout.numerics.rolling import RollingSums, largest_since, rolling_extreme, rolling_mean, rolling_sum
from brownout.numerics.slots import (
    days,
    epoch_ms,
    floor_to_slot,
    group_means,
    nearest_slots,
    second_of_day,
    slots_per_day,
    time_of,
    whole_slots,
)

__all__ = [
    "RollingSums",
    "days",
    "epoch_ms",
    "floor_to_slot",
    "group_means",
    "largest_since",
    "median",
    "median_of_layers",
    "nearest_slots",
    "quantile",
    "quantiles",
    "rolling_extreme",
    "rolling_mean",
    "rolling_sum",
    "second_of_day",
    "slots_per_day",
    "time_of",
    "whole_slots",
]
