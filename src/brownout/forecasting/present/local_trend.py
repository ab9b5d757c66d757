"""Local trend: a straight or damped line from the change point where a leak or a fill began to the last value.

The change point is the one of a few lengths of run that makes a level before it and a line after it miss least. Slopes
are medians of the changes over half of a run, so that single spikes do not move them (after Theil and Sen). A run
counts only where the series has not often moved as far within such a time before: a saw-tooth of a leak and a nightly
restart, a daily rise or a random walk have.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy.stats import norm

from brownout.domain.forecasts import QUANTILES
from brownout.domain.panel import Doubles, Float, Index, Marks
from brownout.forecasting.baselines.medians import median_day
from brownout.forecasting.baselines.smoothing import filled
from brownout.numerics.order_statistics import median, quantile

__all__ = ["MEMORY", "Runs", "line_after", "runs_of"]

LENGTHS_H = (5.0, 7.0, 10.0, 14.0, 20.0, 28.0, 40.0, 56.0, 80.0, 120.0, 168.0, 240.0, 336.0)
"""Lengths of a run that are tried, in hours, each about 1.4 times the one before."""
MEMORY = 15
"""Seasons of the past that are read."""
SLOTS_A_DAY = 48
"""Runs are looked for on slots of half an hour, where those of the series are shorter."""
LEAST_DAYS = 3
"""Whole seasons from which on a median day is taken off: the trend itself would make that of fewer."""
WEEK = 7
"""Days after which the days of a week return."""
BEGUN = 2
"""Days at the end of a past that say nothing of the week where an earlier week does: the trend may be in them."""
WEEKLY = 0.8
"""The same slot of last week misses by less than this share of what the median day does where weekdays differ."""
NOISE, ORDINARY = 6.0, 1.5
"""A run moves by more than so many robust standard deviations, and so many times as far as the series often moved."""
ALONE = 10.0
"""The first of these where the past before the run is too short to say how far the series moves."""
OFTEN = 0.95
"""Quantile of the moves before the run that the run is compared with."""
OFF_SPREADS, OFF_SHARE = 5.0, 0.15
"""The last slot is away from the line by so many standard deviations or such a share of the rise at most: else the run
is over."""
DAMPED, STOPPED = 0.7, 0.25
"""Slope of the second half as a share of the first one's below which a run flattens, and has come to an end."""
CARRIES = 4.0
"""A trend is carried on for so many times as long as it has run; then it stays where it is."""
SLOPE_DOUBT = 0.12
"""Relative standard deviation of a slope that even a clean run has: what makes a ramp does not keep its pace."""


@dataclass(frozen=True, eq=False)
class Runs:
    """The trend that each row is in; all arrays are ``[row]``.

    Attributes
    ----------
    found
        Whether there is one.
    slots
        How long it has run, in slots of the past.
    level, slope
        Value at the last slot without the median day, and the change a slot there.
    keeps
        Share of the slope that is left after each slot: 1 for a straight line, less where the run flattens.
    spread, slope_spread
        Standard deviation of values around the line, and of the slope.
    day
        Seven days with phase 0 at the first slot after the past, each the median day, or the days of a week:
        ``[row, phase]``.
    """

    found: Marks
    slots: Index
    level: Float
    slope: Float
    keeps: Float
    spread: Float
    slope_spread: Float
    day: Float

    def rows(self, chosen: Index) -> Self:
        """The rows of the given indices."""
        return type(self)(**{name: getattr(self, name)[chosen] for name in self.__dataclass_fields__})

    def paths(self, steps: Float) -> Float:
        """Quantile paths ``[row, step, quantile]`` so many slots ahead, ``steps`` increasing and above 0."""
        ahead = np.minimum(steps[None, :], CARRIES * self.slots[:, None])
        keeps = self.keeps[:, None]
        # Sum of a slope that shrinks by the same share each slot; of a straight line that is the number of slots.
        straight = keeps >= 1
        shrinking = np.where(straight, 0.5, keeps)
        reach = np.where(straight, ahead, shrinking * (1 - shrinking**ahead) / (1 - shrinking))
        phase = np.ceil(steps).astype(int) - 1
        day = self.day[:, phase % self.day.shape[1]]
        middle = self.level[:, None] + self.slope[:, None] * reach + day
        spread = np.hypot(self.spread[:, None], self.slope_spread[:, None] * ahead)
        values: Float = (middle[..., None] + spread[..., None] * norm.ppf(QUANTILES)).astype(np.float32)
        return values


