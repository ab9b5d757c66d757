"""Whether forecasts of load improve those of console latency: weights and calibration from held-out windows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import Forecasts, Series
from brownout.domain.panel import Float, Panel
from brownout.forecasting.covariates.console_covariates import ConsoleCovariates, Predict, covariates_ahead
from brownout.forecasting.covariates.load_model import LoadModel, mixed
from brownout.forecasting.covariates.load_paths import follow, latency_of
from brownout.forecasting.selection.calibration import BANDS, Calibration, bands_of, calibrate
from brownout.forecasting.selection.held_out import HeldOut
from brownout.numerics.losses import path_losses

__all__ = ["with_loads"]

WEIGHTS = (0.25, 0.5, 0.75, 1.0)
"""Candidates of the weight of the forecast by loads; weight 0 is the direct forecast, which is a rival anyway."""

Paths = Mapping[str, Float]
"""By latency metric the quantiles that follow the loads, of a table's rows of that metric."""


def with_loads(
    model: LoadModel,
    held_out: Sequence[tuple[Panel, HeldOut]],
    calibration: Calibration,
    predict: Predict,
) -> tuple[LoadModel, list[HeldOut]]:
    """The model with weights from the windows that calibrate, and the windows with the blend among the rivals.

    Where a table holds no console latency the blend is the LSTM itself.
    """
    tables = [table for _, table in held_out]
    if not model.responses:
        return model, tables
    panels = [panel for panel, _ in held_out]
    paths = [_paths(model, panel, table, panels, predict) for panel, table in held_out]
    judged = _judged(model, tables, paths, calibration.horizon)
    return judged, [
        _rival(judged, table, by_metric, calibration) for table, by_metric in zip(tables, paths, strict=True)
    ]


def _paths(model: LoadModel, panel: Panel, table: HeldOut, others: Sequence[Panel], predict: Predict) -> Paths:
    horizon = table.actual.shape[1]
    origins = [panel.slot(time) for time in np.unique(table.lstm.origins)]
    rows = model.rows(panel, origins)
    if not rows:
        return {}
    ahead = covariates_ahead(panel, origins, others, predict)
    covariates = ConsoleCovariates.of(ForecastRequest(panel, origins, horizon, ahead))
    return {
        row.metric: latency_of(follow(model.responses[row.metric], model.contributions(row, covariates)).values)
        for _, row in rows
    }


def _judged(model: LoadModel, tables: Sequence[HeldOut], paths: Sequence[Paths], horizon: int) -> LoadModel:
    """With weights and calibration from the windows that calibrate."""
    weights: dict[str, tuple[float, ...]] = {}
    factors: dict[str, tuple[tuple[float, ...], ...]] = {}
    for metric in model.responses:
        parts = []
        for table, by_metric in zip(tables, paths, strict=True):
            rows = table.calibrates & (table.metrics == metric)
            if metric in by_metric and rows.any():
                parts.append(
                    (table.lstm.values[rows], by_metric[metric][rows[table.metrics == metric]], table.actual[rows])
                )
        if parts:
            direct, followed, actual = (np.concatenate(column) for column in zip(*parts, strict=True))
            weights[metric] = _weights(metric, direct, followed, actual)
            learned = np.array(weights[metric], np.float32)[bands_of(actual.shape[1], horizon)]
            factors |= _factors(metric, mixed(direct, followed, learned), actual).factors
    return replace(model, weights=weights, calibration=Calibration(horizon, factors))


def _weights(metric: str, direct: Float, followed: Float, actual: Float) -> tuple[float, ...]:
    """The weight of least calibrated CRPS for each quarter of the horizon."""
    bands = bands_of(actual.shape[1], actual.shape[1])
    losses = np.zeros((len(WEIGHTS), BANDS))
    for place, weight in enumerate(WEIGHTS):
        blend = mixed(direct, followed, np.full(actual.shape[1], weight, np.float32))
        blend = _factors(metric, blend, actual).apply(_bare(metric, blend))
        for band in range(BANDS):
            losses[place, band] = path_losses(blend[:, bands == band], actual[:, bands == band]).quantile.sum()
    return tuple(WEIGHTS[place] for place in losses.argmin(axis=0).tolist())


def _factors(metric: str, values: Float, actual: Float) -> Calibration:
    return calibrate(np.full(len(values), metric), values, actual)


def _bare(metric: str, values: Float) -> Forecasts:
    """Forecasts for ``Calibration.apply``, which reads their metric and values only."""
    rows = len(values)
    return Forecasts((Series("", metric),) * rows, np.zeros(rows, "datetime64[ms]"), 1, values, ("",) * rows)


def _rival(model: LoadModel, table: HeldOut, paths: Paths, calibration: Calibration) -> HeldOut:
    values, outer = calibration.apply(table.lstm), calibration.outer(table.lstm)
    for metric, followed in paths.items():
        if metric in model.weights:
            places = np.flatnonzero(table.metrics == metric)
            blend = model.blend(table.lstm, places, metric, followed)
            values[places], outer[places] = model.calibration.apply(blend), model.calibration.outer(blend)
    blended = replace(table.lstm, values=values, makers=(model.name,) * len(values))
    choosing: npt.NDArray[np.int64] = np.flatnonzero(~table.calibrates)
    rivals = {**table.rivals, model.name: blended.rows(choosing.tolist())}
    return replace(table, rivals=rivals, outer={**table.outer, model.name: outer[choosing]})
