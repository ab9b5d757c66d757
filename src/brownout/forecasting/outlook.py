"""Outlook: weeks ahead on wide slots, for limits that a fill or a leak crosses long after the LSTM's horizon ends.

A month holds too few wide slots to train a network on, so the candidates read everything off a series' own past. Each
is calibrated on half of the held-out origins; the other half choose, metric by metric and apart for series that rise or
fall: a disk in a hundred that fills up must not be forecast like the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from brownout.domain.errors import NotFittedError
from brownout.domain.exceedance import PathModel
from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import QUANTILES, Forecasts, Series
from brownout.domain.panel import Float, Panel
from brownout.domain.ports import Forecaster, Progress, no_progress
from brownout.forecasting.baselines.daily_deciles import DailyDeciles
from brownout.forecasting.baselines.naive import Naive, SeasonalNaive, seasonal_scale
from brownout.forecasting.baselines.smoothing import Smoothing
from brownout.forecasting.baselines.trend import Trend, rises
from brownout.forecasting.exceedance.breach_skill import learn_persistence
from brownout.forecasting.model_files import damage_is_told, read_card, write_card
from brownout.forecasting.parts import ALL_PARTS, ForecastParts, Part
from brownout.forecasting.selection.calibration import Calibration, calibrate
from brownout.forecasting.series_rows import Rows, clip_to_bounds, rows_of
from brownout.numerics.arrays import Marks
from brownout.numerics.losses import path_losses, skill_ratio

__all__ = ["Outlook", "sampled"]

ORIGINS = 8
"""Origins of the backtest; every other one calibrates."""
WINDOWS = 10_000
"""Windows that are enough to choose by: of a large fleet every n-th entity of a panel is used."""
REACH = 0.5
"""Longest horizon as a share of the history: a longer one could not be tested."""
CANDIDATES: tuple[Forecaster, ...] = (Trend(), Smoothing(), Naive(), DailyDeciles(), SeasonalNaive())
RISING = ".rising"
"""Added to the name of the metric where a series rises or falls."""


@dataclass(frozen=True, eq=False)
class _Table:
    """Held-out windows of a panel, and each candidate's forecasts of them.

    ``calibrates``, ``kinds`` and ``scale`` are ``[row]``, ``actual`` is ``[row, step]``; see ``HeldOut``.
    """

    calibrates: Marks
    kinds: npt.NDArray[np.str_]
    actual: Float
    scale: npt.NDArray[np.float64]
    made: tuple[Forecasts, ...]


@dataclass
class Outlook:
    """Forecasts of at most ``horizon`` wide slots, by the candidate that did best on held-out windows.

    Attributes
    ----------
    horizon_
        Slots that could be tested: half of the history at most; 0 where it is too short.
    makers_, skills_
        The candidate chosen and its CRPS as a ratio to seasonal-naive, by kind of series: the name of the metric, with
        ``RISING`` after it where the series rises or falls.
    """

    horizon: int
    parts: ForecastParts = ALL_PARTS
    horizon_: int | None = None
    makers_: Mapping[str, str] = field(default_factory=dict)
    skills_: Mapping[str, float] = field(default_factory=dict)
    calibrations_: Mapping[str, Calibration] = field(default_factory=dict)
    persistence_: Mapping[str, float] = field(default_factory=dict)
    name: ClassVar[str] = "outlook"

    def fit(self, panels: Sequence[Panel], progress: Progress = no_progress) -> Self:
        """Calibrate and choose."""
        panels = panels if self.parts.has(Part.OUTLOOK) else ()
        longest = max((panel.values.shape[1] for panel in panels), default=0)
        self.horizon_ = min(self.horizon, int(longest * REACH))
        tables = [
            _held_out(panel, self.horizon_, self.candidates)
            for panel in sampled(panels)
            if _origins(panel, self.horizon_)
        ]
        if tables:
            self._choose(tables)
        else:
            self.horizon_ = 0
        progress("learn the outlook", 1.0)
        return self

    @property
    def candidates(self) -> tuple[Forecaster, ...]:
        """The forecasters that are chosen from; seasonal-naive is the last."""
        return tuple(candidate for candidate in CANDIDATES if self.parts.named(candidate.name))

    def _choose(self, tables: Sequence[_Table]) -> None:
        kinds, actual = (np.concatenate([getattr(t, name) for t in tables]) for name in ("kinds", "actual"))
        scale, learns = (np.concatenate([getattr(t, name) for t in tables]) for name in ("scale", "calibrates"))
        made = [_joined([table.made[place] for table in tables]) for place in range(len(self.candidates))]
        fits = [self._calibration(kinds[learns], forecasts.values[learns], actual[learns]) for forecasts in made]
        values = [fit.apply(forecasts)[~learns] for fit, forecasts in zip(fits, made, strict=True)]
        best, self.skills_ = _best(kinds[~learns], values, actual[~learns], scale[~learns])
        names = [candidate.name for candidate in self.candidates]
        self.makers_ = {kind: names[place] for kind, place in best.items()}
        self.calibrations_ = {names[place]: fits[place] for place in sorted(set(best.values()))}
        if not self.parts.has(Part.AUTOCORRELATION):
            return
        persistence: dict[str, float] = {}
        for place in sorted(set(best.values())):
            rows = learns & np.isin(kinds, [kind for kind, chosen in best.items() if chosen == place])
            chosen = made[place].rows(np.flatnonzero(rows).tolist())
            chosen = replace(chosen, values=fits[place].apply(chosen))
            persistence |= learn_persistence(kinds[rows], chosen, actual[rows])
        self.persistence_ = persistence

    def _calibration(self, kinds: npt.NDArray[np.str_], values: Float, actual: Float) -> Calibration:
        if not self.parts.has(Part.CALIBRATION):
            return Calibration(actual.shape[1], {})
        return calibrate(kinds, values, actual)

    def predict(self, request: ForecastRequest) -> Forecasts:
        """Predict all series that were measured by an origin, for at most the horizon that could be tested."""
        if self.horizon_ is None:
            raise NotFittedError("The outlook has not been learned.", remedy="Call fit first, or load one.")
        steps = min(request.horizon, self.horizon_)
        rows = rows_of(request.panel, request.origins if steps else [])
        kinds = _kinds(rows)
        makers = np.array([self._maker(kind) for kind in kinds.tolist()], str)
        values = np.zeros((len(rows), max(steps, 1), len(QUANTILES)), np.float32)
        for candidate in self.candidates:
            theirs = makers == candidate.name
            if theirs.any():
                made = _named(candidate.predict(replace(request, horizon=steps)), kinds)
                fit = self.calibrations_.get(candidate.name, Calibration(steps, {}))
                values[theirs] = fit.apply(made)[theirs]
        forecasts = rows.forecasts(clip_to_bounds(values, rows), self.name)
        persistence = tuple(self.persistence_.get(kind, PathModel().persistence) for kind in kinds.tolist())
        return replace(forecasts, makers=tuple(makers.tolist()), persistence=persistence)

    def _maker(self, kind: str) -> str:
        """The candidate chosen; for a kind never seen the trend where it rises or falls, else the daily deciles."""
        unseen = Trend.name if kind.endswith(RISING) else DailyDeciles.name
        return self.makers_.get(kind, unseen if self.parts.named(unseen) else SeasonalNaive.name)

    def save(self, folder: Path) -> None:
        """Write what was learned."""
        if self.horizon_ is None:
            raise NotFittedError("The outlook has not been learned.", remedy="Call fit before save.")
        facts = {"horizon": self.horizon, "tested": self.horizon_, "makers": dict(self.makers_)}
        facts |= {"without": sorted(self.parts.off)}
        facts |= {"skills": dict(self.skills_), "persistence": dict(self.persistence_)}
        write_card(folder, self.name, facts | {"calibrations": {k: asdict(v) for k, v in self.calibrations_.items()}})

    @classmethod
    @damage_is_told
    def load(cls, folder: Path) -> Self:
        """Read a stored outlook; raises ModelError where it is damaged or from another version."""
        card = read_card(folder, cls.name)
        return cls(
            horizon=card["horizon"],
            parts=ForecastParts.without(card.get("without", ())),
            horizon_=card["tested"],
            makers_=card["makers"],
            skills_=card["skills"],
            calibrations_={name: Calibration.of(table) for name, table in card["calibrations"].items()},
            persistence_=card["persistence"],
        )


def sampled(panels: Sequence[Panel]) -> list[Panel]:
    """Entities of the panels, evenly chosen, whose windows are enough."""
    series = sum(int(np.isfinite(panel.values).any(axis=1).sum()) for panel in panels)
    every = max(-(-series * ORIGINS // WINDOWS), 1)
    return [panel.select(entities=range(0, len(panel.entities), every)) for panel in panels]


def _origins(panel: Panel, horizon: int) -> list[int]:
    """The last origins whose horizon is in the panel, over an eighth of it, with a season before each."""
    slots, season = panel.values.shape[1], panel.slots_per_day
    last = slots - horizon - 1
    first = max(last - slots // 8, 2 * season)
    return np.unique(np.linspace(first, last, ORIGINS).astype(int)).tolist() if horizon and last > first else []


def _held_out(panel: Panel, horizon: int, candidates: Sequence[Forecaster]) -> _Table:
    origins = _origins(panel, horizon)
    rows = rows_of(panel, origins)
    steps = np.arange(1, horizon + 1)
    request = ForecastRequest(panel, origins, horizon)
    scale = seasonal_scale(panel, panel.slots_per_day, end=panel.values.shape[1])
    return _Table(
        calibrates=np.isin(rows.origins, origins[::2]),
        kinds=_kinds(rows),
        actual=panel.values[rows.entities[:, None], rows.origins[:, None] + steps, rows.metrics[:, None]],
        scale=scale[rows.entities, rows.metrics].astype(np.float64),
        made=tuple(_named(candidate.predict(request), _kinds(rows)) for candidate in candidates),
    )


def _kinds(rows: Rows) -> npt.NDArray[np.str_]:
    """Name of each row's metric, with ``RISING`` after it where its series rises or falls."""
    names = np.array([*rows.panel.metric_names, ""], str)[rows.metrics]
    return np.where(rises(rows), np.char.add(names, RISING), names)


