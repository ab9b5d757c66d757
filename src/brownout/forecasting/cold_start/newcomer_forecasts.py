"""Newcomers: a series with hours of past follows its siblings, as far as that helped with simulated newcomers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from brownout.domain.forecasts import Forecasts
from brownout.domain.panel import Float, Panel
from brownout.forecasting.baselines.naive import seasonal_scale
from brownout.forecasting.cold_start.sibling_paths import (
    PairPredict,
    SiblingForecasts,
    sibling_paths,
    siblings_with_past,
)
from brownout.forecasting.selection.calibration import Calibration, calibrate
from brownout.forecasting.series_rows import Rows, rows_of
from brownout.numerics.arrays import Index, Marks
from brownout.numerics.losses import path_losses

__all__ = ["AGES_H", "ColdStart", "age_classes", "forecast_by_peers", "forecast_newcomers", "learn_cold_start"]

AGES_H = (0.5, 2.0, 6.0, 24.0)
"""Upper bounds of the age classes in hours of past; a series that is older is no newcomer."""
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Candidates of the weight of the siblings in a forecast."""
SUFFIX = "+peers"
"""End of a maker's name where siblings have a share in the forecast."""
GAIN = 0.98
"""Largest CRPS with siblings over that without, for them to be followed at all."""
MAX_NEWCOMERS, MAX_SIBLINGS, MAX_ORIGINS = 16, 32, 4
"""Entities of a kind that are simulated newcomers and siblings, and origins they are forecast from."""

Names = npt.NDArray[np.str_]


@dataclass(frozen=True)
class ColdStart:
    """Weight of the siblings by metric and age class, and the calibration of the blend by age class."""

    shares: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    calibrations: tuple[Calibration, ...] = ()

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Self:
        """From what ``asdict`` made of it."""
        shares = {name: tuple(row) for name, row in table["shares"].items()}
        return cls(shares, tuple(Calibration.of(part) for part in table["calibrations"]))

    def blend(self, direct: Forecasts, paths: Float, ages: Index) -> Forecasts:
        """Calibrated forecasts of newcomers.

        ``direct`` are those without siblings, ``paths [row, step, quantile]`` those of the siblings, ``ages [row]`` the
        age classes.
        """
        metrics = [series.metric for series in direct.series]
        shares = self._shares(metrics, ages)
        pairs = zip(direct.makers, shares, strict=True)
        makers = tuple(f"{maker}{SUFFIX}" if share > 0 else maker for maker, share in pairs)
        blend = replace(direct, values=_mixed(direct.values, paths, shares), makers=makers, outer=None)
        values, outer = blend.values.copy(), np.empty((*blend.values.shape[:2], 2), np.float32)
        for age in np.unique(ages).tolist():
            rows = np.flatnonzero(ages == age)
            calibrated = self.calibrations[age].calibrated(blend.rows(rows.tolist()))
            values[rows], outer[rows] = calibrated.values, calibrated.outer
        return replace(blend, values=values, outer=outer)

    def mixed(self, metrics: Sequence[str], ages: Index, direct: Float, paths: Float) -> Float:
        """Quantiles averaged with the weight of the siblings' paths; rows without siblings stay as they are."""
        return _mixed(direct, paths, self._shares(metrics, ages))

    def _shares(self, metrics: Sequence[str], ages: Index) -> Float:
        nothing = (0.0,) * len(AGES_H)
        pairs = zip(metrics, ages, strict=True)
        return np.array([self.shares.get(metric, nothing)[age] for metric, age in pairs], np.float32)


def forecast_by_peers(forecasts: Forecasts) -> tuple[str, ...]:
    """Entities with a series in whose forecast siblings have a share, sorted."""
    pairs = zip(forecasts.series, forecasts.makers, strict=True)
    return tuple(sorted({series.entity for series, maker in pairs if maker.endswith(SUFFIX)}))


def age_classes(rows: Rows) -> Index:
    """Index into ``AGES_H`` of the age of each row's series at its origin; its length where it is no newcomer."""
    present = np.isfinite(rows.panel.values)
    first = present.argmax(axis=1)[rows.entities, rows.metrics]
    hours = (rows.origins - first + 1) * rows.panel.interval_s / 3600
    ages: Index = np.searchsorted(np.array(AGES_H), hours - 1e-9).astype(np.int64)
    return ages


def learn_cold_start(panels: Sequence[Panel], origins: Sequence[Sequence[int]], predict: PairPredict) -> ColdStart:
    """Simulate newcomers on held-out windows: cut the past of known entities, forecast them with and without siblings.

    The first panel of each kind and interval that has enough entities teaches; ``origins`` are slots of each panel from
    which forecasts may be judged.
    """
    parts: list[_Newcomers] = []
    taught: set[tuple[str, int]] = set()
    for panel, slots in zip(panels, origins, strict=True):
        key = (panel.entities[0].kind if panel.entities else "", panel.interval_s)
        if key in taught or len(panel.entities) < 2 or not len(slots):
            continue
        chosen = np.unique(np.linspace(0, len(slots) - 1, min(MAX_ORIGINS, len(slots))).astype(int)).tolist()
        simulated = [_simulated(panel, slots[number], predict) for number in chosen]
        simulated = [part for part in simulated if len(part.metrics)]
        parts += simulated
        if simulated:
            taught.add(key)
    return _learned(_Newcomers.joined(parts)) if parts else ColdStart()


