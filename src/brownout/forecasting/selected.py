"""The forecaster of a night: the calibrated LSTM, or the best naive one where the LSTM does not win its backtest."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from brownout.domain.errors import NotFittedError
from brownout.domain.forecasts import Forecasts, Skill
from brownout.domain.losses import path_losses, skill_ratio
from brownout.domain.panel import Float, Panel
from brownout.domain.ports import Progress, no_progress
from brownout.forecasting.calibration import Calibration, calibrate
from brownout.forecasting.lstm import LstmForecaster
from brownout.forecasting.naive import Naive, SeasonalNaive, seasonal_scale
from brownout.forecasting.rows import clip_to_bounds, day_steps, rows_of
from brownout.forecasting.settings import LstmSettings
from brownout.forecasting.store import read_card, write_card

__all__ = ["SelectedForecaster"]

MAX_ORIGINS = 24
"""Origins of the backtest: enough to choose by, few enough to be quick."""


@dataclass
class SelectedForecaster:
    """LSTM, seasonal-naive and naive; each metric is forecast by the one that did best on held-out windows.

    The last ``validation_share`` of the time axis is kept from training. Its windows alternate between calibrating
    the LSTM and choosing, so that no window does both.

    Attributes
    ----------
    makers_
        Name of the chosen forecaster by metric.
    skills_
        The backtest by metric, and one for all together with metric "".
    """

    settings: LstmSettings
    validation_share: float = 0.15
    lstm_: LstmForecaster | None = None
    calibration_: Calibration = field(default_factory=lambda: Calibration({}))
    makers_: Mapping[str, str] = field(default_factory=dict)
    skills_: tuple[Skill, ...] = ()
    name: ClassVar[str] = "selected"

    @property
    def seasonal(self) -> SeasonalNaive:
        """The seasonal-naive forecaster beside the LSTM."""
        return SeasonalNaive(self.settings.season)

    def fit(self, panels: Sequence[Panel], progress: Progress = no_progress) -> Self:
        """Train, calibrate and choose; raises DataError where there is nothing to learn from."""
        cuts = [max(int(panel.values.shape[1] * (1 - self.validation_share)), 1) for panel in panels]
        early = [_until(panel, cut) for panel, cut in zip(panels, cuts, strict=True)]
        lstm = LstmForecaster(self.settings).fit(early, progress)
        tables = [self._backtest(lstm, panel, cut) for panel, cut in zip(panels, cuts, strict=True)]
        self.calibration_ = _calibrate([table for table in tables if table])
        chosen = _Choice.of([table for table in tables if table], self.calibration_)
        self.makers_, self.skills_ = chosen.makers, chosen.skills
        self.lstm_ = lstm
        progress("train the forecaster", 1.0)
        return self

    def _backtest(self, lstm: LstmForecaster, panel: Panel, cut: int) -> "_Backtest | None":
        horizon = self.settings.horizon
        last = panel.values.shape[1] - horizon - 1
        if last < cut - 1:
            return None
        origins = np.unique(np.linspace(cut - 1, last, min(MAX_ORIGINS, last - cut + 2)).astype(int)).tolist()
        rows = rows_of(panel, origins, horizon)
        steps = np.arange(1, horizon + 1)
        season = self.settings.season or day_steps(panel.interval_s)
        scale = seasonal_scale(panel, season, end=cut)
        return _Backtest(
            even=np.isin(rows.origins, origins[::2]),
            metrics=np.array(panel.metric_names)[rows.metrics],
            actual=panel.values[rows.entities[:, None], rows.origins[:, None] + steps, rows.metrics[:, None]],
            scale=scale[rows.entities, rows.metrics].astype(np.float64),
            lstm=lstm.predict(panel, origins, horizon),
            rivals={f.name: f.predict(panel, origins, horizon) for f in (self.seasonal, Naive())},
        )

    def predict(self, panel: Panel, origins: Sequence[int], horizon: int) -> Forecasts:
        """Predict each metric by its chosen forecaster; a metric that was never seen goes to seasonal-naive."""
        if self.lstm_ is None:
            raise NotFittedError("The forecaster has not been trained.", remedy="Call fit first, or load one.")
        forecasts = self.lstm_.predict(panel, origins, horizon)
        values = self.calibration_.apply(forecasts)
        makers = np.array([self.makers_.get(series.metric, SeasonalNaive.name) for series in forecasts.series])
        for rival in (self.seasonal, Naive()):
            theirs = makers == rival.name
            if theirs.any():
                values[theirs] = rival.predict(panel, origins, horizon).values[theirs]
        rows = rows_of(panel, origins, horizon)
        return replace(forecasts, values=clip_to_bounds(values, rows), makers=tuple(makers.tolist()))

    def save(self, folder: Path) -> None:
        """Write the choice beside the LSTM's folder."""
        if self.lstm_ is None:
            raise NotFittedError("The forecaster has not been trained.", remedy="Call fit before save.")
        self.lstm_.save(folder / "lstm")
        facts = {
            "validation_share": self.validation_share,
            "calibration": {metric: list(factors) for metric, factors in self.calibration_.factors.items()},
            "makers": dict(self.makers_),
            "skills": [asdict(skill) for skill in self.skills_],
        }
        write_card(folder, self.name, facts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a stored forecaster; raises ModelError where it is damaged or from another version."""
        card = read_card(folder, cls.name)
        lstm = LstmForecaster.load(folder / "lstm")
        return cls(
            settings=lstm.settings,
            validation_share=card["validation_share"],
            lstm_=lstm,
            calibration_=Calibration({metric: tuple(factors) for metric, factors in card["calibration"].items()}),
            makers_=card["makers"],
            skills_=tuple(Skill(**skill) for skill in card["skills"]),
        )


@dataclass(frozen=True, eq=False)
class _Backtest:
    """Held-out windows of one panel; ``even`` marks those that calibrate, the others choose."""

    even: np.ndarray
    metrics: np.ndarray
    actual: Float
    scale: np.ndarray
    lstm: Forecasts
    rivals: Mapping[str, Forecasts]


def _calibrate(tables: Sequence[_Backtest]) -> Calibration:
    if not tables:
        return Calibration({})
    metrics, values, actual = (
        np.concatenate([part[table.even] for table, part in zip(tables, parts, strict=True)])
        for parts in (
            [table.metrics for table in tables],
            [table.lstm.values for table in tables],
            [table.actual for table in tables],
        )
    )
    return calibrate(metrics, values, actual)


@dataclass(frozen=True)
class _Choice:
    makers: dict[str, str]
    skills: tuple[Skill, ...]

    @classmethod
    def of(cls, tables: Sequence[_Backtest], calibration: Calibration) -> "_Choice":
        """Choose by CRPS on the windows that did not calibrate."""
        losses: dict[str, list[np.ndarray]] = {}
        for table in tables:
            odd = ~table.even if (~table.even).any() else table.even
            candidates = {LstmForecaster.name: calibration.apply(table.lstm)}
            candidates |= {name: forecasts.values for name, forecasts in table.rivals.items()}
            columns = [table.metrics[odd], table.scale[odd]]
            for values in candidates.values():
                loss = path_losses(values[odd], table.actual[odd])
                columns += [loss.absolute, loss.quantile, loss.inside, loss.count]
            for place, column in enumerate(columns):
                losses.setdefault(str(place), []).append(column)
        if not losses:
            return cls({}, ())
        joined = [np.concatenate(parts) for parts in losses.values()]
        names = (LstmForecaster.name, SeasonalNaive.name, Naive.name)
        skills = {str(m): _best(names, joined, joined[0] == m) for m in np.unique(joined[0])}
        makers = {metric: skill.maker for metric, skill in skills.items()}
        chosen = [replace(skill, metric=metric) for metric, skill in skills.items()]
        return cls(makers, (_overall(chosen), *chosen))


def _best(names: Sequence[str], columns: Sequence[np.ndarray], kept: np.ndarray) -> Skill:
    """Skill of the candidate with the least CRPS; the LSTM's figure is told where it lost."""
    scale = columns[1][kept]
    table = {name: [c[kept] for c in columns[2 + 4 * i : 6 + 4 * i]] for i, name in enumerate(names)}
    naive = table[SeasonalNaive.name]
    crps = {name: skill_ratio(loss[1], naive[1], naive[3], scale) for name, loss in table.items()}
    known = {name: ratio for name, ratio in crps.items() if np.isfinite(ratio)}
    maker = min(known, key=lambda name: known[name]) if known else SeasonalNaive.name
    absolute, _, inside, count = table[maker]
    lost = (
        "" if maker == names[0] else f"the LSTM had a CRPS of {crps[names[0]]:.2f} × seasonal-naive, so it is not used"
    )
    return Skill(
        metric="",
        maker=maker,
        windows=int((count > 0).sum()),
        mase=skill_ratio(absolute, naive[0], naive[3], scale),
        crps=crps[maker],
        coverage=float(inside.sum() / max(count.sum(), 1)),
        note=lost,
    )


def _overall(skills: Sequence[Skill]) -> Skill:
    """Geometric means of the ratios over metrics, mean coverage weighted by windows."""
    used = [s for s in skills if np.isfinite(s.mase) and np.isfinite(s.crps) and min(s.mase, s.crps) > 0]
    windows = np.array([s.windows for s in skills])
    return Skill(
        metric="",
        maker=SelectedForecaster.name,
        windows=int(windows.sum()),
        mase=float(np.exp(np.mean(np.log([s.mase for s in used])))) if used else float("nan"),
        crps=float(np.exp(np.mean(np.log([s.crps for s in used])))) if used else float("nan"),
        coverage=float(np.average([s.coverage for s in skills], weights=np.maximum(windows, 1))),
    )


def _until(panel: Panel, slot: int) -> Panel:
    return panel.between(panel.start, panel.start + slot * panel.step)
