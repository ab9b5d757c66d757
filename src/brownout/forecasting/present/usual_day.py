"""The usual day of a series, how far its values are from it, and which bursts beyond it return."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from brownout.domain.metrics import Metric, Worse
from brownout.domain.panel import Float, Marks
from brownout.numerics.order_statistics import median

__all__ = ["FAR", "JITTER_H", "LEAST_DAYS", "NEAR", "Away", "side_of", "stretches"]

FAR, NEAR = 8.0, 3.0
"""Robust standard deviations from the usual day that a burst reaches, and that the slots beside it go on with."""
LEAST_DAYS = 4
"""Days of past from which on there is a usual day."""
JITTER_H = 1.0
"""What returns comes within so many hours of the same time of day."""
SAME_HOUR, ANY_HOUR, SHARE = 2, 3, 0.25
"""Other days with the like of it, at that hour or at any, from which on it is a habit; at any hour the share too."""
WEEK = 7


@dataclass(frozen=True, eq=False)
class Away:
    """How far series ``[row, slot]`` are from their usual day, in robust standard deviations, positive = worse."""

    deviations: Float
    season: int

    @classmethod
    def of(cls, series: Float, season: int) -> Self:
        """Of series signed so that higher is worse."""
        folded = folded_days(series, season)
        usual = median(folded, axis=1)
        away = (folded - usual[:, None]).reshape(len(series), -1)[:, : series.shape[1]]
        spread = 1.4826 * np.nan_to_num(median(np.abs(away)))
        least = 0.01 * np.nan_to_num(median(np.abs(series))) + 1e-6
        return cls(away / np.maximum(spread, least)[:, None], season)

    def returns(self, away: Float, first: int, last: int, jitter: int) -> bool:
        """Whether other days show the like of a burst: half as far at least."""
        own = float(np.median(away[first:last]))
        like = away > max(own / 2, NEAR)
        like[max(first - jitter, 0) : last + jitter] = False
        at = np.flatnonzero(like)
        days = np.unique(at // self.season)
        number = -(-len(away) // self.season)
        # Distance to the burst, less whole days, as far as the time of day is that of the burst.
        apart = np.round((at - (first + last - 1) / 2) / self.season).astype(int)
        inside = (at - apart * self.season >= first - jitter) & (at - apart * self.season < last + jitter)
        same = np.unique(apart[inside & (apart != 0)])
        habit = len(days) >= max(ANY_HOUR, SHARE * number)
        return bool(habit or len(same) >= SAME_HOUR or (same % WEEK == 0).any())


def side_of(metric: Metric) -> int:
    """1 where higher is worse, -1 where lower is, 0 for a metric without a direction."""
    return {Worse.UP: 1, Worse.DOWN: -1}.get(metric.worse, 0)


def folded_days(series: Float, season: int) -> Float:
    """Days ``[row, day, phase]``, the last one filled up with NaN."""
    days = -(-series.shape[1] // season)
    padded = np.full((len(series), days * season), np.nan, np.float32)
    padded[:, : series.shape[1]] = series
    return padded.reshape(len(series), days, season)


def stretches(marked: Marks) -> list[tuple[int, int]]:
    """First and last (exclusive) slot of each stretch that is marked."""
    edges = np.flatnonzero(np.diff(marked.astype(np.int8), prepend=0, append=0))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
