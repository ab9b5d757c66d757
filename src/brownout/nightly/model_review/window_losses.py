"""Losses of a forecaster on given windows, entity by entity, beside seasonal-naive on the same ones."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from brownout.domain.findings.model_cards import ResidualSpread
from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import Forecasts
from brownout.domain.panel import Panel
from brownout.evaluation.backtest import BacktestScores, actual_after
from brownout.evaluation.breach_scores import BreachScores, windows_of
from brownout.evaluation.paired_tests import ALL
from brownout.forecasting.baselines.naive import SeasonalNaive, seasonal_scale
from brownout.forecasting.fleet_forecaster import FleetForecaster
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.nightly.model_review.residual_spread import Residuals
from brownout.nightly.model_review.sampled_panels import families_of
from brownout.numerics.arrays import Doubles
from brownout.numerics.losses import path_losses

__all__ = ["WindowLosses", "joined_losses", "window_losses"]

Names = npt.NDArray[np.str_]


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowLosses:
    """Sums over the windows of each series; a series a row.

    Attributes
    ----------
    entities, families
        ``[row]``: entity, and the resource of the metric.
    ours, naive
        float64 ``[row]``: CRPS in units of the in-sample error of seasonal-naive, summed over the values.
    inside, count
        float64 ``[row]``: values inside the 80 % interval, and all.
    scores
        MASE, CRPS and coverage by metric, as a backtest has them.
    cpu_s
        Processor time of the forecasts.
    residuals
        How far what came lay from the forecasts, by resource and quarter of the horizon.
    warnings
        Chances to cross a limit, and whether it was crossed, of the metrics that have one.
    """

    entities: Names
    families: Names
    ours: Doubles
    naive: Doubles
    inside: Doubles
    count: Doubles
    scores: BacktestScores = field(default_factory=BacktestScores)
    cpu_s: float = 0.0
    residuals: tuple[ResidualSpread, ...] = ()
    warnings: BreachScores = field(default_factory=BreachScores)

    def by_entity(self, family: str = ALL) -> dict[str, tuple[float, float, float]]:
        """Of each entity: mean loss of the forecaster, that of seasonal-naive, and coverage of the 80 % interval."""
        counted = (self.count > 0) & (np.full(len(self.families), family == ALL) | (self.families == family))
        names, group = np.unique(self.entities[counted], return_inverse=True)
        sums = [np.bincount(group, column[counted], len(names)) for column in (self.ours, self.naive, self.inside)]
        count = np.bincount(group, self.count[counted], len(names))
        rows = zip(*(column / count for column in sums), strict=True)
        return {str(name): (float(a), float(b), float(c)) for name, (a, b, c) in zip(names, rows, strict=True)}

    def ratios(self) -> dict[tuple[str, str], tuple[float, float]]:
        """By resource and entity: loss as a ratio to that of seasonal-naive, and coverage of the 80 % interval."""
        return {
            (family, entity): (ours / naive, inside)
            for family in self.all_families()
            for entity, (ours, naive, inside) in self.by_entity(family).items()
            if naive > 0
        }

    def all_families(self) -> tuple[str, ...]:
        """``all``, and each resource that was scored."""
        return (ALL, *np.unique(self.families[self.count > 0]).tolist())


def window_losses(
    forecaster: SelectedForecaster, panels: Sequence[Panel], origins: Sequence[np.datetime64]
) -> WindowLosses:
    """Forecast panels from the slots that hold the origins, as far as a whole horizon fits behind them."""
    fleet, scores, cpu, parts = FleetForecaster(forecaster, panels), BacktestScores(), 0.0, list[list[Doubles]]()
    horizon, names, families = forecaster.settings.horizon, list[str](), list[str]()
    family_of, residuals, warnings = families_of(panels), Residuals(), BreachScores()
    for panel in panels:
        slots = [panel.slot(origin) for origin in origins]
        slots = sorted({slot for slot in slots if 0 < slot < panel.values.shape[1] - horizon})
        if not slots:
            continue
        request = ForecastRequest(panel, slots, horizon)
        begun = time.process_time()
        forecasts = fleet.predict(request)
        cpu += time.process_time() - begun
        scale = _scales(
            panel, forecasts, seasonal_scale(panel, forecaster.settings.season or panel.slots_per_day, end=slots[0])
        )
        naive = SeasonalNaive(forecaster.settings.season).predict(request)
        if naive.series != forecasts.series:  # a forecaster that learned nothing forecasts nothing
            continue
        actual = actual_after(panel, forecasts)
        scores.add(forecasts, naive, actual, scale, kind=panel.entities[0].kind)
        residuals.add(forecasts, actual, scale, family_of)
        warnings.add(panel, [windows_of(panel, forecasts)])
        parts.append(_columns(forecasts, naive, actual, scale))
        names += [series.entity for series in forecasts.series]
        families += [family_of[series.metric] for series in forecasts.series]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)] if parts else [np.empty(0)] * 4
    ours, theirs, inside, count = columns
    return WindowLosses(
        entities=np.array(names, str),
        families=np.array(families, str),
        ours=ours,
        naive=theirs,
        inside=inside,
        count=count,
        scores=scores,
        cpu_s=cpu,
        residuals=residuals.spreads(),
        warnings=warnings,
    )


def joined_losses(parts: Sequence[WindowLosses]) -> WindowLosses:
    """Losses of several windows as one; without the scores by metric, which are of one set of windows."""
    return WindowLosses(
        entities=np.concatenate([part.entities for part in parts]),
        families=np.concatenate([part.families for part in parts]),
        ours=np.concatenate([part.ours for part in parts]),
        naive=np.concatenate([part.naive for part in parts]),
        inside=np.concatenate([part.inside for part in parts]),
        count=np.concatenate([part.count for part in parts]),
    )


def _scales(panel: Panel, forecasts: Forecasts, scale: np.ndarray) -> np.ndarray:
    """The scale of the series of each row."""
    row_of = {name: row for row, name in enumerate(panel.entity_ids)}
    column_of = {name: column for column, name in enumerate(panel.metric_names)}
    rows = [row_of[series.entity] for series in forecasts.series]
    scales: np.ndarray = scale[rows, [column_of[series.metric] for series in forecasts.series]].astype(np.float64)
    return scales


def _columns(forecasts: Forecasts, naive: Forecasts, actual: np.ndarray, scale: np.ndarray) -> list[Doubles]:
    """Losses of ours and of seasonal-naive in units of the scale, values inside and all; flat series count nothing."""
    ours, theirs = path_losses(forecasts.values, actual), path_losses(naive.values, actual)
    usable = np.isfinite(scale) & (scale > 0)
    unit = np.where(usable, scale, 1.0)
    return [
        np.where(usable, column, 0.0)
        for column in (ours.quantile / unit, theirs.quantile / unit, ours.inside, ours.count)
    ]
