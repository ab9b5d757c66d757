"""Newcomers: what has only hours of past follows its peers, as far as that helped with made-up newcomers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from brownout.domain.forecasts import Forecasts
from brownout.domain.panel import Float, Panel
from brownout.forecasting.baselines.naive import seasonal_scale
from brownout.forecasting.cold_start.sibling_paths import Predict, SiblingForecasts, peer_paths, siblings_with_past
from brownout.forecasting.selection.calibration import Calibration, calibrate
from brownout.forecasting.series_rows import Rows, day_steps, rows_of
from brownout.numerics.losses import path_losses

__all__ = ["AGES_H", "ColdStart", "forecast_by_peers", "forecast_newcomers", "learn_cold_start", "young_rows"]

AGES_H = (0.5, 2.0, 6.0, 24.0)
"""Hours of past that are learned for; an age in between counts as the next, and beyond the last one is grown up."""
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""How much of a forecast may be that of the peers."""
PEERS = "+peers"
"""End of a maker's name that says whose part it is."""
GAIN = 0.98
"""CRPS of the peers' share over that without them, from which they are followed at all."""
NEWCOMERS, ELDERS, ORIGINS = 16, 32, 4
"""Entities of a kind that play newcomers and peers, and origins they are forecast from: enough to choose by."""

Index = npt.NDArray[np.int64]
Played = tuple[npt.NDArray[np.str_], Index, Float, Float, Float, Float]
"""Metric, age, direct forecast, peers' paths, what came, and the unit of error of each row of played newcomers."""


@dataclass(frozen=True)
class ColdStart:
    """The share of the peers in the forecast of a young series by metric, and how wide it must be, one for each age."""

    shares: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    calibrations: tuple[Calibration, ...] = ()

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Self:
        """From what ``asdict`` made of one."""
        shares = {name: tuple(row) for name, row in table["shares"].items()}
        return cls(shares, tuple(Calibration.of(part) for part in table["calibrations"]))

    def blend(self, direct: Forecasts, paths: Float, ages: Index) -> Forecasts:
        """Calibrated forecasts of young rows: ``direct`` ones without peers, and what the peers' ``paths`` say."""
        share = self._share([series.metric for series in direct.series], ages)
        makers = tuple(f"{name}{PEERS}" if part > 0 else name for name, part in zip(direct.makers, share, strict=True))
        values = self.mixed([series.metric for series in direct.series], ages, direct.values, paths)
        mixed = replace(direct, values=values, makers=makers, outer=None)
        outer = np.empty((*values.shape[:2], 2), np.float32)
        for age in np.unique(ages).tolist():
            rows = np.flatnonzero(ages == age)
            made = self.calibrations[age].calibrated(mixed.rows(rows.tolist()))
            values[rows], outer[rows] = made.values, made.outer
        return replace(mixed, values=values, outer=outer)

    def mixed(self, metrics: Sequence[str], ages: Index, direct: Float, paths: Float) -> Float:
        """Quantiles averaged with the share of the peers' paths; rows without peers stay as they are."""
        return _mixed(direct, paths, self._share(metrics, ages))

    def _share(self, metrics: Sequence[str], ages: Index) -> Float:
        nothing = (0.0,) * len(AGES_H)
        pairs = zip(metrics, ages, strict=True)
        return np.array([self.shares.get(metric, nothing)[age] for metric, age in pairs], np.float32)


def forecast_by_peers(forecasts: Forecasts) -> tuple[str, ...]:
    """Entities of which a series is forecast by peers too, sorted."""
    pairs = zip(forecasts.series, forecasts.makers, strict=True)
    return tuple(sorted({series.entity for series, maker in pairs if maker.endswith(PEERS)}))


def age_of(hours: npt.NDArray[np.float64]) -> Index:
    """Place in ``AGES_H`` of each number of hours; their number for what is grown up."""
    return np.searchsorted(np.array(AGES_H), hours - 1e-9).astype(np.int64)


def young_rows(rows: Rows) -> Index:
    """Age of each row's series at its origin as a place in ``AGES_H``."""
    present = np.isfinite(rows.panel.values)
    first = present.argmax(axis=1)[rows.entities, rows.metrics]
    return age_of((rows.origins - first + 1) * rows.panel.interval_s / 3600)


