"""Rolling calibration: widths of intervals from the last days' forecasts (split conformal on a sliding window)."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from brownout.domain.forecasts import Forecasts
from brownout.domain.panel import Float, Times
from brownout.forecasting.selection.calibration import Calibration, calibrate, outer_of

__all__ = ["RollingCalibration", "spread_evenly"]

WINDOW = np.timedelta64(7, "D")
"""Forecasts of the last week count: every hour of the week once."""
PRIOR = 6.0
"""Number of recent origins that weigh as much as the training's held-out windows, which ask for no factor."""
MOST, MOST_AT_ONCE = 1000, 200
"""Rows of a metric that are enough to learn from, all together and from one origin; of more some are left out."""


@dataclass(frozen=True, slots=True, eq=False)
class _Past:
    """Forecasts from one origin and what came of them."""

    forecasts: Forecasts
    outer: Float
    actual: Float

    def known(self, now: np.datetime64) -> Float:
        """What was measured by a time, NaN = not yet: ``[row, step]``."""
        late: npt.NDArray[np.bool_] = _times(self.forecasts) > now
        return np.where(late, np.float32(np.nan), self.actual)


@dataclass
class RollingCalibration:
    """Factors on each quantile's distance from the median, by metric and band, from forecasts made before.

    They are those of split conformal prediction over the forecasts of the last ``WINDOW`` of which something has been
    measured, drawn towards 1, what the training's held-out windows stand for, by how few origins those are.
    """

    past_: deque[_Past] = field(default_factory=deque)

    def learn(self, parts: Sequence[tuple[Forecasts, Float]]) -> None:
        """Keep forecasts from one origin, as they were before these factors, and what was measured: ``[row, step]``.

        What was measured after its ``now`` is not read by :meth:`factors`.
        """
        names = np.array([series.metric for forecasts, _ in parts for series in forecasts.series], np.str_)
        edges = np.cumsum([0, *(len(forecasts.series) for forecasts, _ in parts)])
        chosen = spread_evenly(names, MOST_AT_ONCE)
        for (forecasts, actual), first, last in zip(parts, edges[:-1], edges[1:], strict=True):
            kept = (chosen[(chosen >= first) & (chosen < last)] - first).tolist()
            if kept:
                thinned = forecasts.rows(kept)
                self.past_.append(_Past(thinned, outer_of(thinned), actual[kept]))

    def factors(self, now: np.datetime64) -> Calibration:
        """The calibration of forecasts whose origin is ``now``, from what was measured until then."""
        while self.past_ and self.past_[0].forecasts.origins[0] <= now - WINDOW:
            self.past_.popleft()
        known = [(past, past.known(now)) for past in self.past_]
        known = [(past, actual) for past, actual in known if np.isfinite(actual).any()]
        if not known:
            return Calibration(1, {})
        earlier = [past.forecasts for past, _ in known]
        metrics = np.array([series.metric for forecasts in earlier for series in forecasts.series])
        chosen = spread_evenly(metrics, MOST)
        values = np.concatenate([forecasts.values for forecasts in earlier])[chosen]
        outer = np.concatenate([past.outer for past, _ in known])[chosen]
        actual = np.concatenate([actual for _, actual in known])[chosen]
        weight = _independent_origins(earlier)
        return calibrate(metrics[chosen], values, actual, outer).tempered(weight / (weight + PRIOR))


def spread_evenly(names: npt.NDArray[np.str_], most: int) -> npt.NDArray[np.int64]:
    """Indices, increasing, of at most so many of each name, evenly spaced among those of the name."""
    kept = []
    for name in np.unique(names):
        of_name = np.flatnonzero(names == name)
        kept.append(of_name[np.unique(np.linspace(0, len(of_name) - 1, min(most, len(of_name))).astype(np.int64))])
    chosen: npt.NDArray[np.int64] = np.sort(np.concatenate(kept)) if kept else np.empty(0, np.int64)
    return chosen


def _independent_origins(earlier: Sequence[Forecasts]) -> float:
    """Number of independent origins: those whose horizons overlap count as fewer."""
    origins = np.unique([forecasts.origins[0] for forecasts in earlier])
    reach = np.timedelta64(earlier[0].interval_s * 1000, "ms") * earlier[0].horizon
    return min(float(len(origins)), 1 + float((origins[-1] - origins[0]) / reach))


def _times(forecasts: Forecasts) -> Times:
    """Time of each step: ``[row, step]``."""
    step = np.timedelta64(forecasts.interval_s * 1000, "ms")
    times: Times = forecasts.origins[:, None] + step * np.arange(1, forecasts.horizon + 1)
    return times
