"""What each series' past leads to expect: the level at this time of day, and how far it usually strays."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from brownout.domain.metrics import Worse
from brownout.domain.panel import Float, Panel

__all__ = ["Expectation", "block_factor", "deviations", "expect"]

DAY_S = 86_400
BLOCK_S = 3600
"""Statistics are kept by the hour: fine enough for a day's shape, coarse enough to be quick."""
DAYS = 7
SPARSE = 4
"""Every fourth hour of a week is enough for its spread."""
FLOOR = 0.02
"""Least spread as a share of the level: movements of 2 % are nobody's incident."""
BENIGN = 0.3
"""Weight of a deviation in the direction that is not worse."""
CAP = 1000.0
"""Largest deviation in spreads: beyond it more is not more telling."""

Index = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Expectation:
    """Levels and spreads by block, float32 ``[way, entity, block, metric]``; NaN where the past is too short.

    The ways to expect are the same hour of the last seven days, the same hour a week ago, and the last day as
    a whole; a
    value is abnormal only when none of them expects it. A level shift is therefore the new normal after a day.
    """

    level: Float
    spread: Float


def block_factor(panel: Panel) -> int:
    """Slots of a block: an hour, or less where the panel spans less than two days."""
    span = panel.values.shape[1] * panel.interval_s
    return max(int(min(BLOCK_S, span // 48)) // panel.interval_s, 1)


def expect(blocks: Panel) -> Expectation:
    """Expectations for each block from the blocks before it; ``blocks`` holds means by the hour."""
    values = blocks.values
    day = max(round(DAY_S / blocks.interval_s), 1)
    same_hour = np.stack([_shift(values, day * k) for k in range(1, DAYS + 1)])
    by_hour = _median(same_hour, axis=0)
    week_ago = same_hour[DAYS - 1]
    recent = _rolling_median(values, min(day, 24), 1)
    level = np.stack([by_hour, week_ago, recent])
    misses = np.abs(values[None] - level)
    floor = FLOOR * np.abs(_rolling_median(values, DAYS * day, SPARSE)) + 1e-6
    spread = np.stack([_rolling_median(miss, DAYS * day, SPARSE) for miss in misses])
    return Expectation(level.astype(np.float32), np.maximum(1.4826 * spread, floor).astype(np.float32))


def deviations(values: Float, expectation: Expectation, block: Index, noise: Float, worse: tuple[Worse, ...]) -> Float:
    """Distance of values ``[entity, time, metric]`` from the nearest expectation in spreads, signed, capped.

    ``block`` maps slots to blocks, ``noise [entity, metric]`` is the usual scatter within a block. A deviation in the
    direction that is not worse counts less.
    """
    nearest = np.full(values.shape, np.nan, np.float32)
    for level, spread in zip(expectation.level, expectation.spread, strict=True):
        width = np.sqrt(spread[:, block] ** 2 + noise[:, None] ** 2)
        distance = (values - level[:, block]) / width
        closer = np.isnan(nearest) | (np.abs(distance) < np.abs(nearest))
        nearest = np.where(closer & np.isfinite(distance), distance, nearest)
    up = np.array([BENIGN if w is Worse.DOWN else 1.0 for w in worse], np.float32)
    down = np.array([BENIGN if w is Worse.UP else 1.0 for w in worse], np.float32)
    weighted: Float = np.clip(np.where(nearest > 0, nearest * up, nearest * down), -CAP, CAP)
    return weighted


def _shift(values: Float, blocks: int) -> Float:
    """Values ``blocks`` earlier, NaN before the first."""
    shifted = np.full_like(values, np.nan)
    if blocks < values.shape[1]:
        shifted[:, blocks:] = values[:, :-blocks]
    return shifted


def _rolling_median(values: Float, window: int, every: int) -> Float:
    """Median over the ``window`` blocks before each block, of which every ``every``-th is looked at."""
    padded = np.concatenate([np.full_like(values[:, :1], np.nan).repeat(window, axis=1), values[:, :-1]], axis=1)
    views = sliding_window_view(padded, window, axis=1)[..., ::-1][..., ::every]
    return _median(views, axis=-1)


def _median(values: Float, axis: int) -> Float:
    """Median of what is measured, NaN where nothing is."""
    ordered = np.sort(values, axis=axis)  # NaN sorts last
    count = np.isfinite(ordered).sum(axis=axis, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0), axis=axis)
    high = np.take_along_axis(ordered, np.minimum(count // 2, values.shape[axis] - 1), axis=axis)
    middle: Float = np.where(count > 0, (low + np.where(np.isfinite(high), high, low)) / 2, np.nan)
    return middle.squeeze(axis)