def learn_cold_start(panels: Sequence[Panel], origins: Sequence[Sequence[int]], predict: Predict) -> ColdStart:
    """Play newcomers on held-out windows: cut the past of known entities, forecast them with and without peers.

    The first panel of each kind and interval that has enough entities teaches; ``origins`` are slots of each panel from
    which forecasts may be judged.
    """
    parts: list[Played] = []
    taught: set[tuple[str, int]] = set()
    for panel, slots in zip(panels, origins, strict=True):
        key = (panel.entities[0].kind if panel.entities else "", panel.interval_s)
        if key in taught or len(panel.entities) < 2 or not len(slots):
            continue
        chosen = np.unique(np.linspace(0, len(slots) - 1, min(ORIGINS, len(slots))).astype(int)).tolist()
        played = [part for part in (_played(panel, slots[place], predict) for place in chosen) if len(part[0])]
        parts += played
        if played:
            taught.add(key)
    if not parts:
        return ColdStart()
    metrics, ages, direct, paths, actual, scale = (np.concatenate(column) for column in zip(*parts, strict=True))
    shares = {str(metric): _shares(metrics == metric, ages, (direct, paths, actual, scale)) for metric in set(metrics)}
    cold = ColdStart(dict(sorted(shares.items())))
    values = cold.mixed(metrics.tolist(), ages, direct, paths)
    fits = [calibrate(metrics[ages == age], values[ages == age], actual[ages == age]) for age in range(len(AGES_H))]
    return replace(cold, calibrations=tuple(fits))


def _played(panel: Panel, origin: int, predict: Predict) -> Played:
    """Rows of newcomers made of every other entity with a past, once for each age; the others are their peers."""
    day = day_steps(panel.interval_s)
    past = panel.between(panel.start, panel.start + (origin + 1) * panel.step)
    seen = np.asarray(np.isfinite(past.values).any(axis=2), np.bool_)
    known = np.flatnonzero(seen[:, -day:].any(axis=1) & seen[:, :-day].any(axis=1))
    new, old = known[1::2][:NEWCOMERS], known[::2][:ELDERS]
    elders = past.select(entities=old.tolist())
    peers = SiblingForecasts(elders, origin, predict(elders, [origin])[1])
    slots = min(day, origin + 1)
    lately = past.values[new, origin + 1 - slots :]
    values = np.repeat(lately[None], len(AGES_H), axis=0)
    for age, hours in enumerate(AGES_H):
        values[age, :, : max(slots - max(round(hours * 3600 / panel.interval_s), 1), 0)] = np.nan
    ages = range(len(AGES_H))
    cast = [replace(panel.entities[row], id=f"{age}/{panel.entities[row].id}") for age in ages for row in new]
    stage = Panel(
        values.reshape(-1, *values.shape[2:]),
        past.end - slots * panel.step,
        panel.interval_s,
        tuple(cast),
        panel.metrics,
    )
    made = predict(stage, [slots - 1])[0]
    rows = rows_of(stage, [slots - 1])
    who = new[rows.entities % len(new)]
    steps = origin + np.arange(1, made.horizon + 1)
    actual = panel.values[who[:, None], steps, rows.metrics[:, None]]
    scale = seasonal_scale(panel, day, end=origin + 1)[who, rows.metrics]
    names = np.array(panel.metric_names)[rows.metrics]
    return names, rows.entities // len(new), made.values, peer_paths(rows, slots, [peers]), actual, scale


def forecast_newcomers(
    cold: ColdStart, rows: Rows, direct: Forecasts, panels: Sequence[Panel], predict: Predict
) -> list[tuple[Index, Forecasts]]:
    """Places of the young rows that have peers in the panels, with their forecasts; ``direct`` is without peers.

    The maker says so where a part is theirs.
    """
    ages, panel = young_rows(rows), rows.panel
    young = ages < len(AGES_H)
    found = []
    for origin in np.unique(rows.origins[young]).tolist():
        at = np.flatnonzero((rows.origins == origin) & young)
        new = [panel.entities[row] for row in np.unique(rows.entities[at]).tolist()]
        elders = siblings_with_past(new, panel.start + origin * panel.step, panels, predict)
        if elders:
            some = Rows(panel, rows.origins[at], rows.entities[at], rows.metrics[at])
            paths = peer_paths(some, min(day_steps(panel.interval_s), origin + 1), elders)
            known = np.isfinite(paths).all(axis=(1, 2))
            chosen = at[known]
            found.append((chosen, cold.blend(direct.rows(chosen.tolist()), paths[known], ages[chosen])))
    return found


def _shares(chosen: npt.NDArray[np.bool_], ages: Index, parts: tuple[Float, Float, Float, Float]) -> tuple[float, ...]:
    """The share of least CRPS of one metric at each age."""
    found = []
    for age in range(len(AGES_H)):
        usable = chosen & (ages == age) & (parts[3] > 0) & np.isfinite(parts[1]).all(axis=(1, 2))
        direct, paths, actual, scale = (part[usable] for part in parts)
        losses = [
            float((path_losses(_mixed(direct, paths, np.float32(share)), actual).quantile / scale).sum())
            for share in SHARES
        ]
        best = int(np.argmin(losses))
        found.append(SHARES[best] if losses[best] < GAIN * losses[0] else 0.0)
    return tuple(found)


def _mixed(direct: Float, paths: Float, share: Float | np.float32) -> Float:
    """Quantiles averaged with a share ``[row]`` of the peers' paths; rows without peers stay as they are."""
    weight = np.broadcast_to(np.asarray(share, np.float32), len(direct))[:, None, None]
    mixed: Float = np.where(np.isfinite(paths), direct + (paths - direct) * weight, direct).astype(np.float32)
    return mixed