def _named(made: Forecasts, kinds: npt.NDArray[np.str_]) -> Forecasts:
    """Forecasts with kinds of series in place of metrics, by which they are calibrated."""
    return replace(made, series=tuple(Series(s.entity, k) for s, k in zip(made.series, kinds.tolist(), strict=True)))


def _joined(parts: Sequence[Forecasts]) -> Forecasts:
    return Forecasts(
        series=tuple(series for part in parts for series in part.series),
        origins=np.concatenate([part.origins for part in parts]),
        interval_s=parts[0].interval_s,
        values=np.concatenate([part.values for part in parts]),
        makers=tuple(maker for part in parts for maker in part.makers),
    )


def _best(
    kinds: npt.NDArray[np.str_], values: Sequence[Float], actual: Float, scale: npt.NDArray[np.float64]
) -> tuple[dict[str, int], dict[str, float]]:
    """Number of the candidate of least CRPS and its ratio to the last one, seasonal-naive, by kind of series."""
    losses = [path_losses(made, actual) for made in values]
    best, skills = {}, {}
    for kind in np.unique(kinds):
        kept = kinds == kind
        ratios = [
            skill_ratio(loss.quantile[kept], losses[-1].quantile[kept], loss.count[kept], scale[kept])
            for loss in losses
        ]
        known = np.nan_to_num(ratios, nan=np.inf)
        place = int(known.argmin()) if np.isfinite(known).any() else len(losses) - 1
        best[str(kind)], skills[str(kind)] = place, float(ratios[place])
    return best, skills
