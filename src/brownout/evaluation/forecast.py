"""Rolling-origin backtest of a forecaster beside seasonal-naive."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from brownout.domain.forecasts import Forecasts
from brownout.domain.losses import path_losses, skill_ratio
from brownout.domain.panel import Float, Panel
from brownout.domain.ports import Forecaster

__all__ = ["BacktestScores", "actual_after", "rolling_origins", "window_forecasts"]


def rolling_origins(panel: Panel, test_start: np.datetime64, *, horizon: int, stride: int) -> list[int]:
    """Slots of the origins: every ``stride`` from the last slot before the test on, while the horizon fits."""
    first = max(panel.slot(test_start) - 1, 0)
    return list(range(first, panel.values.shape[1] - horizon, stride))


def window_forecasts(
    forecaster: Forecaster, panel: Panel, origins: list[int], *, horizon: int, batch: int = 8
) -> Iterator[tuple[Forecasts, Float]]:
    """Forecasts and what came, some origins at a time so that memory stays small."""
    for first in range(0, len(origins), batch):
        forecasts = forecaster.predict(panel, origins[first : first + batch], horizon)
        yield forecasts, actual_after(panel, forecasts)


def actual_after(panel: Panel, forecasts: Forecasts) -> Float:
    """What was measured at the steps of each row: ``[row, step]``, NaN = not measured or after the panel."""
    entities = {entity: place for place, entity in enumerate(panel.entity_ids)}
    metrics = {metric: place for place, metric in enumerate(panel.metric_names)}
    row = np.array([entities[series.entity] for series in forecasts.series], np.int64)
    column = np.array([metrics[series.metric] for series in forecasts.series], np.int64)
    slots = ((forecasts.origins - panel.start) // panel.step)[:, None] + np.arange(1, forecasts.horizon + 1)
    inside = slots < panel.values.shape[1]
    values = panel.values[row[:, None], np.where(inside, slots, 0), column[:, None]]
    actual: Float = np.where(inside, values, np.float32(np.nan))
    return actual


@dataclass
class BacktestScores:
    """Sums of losses over windows, by metric."""

    parts_: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def add(self, forecasts: Forecasts, naive: Forecasts, actual: Float, scale: np.ndarray) -> None:
        """Add windows; ``naive`` has the same rows, ``scale [row]`` is seasonal-naive's in-sample error."""
        ours, theirs = path_losses(forecasts.values, actual), path_losses(naive.values, actual)
        metrics = np.array([series.metric for series in forecasts.series])
        table = np.stack(
            [ours.absolute, ours.quantile, ours.inside, ours.count, theirs.absolute, theirs.quantile, scale], axis=1
        )
        for metric in np.unique(metrics):
            self.parts_.setdefault(str(metric), []).append(table[metrics == metric])

    def summary(self) -> dict[str, dict[str, float]]:
        """MASE and CRPS as ratios to seasonal-naive, coverage of the 80 % band and windows, by metric and "overall".

        Overall ratios are geometric means over metrics; overall coverage is over all values.
        """
        table = {metric: _scores(np.concatenate(parts)) for metric, parts in sorted(self.parts_.items())}
        ratios = [
            s for s in table.values() if np.isfinite([s["mase"], s["crps"]]).all() and min(s["mase"], s["crps"]) > 0
        ]
        values = sum(s["values"] for s in table.values())
        overall = {
            "mase": _geometric([s["mase"] for s in ratios]),
            "crps": _geometric([s["crps"] for s in ratios]),
            "coverage": sum(s["coverage"] * s["values"] for s in table.values()) / max(values, 1),
            "windows": sum(s["windows"] for s in table.values()),
            "values": values,
        }
        return {"overall": overall, **table}


def _scores(table: np.ndarray) -> dict[str, float]:
    absolute, quantile, inside, count, naive_absolute, naive_quantile, scale = table.T
    return {
        "mase": skill_ratio(absolute, naive_absolute, count, scale),
        "crps": skill_ratio(quantile, naive_quantile, count, scale),
        "coverage": float(inside.sum() / max(count.sum(), 1)),
        "windows": int((count > 0).sum()),
        "values": int(count.sum()),
    }


def _geometric(ratios: list[float]) -> float:
    return float(np.exp(np.mean(np.log(ratios)))) if ratios else float("nan")
