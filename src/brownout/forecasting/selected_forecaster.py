"""The forecaster of a night: for each metric the calibrated LSTM or a rival, whichever did best on held-out windows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from brownout.domain.errors import NotFittedError
from brownout.domain.forecast_request import Covariate, ForecastRequest
from brownout.domain.forecasts import QUANTILES, Driver, Forecasts, Skill
from brownout.domain.panel import Float, Panel
from brownout.domain.ports import Forecaster, Progress, no_progress
from brownout.forecasting.baselines.medians import MedianLevel
from brownout.forecasting.baselines.naive import Naive, SeasonalNaive, WeeklyNaive
from brownout.forecasting.baselines.smoothing import Smoothing
from brownout.forecasting.cold_start.newcomer_forecasts import ColdStart, forecast_newcomers, learn_cold_start
from brownout.forecasting.covariates.console_covariates import ConsoleCovariates, Predict, covariates_ahead
from brownout.forecasting.covariates.load_attribution import drivers_of
from brownout.forecasting.covariates.load_choice import with_loads
from brownout.forecasting.covariates.load_model import LoadModel
from brownout.forecasting.exceedance.breach_skill import odds_of, persistence_of, with_brier
from brownout.forecasting.exceedance.chance_correction import Chances
from brownout.forecasting.exceedance.habits import without_gaps_of
from brownout.forecasting.exceedance.told_odds import told_odds
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.model_files import damage_is_told, read_card, write_card
from brownout.forecasting.network.lstm import LstmForecaster
from brownout.forecasting.parts import ALL_PARTS, ForecastParts, Part
from brownout.forecasting.present import (
    Survival,
    Trending,
    joined_weights,
    mixed_with_trends,
    present_shift,
    relief,
    trends_of,
    with_first_step,
    with_open_excursions,
)
from brownout.forecasting.selection.calibration import BANDS, Calibration, bands_of, beyond, outer_of
from brownout.forecasting.selection.held_out import (
    Candidates,
    HeldOut,
    calibrating_origins,
    first_held_out,
    forecast_held_out,
    origins_for,
)
from brownout.forecasting.selection.model_choice import calibration_of, choose
from brownout.forecasting.series_rows import Rows, clip_to_bounds, rows_of
from brownout.numerics.arrays import Doubles

__all__ = ["SelectedForecaster"]

COPIES = {SeasonalNaive.name: 1, WeeklyNaive.name: 7}
"""Rivals that repeat what was so many seasons ago, at whatever level it was."""
NOTHING = Skill(
    metric="",
    maker="none",
    windows=0,
    mase=float("nan"),
    crps=float("nan"),
    coverage=float("nan"),
    note="nothing was measured before the held-out windows, so nothing is forecast",
)
"""Skill of a forecaster that learned nothing."""


class _History(NamedTuple):
    """What a forecaster learns from: what it trains on, the same as measured, and habits of held-out panels."""

    early: Sequence[Panel]
    measured: Sequence[Panel]
    own: Sequence[Panel]


@dataclass
class SelectedForecaster:
    """LSTM and classical forecasters; each metric is forecast by the one that did best on held-out windows.

    The last ``validation_share`` of the time axis, or two horizons, is kept from training. Its windows alternate
    between calibrating the LSTM and choosing, so that no window does both. The choice is made for each quarter of the
    horizon. A metric that was never seen is forecast by seasonal-naive.

    Attributes
    ----------
    parts
        What is learned and chosen from beside the LSTM and seasonal-naive.
    lstm_
        The network; None until fit succeeds, and where there was nothing to learn from.
    learned_nothing_
        Whether fit met no value before the held-out windows: then nothing is forecast.
    loads_
        How console latency follows the loads of guest and host.
    calibration_
        Factors on the width of the LSTM's quantiles.
    bands_
        Name of the chosen forecaster of each quarter of the horizon, by metric.
    chances_
        Autocorrelation of a metric's steps, and how its chances to cross a limit are corrected.
    cold_
        How far a series with hours of past follows its siblings.
    survival_
        How long excursions of a family of metrics last.
    skills_
        The backtest by metric, and one for all together with metric "".
    """

    settings: LstmSettings
    validation_share: float = 0.15
    parts: ForecastParts = ALL_PARTS
    lstm_: LstmForecaster | None = None
    learned_nothing_: bool = False
    loads_: LoadModel = field(default_factory=LoadModel)
    calibration_: Calibration = field(default_factory=lambda: Calibration(1, {}))
    bands_: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    chances_: Chances = field(default_factory=Chances)
    cold_: ColdStart = field(default_factory=ColdStart)
    survival_: Survival = field(default_factory=Survival)
    skills_: tuple[Skill, ...] = ()
    name: ClassVar[str] = "selected"

    @property
    def makers_(self) -> Mapping[str, str]:
        """Name of the chosen forecaster by metric; several, joined by +, where the quarters differ."""
        return {metric: "+".join(dict.fromkeys(makers)) for metric, makers in self.bands_.items()}

    @property
    def rivals(self) -> tuple[Forecaster, ...]:
        """The forecasters beside the LSTM."""
        season = self.settings.season
        rivals = (SeasonalNaive(season), Naive(), WeeklyNaive(season), Smoothing(season), MedianLevel(season))
        return tuple(rival for rival in rivals if self.parts.named(rival.name))

    def fit(
        self,
        panels: Sequence[Panel],
        progress: Progress = no_progress,
        *,
        champion: Self | None = None,
        measured: Sequence[Panel] | None = None,
    ) -> Self:
        """Train, calibrate and choose; the LSTM starts from that of a ``champion`` of the same shape.

        ``measured`` are the same panels with their one-offs, by which chances to cross limits are judged.
        Where nothing was measured before the held-out windows the forecaster predicts nothing, and its skill says so.
        """
        early = self._early(panels)
        if not any(np.isfinite(panel.values).any() for panel in early):
            nothing = type(self)(self.settings, self.validation_share, self.parts)
            vars(self).update(vars(nothing), learned_nothing_=True, skills_=(NOTHING,))
            return self
        lstm = LstmForecaster(self.settings).fit(early, progress, champion=champion.lstm_ if champion else None)
        self.fit_choice(lstm, panels, measured=measured)
        progress("train the forecaster", 1.0)
        return self

    def fit_choice(
        self, lstm: LstmForecaster, panels: Sequence[Panel], *, measured: Sequence[Panel] | None = None
    ) -> Self:
        """Calibrate and choose with an LSTM that has learned what is not held out of the same panels."""
        candidates = Candidates(lstm, self.rivals, self.settings.horizon, self.settings.season)
        origins, held_out, own = origins_for(panels), [], []
        for (panel, cut), whole in zip(self._cuts(panels), measured or panels, strict=True):
            table = forecast_held_out(panel, candidates, first=cut, origins=origins, measured=whole)
            if table is not None:
                held_out.append((panel, table))
                own.append(without_gaps_of(whole, panel))
        self._learn(lstm, _History(self._early(panels), self._early(measured or panels), own), held_out)
        if self.parts.has(Part.OPEN_EXCURSIONS):
            self.survival_ = Survival.learn(measured or panels)
        self.lstm_, self.learned_nothing_ = lstm, False
        return self

    def _early(self, panels: Sequence[Panel]) -> list[Panel]:
        """What is not held out of panels."""
        return [panel.between(panel.start, panel.start + cut * panel.step) for panel, cut in self._cuts(panels)]

    def _cuts(self, panels: Sequence[Panel]) -> list[tuple[Panel, int]]:
        """Each panel with its first slot that is held out of the training."""
        share, horizon = self.validation_share, self.settings.horizon
        return [(panel, first_held_out(panel.values.shape[1], share=share, horizon=horizon)) for panel in panels]

    def _learn(self, lstm: LstmForecaster, history: _History, held_out: Sequence[tuple[Panel, HeldOut]]) -> None:
        """Everything that held-out windows say of a trained LSTM."""
        early, horizon, on = history.early, self.settings.horizon, self.parts.has
        self.calibration_ = calibration_of([t for _, t in held_out] if on(Part.CALIBRATION) else [], horizon)
        loads = LoadModel.learn(early) if on(Part.COVARIATES) else LoadModel()
        self.loads_, tables = with_loads(loads, held_out, self.calibration_, _stored_forecasts(lstm, held_out))
        persistence = persistence_of(tables, self.calibration_) if on(Part.AUTOCORRELATION) else {}
        choice = choose(tables, self.calibration_)
        self.bands_ = choice.makers
        odds = odds_of(held_out, early, self.calibration_, persistence) if on(Part.EXCEEDANCE_CORRECTION) else {}
        chances = Chances(persistence, odds)
        judged = list(zip(history.own, tables, strict=True))
        self.skills_, self.chances_ = choice.skills, chances
        if on(Part.EXCEEDANCE_CORRECTION):
            self.skills_, self.chances_ = with_brier(choice, judged, history.measured, self.calibration_, chances)
        if not on(Part.SIBLINGS):
            return
        trained = replace(self, lstm_=lstm)
        self.cold_ = learn_cold_start(
            [panel for panel, _ in held_out],
            [calibrating_origins(panel, table) for panel, table in held_out],
            lambda panel, origins: trained.direct_and_chosen(ForecastRequest(panel, origins, horizon)),
        )

    def predict(self, request: ForecastRequest) -> Forecasts:
        """Predict each metric by its chosen forecasters.

        Console latency follows the forecasts of the request's covariates where that was chosen; without covariates the
        LSTM alone predicts it. A series with less than a day of past follows its siblings in the panel and in those of
        the request, as far as that helped in the backtest.
        """
        direct, chosen = self.direct_and_chosen(request)
        rows = rows_of(request.panel, request.origins if chosen.series else ())
        chosen = replace(chosen, odds=told_odds(self.chances_, rows, request, self.settings.horizon))
        trending = np.zeros(0, np.int64)
        if self.parts.has(Part.LOCAL_TREND):
            better = relief(chosen.values[:, 0, QUANTILES.index(0.5)], rows)[:, None, None]
            chosen = replace(chosen, values=chosen.values + better, outer=outer_of(chosen) + better)
            trends = self.trends(request)
            trending = trends.places
            chosen = mixed_with_trends(chosen, trends)
        if self.parts.has(Part.OPEN_EXCURSIONS):
            beside = [covariate.panel for covariate in request.covariates]
            chosen = with_open_excursions(chosen, rows, self.survival_, trending, beside)
        if self.cold_.shares:
            chosen = self._with_newcomers(request, rows, direct, chosen)
        values, outer = chosen.values, outer_of(chosen)
        if self.parts.has(Part.CONTINUITY):
            values, outer = with_first_step(values, outer, rows)
        values = clip_to_bounds(values, rows)
        return replace(chosen, values=values, outer=clip_to_bounds(beyond(outer, values), rows))

    def trends(self, request: ForecastRequest) -> Trending:
        """Trends that series of a request are in at its origins, where they did better than the chosen forecasters."""
        known = self.parts.has(Part.LOCAL_TREND) and not self.learned_nothing_
        return trends_of(rows_of(request.panel, request.origins if known else ()), request.horizon, self._chosen_at)

    def _chosen_at(self, panel: Panel, origin: int, steps: int) -> Forecasts:
        """Forecasts of a panel by the chosen forecasters alone."""
        request = ForecastRequest(panel, (origin,), self.settings.horizon)
        made = self.direct_and_chosen(request)[1]
        return replace(made, values=made.values[:, :steps], outer=None)

    def _with_newcomers(self, request: ForecastRequest, rows: Rows, direct: Forecasts, chosen: Forecasts) -> Forecasts:
        """The chosen forecasts, of what has less than a day of past with those of its siblings."""
        panel, horizon = request.panel, request.horizon
        values, outer = chosen.values, outer_of(chosen)
        makers = np.array(chosen.makers, object)
        others = [p for p in request.siblings if p is not panel and p.interval_s == panel.interval_s]
        newcomers = forecast_newcomers(
            self.cold_,
            rows,
            direct,
            (panel, *others),
            lambda siblings, origins: self.direct_and_chosen(ForecastRequest(siblings, origins, horizon)),
        )
        for places, made in newcomers:
            part = Rows(panel, rows.origins[places], rows.entities[places], rows.metrics[places])
            values[places], outer[places] = clip_to_bounds(made.values, part), clip_to_bounds(outer_of(made), part)
            makers[places] = made.makers
        return replace(chosen, values=values, outer=outer, makers=tuple(makers.tolist()))

    def direct_and_chosen(self, request: ForecastRequest) -> tuple[Forecasts, Forecasts]:
        """The LSTM's forecasts before calibration, and those of the chosen forecasters; siblings are not read."""
        if self.learned_nothing_:
            empty = rows_of(request.panel, ()).forecasts(np.empty((0, request.horizon, len(QUANTILES)), np.float32), "")
            return empty, empty
        if self.lstm_ is None:
            raise NotFittedError("The forecaster has not been trained.", remedy="Call fit first, or load one.")
        direct = self.lstm_.predict(request)
        rows = rows_of(request.panel, request.origins)
        values, outer, by_step = self._chosen(direct, request, rows)
        return direct, replace(
            direct,
            values=clip_to_bounds(values, rows),
            outer=clip_to_bounds(beyond(outer, values), rows),
            makers=tuple("+".join(dict.fromkeys(names)) for names in by_step.tolist()),
            persistence=tuple(self.chances_.autocorrelation(series.metric) for series in direct.series),
        )

    def _chosen(
        self, direct: Forecasts, request: ForecastRequest, rows: Rows
    ) -> tuple[Float, Float, npt.NDArray[np.str_]]:
        """Values and outer quantiles by the forecasters chosen, and the name of each step's: ``[row, step]``."""
        horizon = request.horizon
        made = {LstmForecaster.name: (self.calibration_.apply(direct), self.calibration_.outer(direct))}
        unseen = (SeasonalNaive.name,) * BANDS
        by_band = np.array([self.bands_.get(series.metric, unseen) for series in direct.series], str)
        by_step = by_band.reshape(-1, BANDS)[:, bands_of(horizon, self.settings.horizon)]
        for rival in self.rivals:
            if (by_step == rival.name).any():
                theirs = rival.predict(request)
                made[rival.name] = theirs.values, outer_of(theirs)
                if rival.name in COPIES and self.parts.has(Part.LOCAL_TREND):
                    lag = COPIES[rival.name] * (self.settings.season or request.panel.slots_per_day)
                    moved = present_shift(rows, lag, horizon)[..., None]
                    made[rival.name] = theirs.values + moved, outer_of(theirs) + moved
        covariates = ConsoleCovariates.of(request) if (by_step == LoadModel.name).any() else None
        if covariates is not None and covariates.ahead:
            made[LoadModel.name] = self.loads_.blended(direct, made[LstmForecaster.name], covariates)
        else:
            by_step = np.where(by_step == LoadModel.name, LstmForecaster.name, by_step)
        values, outer = (np.zeros_like(part) for part in made[LstmForecaster.name])
        for name, (paths, bounds) in made.items():
            weights = (by_step == name).astype(np.float32)
            if self.parts.has(Part.CONTINUITY):
                weights = joined_weights(by_step == name)
            values += weights[..., None] * paths
            outer += weights[..., None] * bounds
        return values, outer, by_step

    def covariates_ahead(
        self, panel: Panel, origins: Sequence[int], others: Sequence[Panel], horizon: int
    ) -> tuple[Covariate, ...]:
        """What is measured and forecast beside a panel of consoles, of the panels of a fleet."""
        return covariates_ahead(
            panel, origins, others, lambda other, slots: self.predict(ForecastRequest(other, slots, horizon))
        )

    def drivers(
        self, forecasts: Forecasts, chance: Doubles, request: ForecastRequest
    ) -> tuple[tuple[Driver, ...] | None, ...]:
        """Which loads drive each row of console latency, by the steps where it is likely beyond its limit.

        ``chance [row, step]``; rows are of the first origin of the request. None where nothing is known.
        """
        return drivers_of(self.loads_, forecasts, chance, ConsoleCovariates.of(request))

    def save(self, folder: Path) -> None:
        """Write the choice, and the LSTM in a folder below."""
        if self.lstm_ is not None:
            self.lstm_.save(folder / "lstm")
        elif not self.learned_nothing_:
            raise NotFittedError("The forecaster has not been trained.", remedy="Call fit before save.")
        facts = {
            "settings": asdict(self.settings),
            "learned_nothing": self.learned_nothing_,
            "validation_share": self.validation_share,
            "without": sorted(self.parts.off),
            "calibration": asdict(self.calibration_),
            "bands": dict(self.bands_),
            **self.chances_.facts(),
            "cold": asdict(self.cold_),
            "survival": asdict(self.survival_),
            "loads": self.loads_.facts(),
            "skills": [asdict(skill) for skill in self.skills_],
        }
        write_card(folder, self.name, facts)

    @classmethod
    @damage_is_told
    def load(cls, folder: Path) -> Self:
        """Read a stored forecaster; raises ModelError where it is damaged or from another version."""
        card = read_card(folder, cls.name)
        nothing = card.get("learned_nothing", False)
        lstm = None if nothing else LstmForecaster.load(folder / "lstm")
        return cls(
            settings=LstmSettings.from_table(card["settings"]) if lstm is None else lstm.settings,
            learned_nothing_=nothing,
            validation_share=card["validation_share"],
            parts=ForecastParts.without(set(card.get("without", ())) & set(Part)),
            lstm_=lstm,
            calibration_=Calibration.of(card["calibration"]),
            bands_={metric: tuple(makers) for metric, makers in card["bands"].items()},
            chances_=Chances.from_facts(card),
            cold_=ColdStart.of(card["cold"]) if "cold" in card else ColdStart(),
            survival_=Survival.of(card["survival"]) if "survival" in card else Survival(),
            loads_=LoadModel.from_facts(card["loads"]) if "loads" in card else LoadModel(),
            skills_=tuple(_skill(table) for table in card["skills"]),
        )


def _stored_forecasts(lstm: LstmForecaster, held_out: Sequence[tuple[Panel, HeldOut]]) -> Predict:
    """Held-out forecasts of the LSTM; made anew where a panel has other origins than the consoles."""
    stored = {entity: table.lstm for panel, table in held_out for entity in panel.entity_ids}

    def predict(panel: Panel, slots: Sequence[int]) -> Forecasts:
        forecasts = stored[panel.entity_ids[0]]
        times = panel.start + np.asarray(slots, np.int64) * panel.step
        if np.isin(times, forecasts.origins).all():
            return forecasts
        return lstm.predict(ForecastRequest(panel, slots, forecasts.horizon))

    return predict


def _skill(table: Mapping[str, Any]) -> Skill:
    quarters = tuple((name, tuple(row)) for name, row in table.get("quarters", ()))
    return Skill(**{**table, "quarters": quarters, "bins": tuple(map(tuple, table.get("bins", ())))})
