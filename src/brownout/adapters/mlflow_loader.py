"""What ``mlflow.pyfunc.load_model`` calls to load a model of brownout from its files; nothing is unpickled."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brownout.adapters.sample_frames import panels_of
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.domain.errors import ModelError
from brownout.domain.findings import AnomalyScores
from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import QUANTILES, Forecasts
from brownout.domain.panel import Panel
from brownout.forecasting.fleet_forecaster import FleetForecaster
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.store.model_folder import ModelInterface, check_hashes, read_interface

__all__ = ["QUANTILE_COLUMNS", "ForecastFunction", "ScoreFunction"]

QUANTILE_COLUMNS = tuple(f"q{round(100 * quantile)}" for quantile in QUANTILES)


@dataclass(frozen=True)
class ForecastFunction:
    """Forecasts of the samples given, from the last slot of each kind of entity on."""

    forecaster: SelectedForecaster
    interface: ModelInterface

    def predict(self, samples: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """A row for each entity, metric and time ahead, with the quantiles q10 … q90; MLflow gives no ``params``."""
        del params
        panels = [_on_slots(panel, self.interface.step_s) for panel in panels_of(samples, self.interface.metrics)]
        fleet = FleetForecaster(self.forecaster, panels)
        horizon = self.forecaster.settings.horizon
        forecasts_by_panel = [
            fleet.predict(ForecastRequest(panel, [panel.values.shape[1] - 1], horizon)) for panel in panels
        ]
        return pd.concat([_forecast_table(forecasts) for forecasts in forecasts_by_panel], ignore_index=True)


@dataclass(frozen=True)
class ScoreFunction:
    """Scores of the samples given, each slot before it is learned."""

    detector: IsolationForestDetector
    interface: ModelInterface

    def predict(self, samples: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """A row for each entity and measured slot: score (1 = the alarm boundary) and whether it is an alarm."""
        del params
        panels = panels_of(samples, self.interface.metrics)
        return pd.concat([_score_table(self.detector.score(panel)) for panel in panels], ignore_index=True)


def _load_pyfunc(path: str) -> ForecastFunction | ScoreFunction:
    """Load a model from its files, after their hashes were compared with those that were logged."""
    folder = Path(path)
    check_hashes(folder, _logged_hash(folder.parents[1] / "MLmodel"))
    known = read_interface(folder)
    if known is None:
        raise ModelError(f"{folder} does not say how its model is called.", remedy="Train and log it again.")
    interface = known[0]
    if interface.task == "forecast":
        return ForecastFunction(SelectedForecaster.load(folder), interface)
    return ScoreFunction(IsolationForestDetector.load(folder), interface)


def _logged_hash(path: Path) -> str:
    """The hash that the model's card remembers; "" where there is no card, as when the files alone were copied."""
    from mlflow.models import Model

    if not path.is_file():
        return ""
    metadata: dict[str, object] = Model.load(str(path)).metadata or {}
    return str(metadata.get("sha256", ""))


def _on_slots(panel: Panel, step_s: int) -> Panel:
    """Means over the slots that the forecaster works on, without a last one that is not over."""
    coarse = panel.coarsen(max(round(step_s / panel.interval_s), 1))
    if coarse.end > panel.end and coarse.values.shape[1] > 1:
        return coarse.between(coarse.start, coarse.end - coarse.step)
    return coarse


def _forecast_table(forecasts: Forecasts) -> pd.DataFrame:
    rows, steps = len(forecasts.series), forecasts.horizon
    times = [forecasts.times(row) for row in range(rows)]
    columns: dict[str, Any] = {
        "entity": np.repeat(np.array([series.entity for series in forecasts.series], object), steps),
        "metric": np.repeat(np.array([series.metric for series in forecasts.series], object), steps),
        "time": np.concatenate(times) if times else np.empty(0, "datetime64[ms]"),
    }
    values = forecasts.values.reshape(rows * steps, -1).astype(np.float64)
    return pd.DataFrame(columns | {name: values[:, column] for column, name in enumerate(QUANTILE_COLUMNS)})


def _score_table(scores: AnomalyScores) -> pd.DataFrame:
    rows, slots = np.nonzero(np.isfinite(scores.scores))
    values = scores.scores[rows, slots].astype(np.float64)
    return pd.DataFrame(
        {
            "entity": np.array(scores.entities, object)[rows],
            "time": scores.times[slots],
            "score": values,
            "alarm": values > 1.0,
        }
    )
