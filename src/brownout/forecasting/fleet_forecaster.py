"""The forecaster of a night: the calibrated LSTM, or the best classical one where the LSTM loses its backtest."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from brownout.domain.entities import EntityKind
from brownout.domain.errors import NotFittedError
from brownout.domain.forecasts import Driver, Forecasts, Odds, Skill
from brownout.domain.metrics import Metric, Worse
from brownout.domain.panel import Panel
from brownout.domain.ports import Forecaster, Progress, no_progress
from brownout.forecasting.baselines.medians import MedianLevel
from brownout.forecasting.baselines.naive import Naive, SeasonalNaive, WeeklyNaive, seasonal_scale
from brownout.forecasting.baselines.smoothing import Smoothing
from brownout.forecasting.cold_start.newcomer_forecasts import ColdStart, by_peers, learn_cold_start
from brownout.forecasting.covariates.console_covariates import ConsoleCovariates, Predict, covariates_ahead
from brownout.forecasting.covariates.load_attribution import drivers_of
from brownout.forecasting.covariates.load_choice import with_loads
from brownout.forecasting.covariates.load_model import LoadModel
from brownout.forecasting.exceedance.breach_skill import odds_of, persistence_of, with_brier
from brownout.forecasting.exceedance.chance_correction import Chances
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.model_files import read_card, write_card
from brownout.forecasting.network.lstm import LstmForecaster
from brownout.forecasting.selection.calibration import BANDS, Calibration, bands_of, beyond, outer_of
from brownout.forecasting.selection.model_choice import HeldOut, calibration_of, choose
from brownout.forecasting.series_rows import Rows, clip_to_bounds, rows_of
from brownout.numerics.arrays import Doubles

__all__ = ["FleetForecaster", "SelectedForecaster", "origins_for"]

MAX_ORIGINS, MIN_ORIGINS = 24, 8
"""Origins of the backtest: enough to choose by, few enough to be quick."""
WINDOWS = 60_000
"""Windows that are enough to choose by: a large fleet is looked at from fewer origins."""


@dataclass
class SelectedForecaster:
    """LSTM and classical forecasters; each metric is forecast by the one that did best on held-out windows.

    The last ``validation_share`` of the time axis, or two horizons, is kept from training. Its windows alternate
    between calibrating the LSTM and choosing, so that no window does both. The choice is made for each quarter of the
    horizon.

    Attributes
    ----------
    bands_
        Name of the chosen forecaster of each quarter of the horizon, by metric.
    cold_
        How far what has hours of past follows its peers.
    chances_
        How far the steps of a metric's forecasts hang together, and how its chances to cross a limit are corrected.
    skills_
        The backtest by metric, and one for all together with metric "".
    """

    settings: LstmSettings
    validation_share: float = 0.15
    lstm_: LstmForecaster | None = None
    loads_: LoadModel = field(default_factory=LoadModel)
    calibration_: Calibration = field(default_factory=lambda: Calibration(1, {}))
    bands_: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    chances_: Chances = field(default_factory=Chances)
    cold_: ColdStart = field(default_factory=ColdStart)
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
        return (SeasonalNaive(season), Naive(), WeeklyNaive(season), Smoothing(season), MedianLevel(season))

    def fit(self, panels: Sequence[Panel], progress: Progress = no_progress, *, champion: Self | None = None) -> Self:
        """Train, calibrate and choose; raises DataError where there is nothing to learn from.

        The LSTM starts from that of a ``champion`` of the same shape.
        """
        cuts = [self._cut(panel.values.shape[1]) for panel in panels]
        early = [_until(panel, cut) for panel, cut in zip(panels, cuts, strict=True)]
        lstm = LstmForecaster(self.settings).fit(early, progress, champion=champion.lstm_ if champion else None)
        most = origins_for(panels)
        held_out = [self._held_out(lstm, panel, cut, most) for panel, cut in zip(panels, cuts, strict=True)]
        known = [(panel, table) for panel, table in zip(panels, held_out, strict=True) if table]
        self.calibration_ = calibration_of([table for _, table in known], self.settings.horizon)
        self.loads_, tables = with_loads(LoadModel.learn(early), known, self.calibration_, _held_out_of(lstm, known))
        hang = persistence_of(tables, self.calibration_)
        chosen = choose(tables, self.calibration_)
        self.bands_ = chosen.makers
        chances = Chances(hang, odds_of(known, early, self.calibration_, hang))
        self.skills_, self.chances_ = with_brier(chosen, tables, self.calibration_, chances)
        self.cold_ = learn_cold_start(
            [panel for panel, _ in known],
            [_calibrating(panel, table) for panel, table in known],
            partial(replace(self, lstm_=lstm).direct_and_chosen, horizon=self.settings.horizon),
        )
        self.lstm_ = lstm
        progress("train the forecaster", 1.0)
        return self

    def _cut(self, slots: int) -> int:
        """First slot kept from training: the share, or two horizons where that is more, but never over a third."""
        kept = max(int(slots * self.validation_share), min(2 * self.settings.horizon, slots // 3))
        return max(slots - kept, 1)

    def _held_out(self, lstm: LstmForecaster, panel: Panel, cut: int, most: int) -> HeldOut | None:
        horizon = self.settings.horizon
        last = panel.values.shape[1] - horizon - 1
        if last < cut - 1:
            return None
        origins = np.unique(np.linspace(cut - 1, last, min(most, last - cut + 2)).astype(int)).tolist()
        choosing = origins[1::2] or origins
        rows = rows_of(panel, origins, horizon)
        steps = np.arange(1, horizon + 1)
        season = self.settings.season or panel.slots_per_day
        scale = seasonal_scale(panel, season, end=cut)
        return HeldOut(
            calibrates=~np.isin(rows.origins, choosing),
            metrics=np.array(panel.metric_names)[rows.metrics],
            now=panel.values[rows.entities, rows.origins, rows.metrics],
            actual=panel.values[rows.entities[:, None], rows.origins[:, None] + steps, rows.metrics[:, None]],
            scale=scale[rows.entities, rows.metrics].astype(np.float64),
            lstm=lstm.predict(panel, origins, horizon),
            limits=_limits(panel.metrics),
            rivals={rival.name: rival.predict(panel, choosing, horizon) for rival in self.rivals},
        )

    def predict(
        self,
        panel: Panel,
        origins: Sequence[int],
        horizon: int,
        around: ConsoleCovariates | None = None,
        beside: Sequence[Panel] = (),
    ) -> Forecasts:
        """Predict each metric by its chosen forecasters; a metric that was never seen goes to seasonal-naive.

        ``around`` is what surrounds the consoles of the panel at the same origins, whose forecasts those of console
        latency follow; without it the LSTM alone predicts them. What has less than a day of past follows its peers in
        the panel and those ``beside`` it, as far as that helped in the backtest.
        """
        direct, made = self.direct_and_chosen(panel, origins, horizon, around)
        if not self.cold_.shares:
            return made
        rows, values, outer, makers = rows_of(panel, origins, horizon), made.values, outer_of(made), list(made.makers)
        alike = [other for other in beside if other is not panel and other.interval_s == panel.interval_s]
        alone = partial(self.direct_and_chosen, horizon=horizon)
        for places, young in by_peers(self.cold_, rows, direct, (panel, *alike), alone):
            at = Rows(panel, rows.origins[places], rows.entities[places], rows.metrics[places])
            values[places], outer[places] = clip_to_bounds(young.values, at), clip_to_bounds(outer_of(young), at)
            for place, maker in zip(places.tolist(), young.makers, strict=True):
                makers[place] = maker
        return replace(made, makers=tuple(makers))

    def direct_and_chosen(
        self, panel: Panel, origins: Sequence[int], horizon: int, around: ConsoleCovariates | None = None
    ) -> tuple[Forecasts, Forecasts]:
        """The LSTM's forecasts as they are, and those of the chosen forecasters."""
        if self.lstm_ is None:
            raise NotFittedError("The forecaster has not been trained.", remedy="Call fit first, or load one.")
        forecasts = self.lstm_.predict(panel, origins, horizon)
        values, outer = self.calibration_.apply(forecasts), self.calibration_.outer(forecasts)
        unseen = (SeasonalNaive.name,) * BANDS
        chosen = np.array([self.bands_.get(series.metric, unseen) for series in forecasts.series]).reshape(-1, BANDS)
        by_step = chosen[:, bands_of(horizon, self.settings.horizon)]
        for rival in self.rivals:
            theirs = by_step == rival.name
            if theirs.any():
                made = rival.predict(panel, origins, horizon)
                values[theirs], outer[theirs] = made.values[theirs], Calibration(horizon, {}).outer(made)[theirs]
        theirs = by_step == LoadModel.name
        if theirs.any() and around is not None and around.ahead:
            blended = self.loads_.blended(forecasts, (values, outer), around)
            values[theirs], outer[theirs] = (part[theirs] for part in blended)
        elif theirs.any():
            by_step = np.where(theirs, LstmForecaster.name, by_step)
        rows = rows_of(panel, origins, horizon)
        makers = tuple("+".join(dict.fromkeys(names)) for names in by_step.tolist())
        return forecasts, replace(
            forecasts,
            values=clip_to_bounds(values, rows),
            outer=clip_to_bounds(beyond(outer, values), rows),
            makers=makers,
            persistence=tuple(self.chances_.hang(series.metric) for series in forecasts.series),
            odds=tuple(self.chances_.correction(series.metric) for series in forecasts.series),
        )

    def covariates_ahead(
        self, panel: Panel, origins: Sequence[int], beside: Sequence[Panel], horizon: int
    ) -> ConsoleCovariates:
        """What is measured and forecast around the consoles of a panel."""
        return covariates_ahead(
            panel, origins, beside, lambda other, slots: self.predict(other, slots, horizon), horizon
        )

    def drivers(
        self, forecasts: Forecasts, chance: Doubles, around: ConsoleCovariates
    ) -> tuple[tuple[Driver, ...] | None, ...]:
        """Which loads drive each row of console latency, by the steps where it is likely beyond its limit.

        ``chance [row, step]``; rows are of the one origin looked around from. None where nothing is known.
        """
        return drivers_of(self.loads_, forecasts, chance, around)

    def save(self, folder: Path) -> None:
        """Write the choice beside the LSTM's folder."""
        if self.lstm_ is None:
            raise NotFittedError("The forecaster has not been trained.", remedy="Call fit before save.")
        self.lstm_.save(folder / "lstm")
        facts = {
            "validation_share": self.validation_share,
            "calibration": asdict(self.calibration_),
            "bands": dict(self.bands_),
            "persistence": dict(self.chances_.persistence),
            "odds": {metric: asdict(odds) for metric, odds in self.chances_.odds.items()},
            "cold": asdict(self.cold_),
            "loads": self.loads_.facts(),
            "skills": [asdict(skill) for skill in self.skills_],
        }
        write_card(folder, self.name, facts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a stored forecaster; raises ModelError where it is damaged or from another version."""
        card = read_card(folder, cls.name)
        lstm = LstmForecaster.load(folder / "lstm")
        calibration = {
            metric: tuple(tuple(band) for band in bands) for metric, bands in card["calibration"]["factors"].items()
        }
        return cls(
            settings=lstm.settings,
            validation_share=card["validation_share"],
            lstm_=lstm,
            calibration_=Calibration(card["calibration"]["horizon"], calibration),
            bands_={metric: tuple(makers) for metric, makers in card["bands"].items()},
            chances_=Chances(
                card["persistence"], {name: Odds.from_table(odds) for name, odds in card.get("odds", {}).items()}
            ),
            cold_=ColdStart.of(card["cold"]) if "cold" in card else ColdStart(),
            loads_=LoadModel.from_facts(card["loads"]) if "loads" in card else LoadModel(),
            skills_=tuple(_skill(table) for table in card["skills"]),
        )


@dataclass(frozen=True)
class FleetForecaster:
    """A forecaster that knows all panels of a fleet, and forecasts consoles with what surrounds them."""

    forecaster: SelectedForecaster
    panels: Sequence[Panel]
    name: ClassVar[str] = "selected"

    def fit(self, panels: Sequence[Panel], progress: Progress = no_progress) -> Self:
        """Train the forecaster."""
        self.forecaster.fit(panels, progress)
        return self

    def predict(self, panel: Panel, origins: Sequence[int], horizon: int) -> Forecasts:
        """Predict with the forecasts of what surrounds the panel."""
        console = panel.entities and panel.entities[0].kind == EntityKind.CONSOLE
        around = self.forecaster.covariates_ahead(panel, origins, self.panels if console else (), horizon)
        return self.forecaster.predict(panel, origins, horizon, around, self.panels)


def _held_out_of(lstm: LstmForecaster, known: Sequence[tuple[Panel, HeldOut]]) -> Predict:
    """Forecasts that were made already, or are made now where a panel has other origins than the one beside it."""
    made = {entity: table.lstm for panel, table in known for entity in panel.entity_ids}

    def predict(panel: Panel, slots: Sequence[int]) -> Forecasts:
        stored = made[panel.entity_ids[0]]
        times = panel.start + np.asarray(slots, np.int64) * panel.step
        return stored if np.isin(times, stored.origins).all() else lstm.predict(panel, slots, stored.horizon)

    return predict


def _calibrating(panel: Panel, table: HeldOut) -> list[int]:
    """Slots of the origins that calibrate."""
    return [panel.slot(origin) for origin in np.unique(table.lstm.origins[table.calibrates])]


def _skill(table: Mapping[str, Any]) -> Skill:
    quarters = tuple((name, tuple(row)) for name, row in table.get("quarters", ()))
    return Skill(**{**table, "quarters": quarters, "bins": tuple(map(tuple, table.get("bins", ())))})


def origins_for(panels: Sequence[Panel]) -> int:
    """How many origins the series of the panels are looked at from."""
    series = sum(int(np.isfinite(panel.values).any(axis=1).sum()) for panel in panels)
    return min(max(WINDOWS // max(series, 1), MIN_ORIGINS), MAX_ORIGINS)


def _limits(metrics: Sequence[Metric]) -> dict[str, tuple[float, bool]]:
    """Limits by metric, with whether crossing them is upwards."""
    return {
        metric.name: (metric.limit, metric.worse is Worse.UP)
        for metric in metrics
        if metric.limit is not None and metric.is_limited
    }


def _until(panel: Panel, slot: int) -> Panel:
    return panel.between(panel.start, panel.start + slot * panel.step)
