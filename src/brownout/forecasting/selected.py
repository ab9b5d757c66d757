"""The forecaster of a night: the calibrated LSTM, or the best classical one where the LSTM loses its backtest."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from brownout.domain.errors import NotFittedError
from brownout.domain.forecasts import Forecasts, Skill
from brownout.domain.metrics import Metric, Worse
from brownout.domain.panel import Panel
from brownout.domain.paths import PathModel
from brownout.domain.ports import Forecaster, Progress, no_progress
from brownout.forecasting.breach_skill import persistence_of, with_brier
from brownout.forecasting.calibration import BANDS, Calibration, bands_of
from brownout.forecasting.choice import HeldOut, calibration_of, choose
from brownout.forecasting.lstm import LstmForecaster
from brownout.forecasting.naive import Naive, SeasonalNaive, WeeklyNaive, seasonal_scale
from brownout.forecasting.rows import clip_to_bounds, day_steps, rows_of
from brownout.forecasting.settings import LstmSettings
from brownout.forecasting.smoothing import Smoothing
from brownout.forecasting.store import read_card, write_card

__all__ = ["SelectedForecaster"]

MAX_ORIGINS = 24
"""Origins of the backtest: enough to choose by, few enough to be quick."""


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
    persistence_
        How far the steps of the LSTM's forecasts hang together, by metric.
    skills_
        The backtest by metric, and one for all together with metric "".
    """

    settings: LstmSettings
    validation_share: float = 0.15
    lstm_: LstmForecaster | None = None
    calibration_: Calibration = field(default_factory=lambda: Calibration(1, {}))
    bands_: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    persistence_: Mapping[str, float] = field(default_factory=dict)
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
        return (SeasonalNaive(season), Naive(), WeeklyNaive(season), Smoothing(season))

    def fit(self, panels: Sequence[Panel], progress: Progress = no_progress, *, champion: Self | None = None) -> Self:
        """Train, calibrate and choose; raises DataError where there is nothing to learn from.

        The LSTM starts from that of a ``champion`` of the same shape.
        """
        cuts = [self._cut(panel.values.shape[1]) for panel in panels]
        early = [_until(panel, cut) for panel, cut in zip(panels, cuts, strict=True)]
        lstm = LstmForecaster(self.settings).fit(early, progress, champion=champion.lstm_ if champion else None)
        held_out = [self._held_out(lstm, panel, cut) for panel, cut in zip(panels, cuts, strict=True)]
        tables = [table for table in held_out if table]
        self.calibration_ = calibration_of(tables, self.settings.horizon)
        self.persistence_ = persistence_of(tables, self.calibration_)
        chosen = choose(tables, self.calibration_)
        self.bands_ = chosen.makers
        self.skills_ = with_brier(chosen.skills, tables, self.calibration_, self.persistence_)
        self.lstm_ = lstm
        progress("train the forecaster", 1.0)
        return self

    def _cut(self, slots: int) -> int:
        """First slot kept from training: the share, or two horizons where that is more, but never over a third."""
        kept = max(int(slots * self.validation_share), min(2 * self.settings.horizon, slots // 3))
        return max(slots - kept, 1)

    def _held_out(self, lstm: LstmForecaster, panel: Panel, cut: int) -> HeldOut | None:
        horizon = self.settings.horizon
        last = panel.values.shape[1] - horizon - 1
        if last < cut - 1:
            return None
        origins = np.unique(np.linspace(cut - 1, last, min(MAX_ORIGINS, last - cut + 2)).astype(int)).tolist()
        choosing = origins[1::2] or origins
        rows = rows_of(panel, origins, horizon)
        steps = np.arange(1, horizon + 1)
        season = self.settings.season or day_steps(panel.interval_s)
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

    def predict(self, panel: Panel, origins: Sequence[int], horizon: int) -> Forecasts:
        """Predict each metric by its chosen forecasters; a metric that was never seen goes to seasonal-naive."""
        if self.lstm_ is None:
            raise NotFittedError("The forecaster has not been trained.", remedy="Call fit first, or load one.")
        forecasts = self.lstm_.predict(panel, origins, horizon)
        values = self.calibration_.apply(forecasts)
        unseen = (SeasonalNaive.name,) * BANDS
        chosen = np.array([self.bands_.get(series.metric, unseen) for series in forecasts.series]).reshape(-1, BANDS)
        by_step = chosen[:, bands_of(horizon, self.settings.horizon)]
        for rival in self.rivals:
            theirs = by_step == rival.name
            if theirs.any():
                values[theirs] = rival.predict(panel, origins, horizon).values[theirs]
        rows = rows_of(panel, origins, horizon)
        makers = tuple("+".join(dict.fromkeys(names)) for names in by_step.tolist())
        hang = tuple(self.persistence_.get(series.metric, PathModel().persistence) for series in forecasts.series)
        return replace(forecasts, values=clip_to_bounds(values, rows), makers=makers, persistence=hang)

    def save(self, folder: Path) -> None:
        """Write the choice beside the LSTM's folder."""
        if self.lstm_ is None:
            raise NotFittedError("The forecaster has not been trained.", remedy="Call fit before save.")
        self.lstm_.save(folder / "lstm")
        facts = {
            "validation_share": self.validation_share,
            "calibration": asdict(self.calibration_),
            "bands": dict(self.bands_),
            "persistence": dict(self.persistence_),
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
            persistence_=card["persistence"],
            skills_=tuple(Skill(**skill) for skill in card["skills"]),
        )


def _limits(metrics: Sequence[Metric]) -> dict[str, tuple[float, bool]]:
    """Limits by metric, with whether crossing them is upwards."""
    return {
        metric.name: (metric.limit, metric.worse is Worse.UP)
        for metric in metrics
        if metric.limit is not None and metric.worse is not Worse.NONE
    }


def _until(panel: Panel, slot: int) -> Panel:
    return panel.between(panel.start, panel.start + slot * panel.step)