def runs_of(past: Float, season: int) -> Runs:
    """The trend that each row of a past ``[row, slot]`` is in at its end, where it is in one."""
    factor = max(season // SLOTS_A_DAY, 1)
    coarse, wide = _means(past, factor), max(season // factor, 1)
    rows, slots = coarse.shape
    day = (
        _days_of_a_week(coarse - _level_of_days(coarse, wide), wide)
        if slots >= LEAST_DAYS * wide
        else np.zeros((rows, WEEK * wide), np.float32)
    )
    flat = filled(coarse - day[:, np.arange(slots) % day.shape[1]]).astype(np.float64)
    ahead = np.roll(day, -(slots % day.shape[1]), axis=1)
    runs = _no_runs(rows, np.repeat(ahead, factor, axis=1))
    least = np.full(rows, np.inf)
    for hours in LENGTHS_H:
        length = round(hours * wide / 24)
        if length > slots or length < min(8, slots):
            continue
        cost, candidate = _run(flat, length, runs.day, factor)
        candidate = replace(candidate, found=candidate.found & _moved_itself(coarse[:, -length:], candidate))
        better = cost < least
        runs = _either(better, candidate, runs)
        least = np.where(better, cost, least)
    measured = np.asarray(np.isfinite(coarse[:, -3:]).any(axis=1))
    return _either(measured, runs, _no_runs(rows, runs.day))


def _days_of_a_week(swing: Float, wide: int) -> Float:
    """What each slot of seven days adds to their level: the median day, or the week where its days differ."""
    days, slots = np.tile(median_day(swing, wide), (1, WEEK)), swing.shape[1]
    week = WEEK * wide
    if slots < week + LEAST_DAYS * wide:
        return days
    known = swing.copy()
    known[:, max(slots - BEGUN * wide, week) :] = np.nan
    missed = np.abs(swing[:, week:] - days[:, np.arange(week, slots) % week])
    by_week = np.abs(swing[:, week:] - swing[:, : slots - week])
    both = np.isfinite(missed) & np.isfinite(by_week)
    own, other = (np.where(both, part, 0).sum(axis=1) for part in (by_week, missed))
    return np.where((own < WEEKLY * other)[:, None], median_day(known, week, days=WEEK), days).astype(np.float32)


def line_after(flat: Doubles) -> tuple[Doubles, Doubles]:
    """Level at the last slot, and slope, of robust lines through ``[row, slot]``."""
    slots = flat.shape[1]
    lag = max(slots // 2, 1)
    slope = np.nan_to_num(median(flat[:, lag:] - flat[:, :-lag]) / lag)
    level = np.nan_to_num(median(flat - slope[:, None] * np.arange(1 - slots, 1)))
    return level, slope


def _run(flat: Doubles, length: int, day: Float, factor: int) -> tuple[Doubles, Runs]:
    """The trend of the last ``length`` slots and how much it misses, with a level before it."""
    tail, before = flat[:, -length:], flat[:, :-length]
    level, slope = line_after(tail)
    missed = tail - level[:, None] - slope[:, None] * np.arange(1 - length, 1)
    cost = np.abs(missed).sum(axis=1)
    if before.shape[1]:
        cost = cost + np.abs(before - median(before)[:, None]).sum(axis=1)
    rise = np.abs(slope) * length
    spread = np.maximum(1.4826 * median(np.abs(missed)), 1e-3 * rise)
    early, late = (line_after(part)[1] for part in (tail[:, : length // 2], tail[:, -(length // 2) :]))
    sure = 1.25 * spread * np.sqrt(12) * _inflation(missed)
    # Of a run that bends, misses of the line say nothing of the noise; changes from slot to slot do.
    noise = 1.4826 * median(np.abs(np.diff(tail, axis=1))) / np.sqrt(2)
    half = 2.5 * noise * np.sqrt(12) / (length / 2) ** 1.5
    part = np.divide(late, early, out=np.ones_like(late), where=np.abs(early) > 0)
    flattens = (part < DAMPED) & (np.abs(early - late) > 2 * half)
    off = median(missed[:, -3:])
    found = _unusual(before, rise, spread, length) & (np.abs(off) <= np.maximum(3 * spread, 0.15 * rise))
    found &= np.abs(missed[:, -1]) <= np.maximum(OFF_SPREADS * spread, OFF_SHARE * rise)
    found &= ~(flattens & (part < STOPPED)) & (np.sign(late) == np.sign(slope))
    keeps = np.where(flattens, np.clip(part, STOPPED, 1) ** (2 / length), 1.0)
    doubt = np.hypot(np.hypot(sure / length**1.5, SLOPE_DOUBT * slope), 0.25 * (early - late))
    return cost, Runs(
        found=found,
        slots=np.full(len(flat), length * factor),
        level=(level + off).astype(np.float32),
        slope=(np.where(flattens, late * np.sqrt(np.clip(part, 0, 1)), slope) / factor).astype(np.float32),
        keeps=(keeps ** (1 / factor)).astype(np.float32),
        spread=spread.astype(np.float32),
        slope_spread=(doubt / factor).astype(np.float32),
        day=day,
    )


def _unusual(before: Doubles, rise: Doubles, spread: Doubles, length: int) -> Marks:
    """Whether a rise is beyond the noise and beyond what the series did before within such a time."""
    lag = min(length, before.shape[1] // 2)
    if lag < min(length, 8):
        return rise > ALONE * spread
    moved = np.nan_to_num(quantile(np.abs(before[:, lag:] - before[:, :-lag]), OFTEN))
    return np.asarray((rise > NOISE * spread) & (rise > ORDINARY * moved * np.sqrt(length / lag)))


def _moved_itself(tail: Float, run: Runs) -> Marks:
    """Whether a series moved the way of its run with its days too: a quiet day that is over is no trend."""
    moved = np.nan_to_num(median(tail[:, -3:]) - median(tail[:, :3]))
    return np.asarray(moved * np.sign(run.slope) > 0)


def _inflation(missed: Doubles) -> Doubles:
    """How much wider a mean spreads as neighbouring misses are alike (AR(1)), 1 … 5."""
    both = (missed[:, 1:] * missed[:, :-1]).sum(axis=1)
    alike = np.clip(both / np.maximum((missed**2).sum(axis=1), 1e-12), 0, 0.92)
    inflation: Doubles = np.sqrt((1 + alike) / (1 - alike))
    return inflation


def _level_of_days(past: Float, season: int) -> Float:
    """Mean of the season around each slot, of those at the ends the nearest one: what rises for days is no day."""
    sums = np.cumsum(np.pad(filled(past).astype(np.float64), ((0, 0), (1, 0))), axis=1)
    means = (sums[:, season:] - sums[:, :-season]) / season
    after = past.shape[1] - means.shape[1] - season // 2
    return np.pad(means, ((0, 0), (season // 2, after)), mode="edge").astype(np.float32)


def _means(past: Float, factor: int) -> Float:
    """Means over ``factor`` slots, the last of which ends with the past; NaN where nothing was measured."""
    if factor == 1:
        return past
    whole = past[:, past.shape[1] % factor :]
    blocks = whole.reshape(len(past), -1, factor)
    seen = np.isfinite(blocks)
    count = seen.sum(axis=2)
    total = np.where(seen, blocks, 0).sum(axis=2, dtype=np.float64)
    means: Float = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0).astype(np.float32)
    return means


def _no_runs(rows: int, day: Float) -> Runs:
    """No run in any row."""
    none = np.zeros(rows, np.float32)
    one = np.ones(rows, np.float32)
    return Runs(np.zeros(rows, bool), np.ones(rows, np.int64), none, none, one, none, none, day)


def _either(first: Marks, one: Runs, other: Runs) -> Runs:
    """Rows of the one where marked, else of the other."""
    names = (name for name in one.__dataclass_fields__ if name != "day")
    return Runs(
        **{name: np.where(first, getattr(one, name), getattr(other, name)) for name in names},
        day=one.day,
    )