@dataclass(frozen=True, slots=True, eq=False)
class _Newcomers:
    """Windows of simulated newcomers.

    ``metrics``, ``ages`` (classes) and ``scale`` (the unit of MASE) are ``[row]``, ``actual`` is ``[row, step]``;
    forecasts without siblings, ``direct``, and the siblings' ``paths`` are ``[row, step, quantile]``.
    """

    metrics: Names
    ages: Index
    direct: Float
    paths: Float
    actual: Float
    scale: Float

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The rows of all parts."""
        return cls(*(np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(cls)))


def _simulated(panel: Panel, origin: int, predict: PairPredict) -> _Newcomers:
    """Newcomers made of every other entity with a past, each once for each age class; the others are siblings."""
    day = panel.slots_per_day
    past = panel.between(panel.start, panel.start + (origin + 1) * panel.step)
    seen = np.asarray(np.isfinite(past.values).any(axis=2), np.bool_)
    known = np.flatnonzero(seen[:, -day:].any(axis=1) & seen[:, :-day].any(axis=1))
    new, old = known[1::2][:MAX_NEWCOMERS], known[::2][:MAX_SIBLINGS]
    with_past = past.select(entities=old.tolist())
    siblings = SiblingForecasts(with_past, origin, predict(with_past, [origin])[1])
    cut = _cut(past, new, slots := min(day, origin + 1))
    direct = predict(cut, [slots - 1])[0]
    rows = rows_of(cut, [slots - 1])
    entities = new[rows.entities % len(new)] if len(new) else rows.entities
    steps = origin + np.arange(1, direct.horizon + 1)
    return _Newcomers(
        metrics=np.array(panel.metric_names)[rows.metrics],
        ages=rows.entities // max(len(new), 1),
        direct=direct.values,
        paths=sibling_paths(rows, slots, [siblings]),
        actual=panel.values[entities[:, None], steps, rows.metrics[:, None]],
        scale=seasonal_scale(panel, day, end=origin + 1)[entities, rows.metrics],
    )


def _cut(past: Panel, new: Index, slots: int) -> Panel:
    """The last slots of some entities, once for each age class, without what is older than its bound."""
    recent = past.values[new, past.values.shape[1] - slots :]
    values = np.repeat(recent[None], len(AGES_H), axis=0)
    for age, hours in enumerate(AGES_H):
        values[age, :, : max(slots - max(round(hours * 3600 / past.interval_s), 1), 0)] = np.nan
    entities = [
        replace(past.entities[row], id=f"{age}/{past.entities[row].id}") for age in range(len(AGES_H)) for row in new
    ]
    return Panel(
        values.reshape(-1, *values.shape[2:]),
        past.end - slots * past.step,
        past.interval_s,
        tuple(entities),
        past.metrics,
    )


def _learned(newcomers: _Newcomers) -> ColdStart:
    metrics, ages = newcomers.metrics, newcomers.ages
    names = sorted({str(metric) for metric in metrics})
    cold = ColdStart({metric: _best_shares(newcomers, metrics == metric) for metric in names})
    values = cold.mixed(metrics.tolist(), ages, newcomers.direct, newcomers.paths)
    of_age = [ages == age for age in range(len(AGES_H))]
    fits = [calibrate(metrics[rows], values[rows], newcomers.actual[rows]) for rows in of_age]
    return replace(cold, calibrations=tuple(fits))


def _best_shares(newcomers: _Newcomers, of_metric: Marks) -> tuple[float, ...]:
    """The weight of least CRPS of a metric in each age class."""
    shares = []
    for age in range(len(AGES_H)):
        usable = of_metric & (newcomers.ages == age) & (newcomers.scale > 0)
        usable &= np.asarray(np.isfinite(newcomers.paths).all(axis=(1, 2)), np.bool_)
        direct, paths, actual = (part[usable] for part in (newcomers.direct, newcomers.paths, newcomers.actual))
        blends = [_mixed(direct, paths, np.float32(share)) for share in SHARES]
        losses = [float((path_losses(blend, actual).quantile / newcomers.scale[usable]).sum()) for blend in blends]
        best = int(np.argmin(losses))
        shares.append(SHARES[best] if losses[best] < GAIN * losses[0] else 0.0)
    return tuple(shares)


def forecast_newcomers(
    cold: ColdStart, rows: Rows, direct: Forecasts, panels: Sequence[Panel], predict: PairPredict
) -> list[tuple[Index, Forecasts]]:
    """Forecasts of the newcomers that have siblings in the panels, with their indices among the rows.

    ``direct`` are the forecasts of all rows without siblings.
    """
    ages, panel = age_classes(rows), rows.panel
    is_new = ages < len(AGES_H)
    parts = []
    for origin in np.unique(rows.origins[is_new]).tolist():
        of_origin = np.flatnonzero((rows.origins == origin) & is_new)
        newcomers = [panel.entities[row] for row in np.unique(rows.entities[of_origin]).tolist()]
        siblings = siblings_with_past(newcomers, panel.start + origin * panel.step, panels, predict)
        if siblings:
            some = Rows(panel, rows.origins[of_origin], rows.entities[of_origin], rows.metrics[of_origin])
            paths = sibling_paths(some, min(panel.slots_per_day, origin + 1), siblings)
            known = np.isfinite(paths).all(axis=(1, 2))
            chosen = of_origin[known]
            parts.append((chosen, cold.blend(direct.rows(chosen.tolist()), paths[known], ages[chosen])))
    return parts


def _mixed(direct: Float, paths: Float, share: Float | np.float32) -> Float:
    """Quantiles averaged with a weight ``[row]`` of the siblings' paths; rows without siblings stay as they are."""
    weight = np.broadcast_to(np.asarray(share, np.float32), len(direct))[:, None, None]
    mixed: Float = np.where(np.isfinite(paths), direct + (paths - direct) * weight, direct).astype(np.float32)
    return mixed
