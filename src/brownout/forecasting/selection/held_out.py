"""Held-out windows: forecasts from the end of a panel, which no training saw, beside what came of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import Forecasts
from brownout.domain.metrics import Metric, Worse
from brownout.domain.panel import Float, Panel
from brownout.domain.ports import Forecaster
from brownout.forecasting.baselines.naive import seasonal_scale
from brownout.forecasting.series_rows import rows_of
from brownout.numerics.arrays import Marks

__all__ = ["Candidates", "HeldOut", "calibrating_origins", "first_held_out", "forecast_held_out", "origins_for"]

MAX_ORIGINS, MIN_ORIGINS = 24, 8
"""Origins of the backtest: enough to choose by, few enough to be quick."""
WINDOWS = 60_000
"""Windows that are enough to choose by: a large fleet is forecast from fewer origins."""


@dataclass(frozen=True)
class Candidates:
    """The LSTM and its rivals, the slots that they predict, and those of a season (None: a day's)."""

    lstm: Forecaster
    rivals: tuple[Forecaster, ...]
    horizon: int
    season: int | None


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Held-out windows of one panel: some calibrate the LSTM, the others choose.

    Attributes
    ----------
    calibrates
        bool ``[row]``: whether a window calibrates; else it chooses.
    metrics
        ``[row]``: name of the metric.
    now
        float32 ``[row]``: value of the slot of the origin, NaN where it is a gap.
    actual
        float32 ``[row, step]``: what was measured, NaN = a gap.
    scale
        float64 ``[row]``: in-sample error of seasonal-naive, the unit of MASE.
    lstm
        The LSTM's forecasts of all rows, before calibration.
    rivals
        Forecasts of the other candidates by name, of the rows that choose.
    limits
        By metric the limit, and whether crossing it is upwards.
    outer
        5 % and 95 % quantiles of the rivals that have them, float32 ``[row that chooses, step, 2]``.
    whole
        ``now`` and ``actual`` with the one-offs that they are without, float32 ``[row, 1 + step]``; None = the same.
    """

    calibrates: Marks
    metrics: npt.NDArray[np.str_]
    now: Float
    actual: Float
    scale: npt.NDArray[np.float64]
    lstm: Forecasts
    rivals: Mapping[str, Forecasts]
    limits: Mapping[str, tuple[float, bool]]
    outer: Mapping[str, Float] = field(default_factory=dict)
    whole: Float | None = None

    @property
    def seen(self) -> tuple[Float, Float]:
        """Value of the slot of the origin and what came after it, as measured: with one-offs, where they are known."""
        return (self.now, self.actual) if self.whole is None else (self.whole[:, 0], self.whole[:, 1:])


def first_held_out(slots: int, *, share: float, horizon: int) -> int:
    """First of so many slots that is kept from training: the share or two horizons, the more, but at most a third."""
    kept = max(int(slots * share), min(2 * horizon, slots // 3))
    return max(slots - kept, 1)


def origins_for(panels: Sequence[Panel]) -> int:
    """Number of origins that the series of the panels are forecast from."""
    series = sum(int(np.isfinite(panel.values).any(axis=1).sum()) for panel in panels)
    return min(max(WINDOWS // max(series, 1), MIN_ORIGINS), MAX_ORIGINS)


def forecast_held_out(
    panel: Panel, candidates: Candidates, *, first: int, origins: int, measured: Panel | None = None
) -> HeldOut | None:
    """Forecasts by all candidates of the slots from ``first`` on, from so many origins.

    Every other origin calibrates; ``measured`` is the panel with its one-offs. None where no horizon fits behind the
    slots that were trained on.
    """
    horizon = candidates.horizon
    last = panel.values.shape[1] - horizon - 1
    if last < first - 1:
        return None
    chosen = np.unique(np.linspace(first - 1, last, min(origins, last - first + 2)).astype(int)).tolist()
    choosing = chosen[1::2] or chosen
    rows = rows_of(panel, chosen)
    steps = np.arange(1, horizon + 1)
    scale = seasonal_scale(panel, candidates.season or panel.slots_per_day, end=first)
    after = rows.entities[:, None], rows.origins[:, None] + steps, rows.metrics[:, None]
    at = rows.entities[:, None], rows.origins[:, None] + np.arange(horizon + 1), rows.metrics[:, None]
    return HeldOut(
        calibrates=~np.isin(rows.origins, choosing),
        metrics=np.array(panel.metric_names)[rows.metrics],
        now=panel.values[rows.entities, rows.origins, rows.metrics],
        actual=panel.values[after],
        scale=scale[rows.entities, rows.metrics].astype(np.float64),
        lstm=candidates.lstm.predict(ForecastRequest(panel, chosen, horizon)),
        limits=_limits(panel.metrics),
        rivals={rival.name: rival.predict(ForecastRequest(panel, choosing, horizon)) for rival in candidates.rivals},
        whole=None if measured is None or measured is panel else measured.values[at],
    )


def calibrating_origins(panel: Panel, table: HeldOut) -> list[int]:
    """Slots of the origins whose windows calibrate."""
    return [panel.slot(origin) for origin in np.unique(table.lstm.origins[table.calibrates])]


def _limits(metrics: Sequence[Metric]) -> dict[str, tuple[float, bool]]:
    """Limits by metric, with whether crossing them is upwards."""
    return {
        metric.name: (metric.limit, metric.worse is Worse.UP)
        for metric in metrics
        if metric.limit is not None and metric.is_limited
    }
