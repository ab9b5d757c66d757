"""Rolling-origin backtest of a forecaster beside seasonal-naive."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from brownout.domain.forecasts import Forecasts
from brownout.domain.panel import Float, Panel
from brownout.evaluation.interval_coverage import coverages, interval_counts
from brownout.numerics.losses import path_losses, skill_ratio

__all__ = ["BacktestScores", "actual_after", "rolling_origins"]


def rolling_origins(panel: Panel, test_start: np.datetime64, *, horizon: int, stride: int) -> list[int]:
    """Slots of the origins: every ``stride`` from the last slot before the test on, while the horizon fits."""
    first = max(panel.slot(test_start) - 1, 0)
    return list(range(first, panel.values.shape[1] - horizon, stride))


def actual_after(panel: Panel, forecasts: Forecasts) -> Float:
    """What was measured at the steps of each row: ``[row, step]``, NaN = not measured or after the panel."""
    entities = {entity: index for index, entity in enumerate(panel.entity_ids)}
    metrics = {metric: index for index, metric in enumerate(panel.metric_names)}
    row = np.array([entities[series.entity] for series in forecasts.series], np.int64)
    column = np.array([metrics[series.metric] for series in forecasts.series], np.int64)
    slots = ((forecasts.origins - panel.start) // panel.step)[:, None] + np.arange(1, forecasts.horizon + 1)
    inside = slots < panel.values.shape[1]
    values = panel.values[row[:, None], np.where(inside, slots, 0), column[:, None]]
    actual: Float = np.where(inside, values, np.float32(np.nan))
    return actual


_COVERAGES = tuple(coverages(np.zeros(12), 0))
QUARTERS = 4
"""Parts of the horizon that are scored apart."""


@dataclass
class BacktestScores:
    """Sums of losses over windows, ``[row, quarter of the horizon, loss]`` by kind of entity and metric."""

    parts_: dict[tuple[str, str], list[np.ndarray]] = field(default_factory=dict)

    def add(self, forecasts: Forecasts, naive: Forecasts, actual: Float, scale: np.ndarray, *, kind: str = "") -> None:
        """Add windows; ``naive`` has the same rows, ``scale [row]`` is seasonal-naive's in-sample error."""
        quarters = [part for part in np.array_split(np.arange(actual.shape[1]), QUARTERS) if len(part)]
        sides = interval_counts(forecasts, actual)
        parts = []
        for q in quarters:
            ours, theirs = (
                path_losses(quantile_paths.values[:, q], actual[:, q]) for quantile_paths in (forecasts, naive)
            )
            losses = [ours.absolute, ours.quantile, ours.count, theirs.absolute, theirs.quantile]
            parts.append(np.column_stack([*losses, sides[:, q].sum(axis=1), scale]))
        table = np.stack(parts, axis=1)
        metrics = np.array([series.metric for series in forecasts.series])
        for metric in np.unique(metrics):
            self.parts_.setdefault((kind, str(metric)), []).append(table[metrics == metric])

    def summary(self) -> dict[str, dict[str, float]]:
        """MASE and CRPS as ratios to seasonal-naive, coverage of intervals and windows, by metric and "overall".

        ``coverage`` is that of the 80 % interval; see :func:`coverages` for the others. Overall ratios are geometric
        means over metrics; overall coverage is over all values.
        """
        table = {metric: _scores(_whole(parts)) for metric, parts in self._by_metric().items()}
        return {"overall": _together(table.values()), **table}

    def by_kind(self) -> dict[str, dict[str, float]]:
        """Scores over the metrics of each kind of entity."""
        kinds: dict[str, list[dict[str, float]]] = {}
        for (kind, _), parts in sorted(self.parts_.items()):
            kinds.setdefault(kind, []).append(_scores(_whole(np.concatenate(parts))))
        return {kind: _together(scores) for kind, scores in kinds.items()}

    def by_horizon(self) -> list[dict[str, float]]:
        """Scores over all metrics for each quarter of the horizon."""
        metrics = self._by_metric().values()
        quarters = max((parts.shape[1] for parts in metrics), default=0)
        return [_together([_scores(parts[:, quarter]) for parts in metrics]) for quarter in range(quarters)]

    def _by_metric(self) -> dict[str, np.ndarray]:
        parts_by_metric: dict[str, list[np.ndarray]] = {}
        for (_, metric), parts in sorted(self.parts_.items(), key=lambda item: item[0][1]):
            parts_by_metric.setdefault(metric, []).extend(parts)
        return {metric: np.concatenate(parts) for metric, parts in parts_by_metric.items()}


def _whole(parts: np.ndarray) -> np.ndarray:
    """Losses over the whole horizon; the scale of a row is that of each of its quarters."""
    total: np.ndarray = parts.sum(axis=1)
    total[:, -1] = parts[:, 0, -1]
    return total


def _together(table: Iterable[dict[str, float]]) -> dict[str, float]:
    scores = list(table)
    ratios = [s for s in scores if np.isfinite([s["mase"], s["crps"]]).all() and min(s["mase"], s["crps"]) > 0]
    values = sum(s["values"] for s in scores)
    return {
        "mase": _geometric([s["mase"] for s in ratios]),
        "crps": _geometric([s["crps"] for s in ratios]),
        **{name: sum(s[name] * s["values"] for s in scores) / max(values, 1) for name in _COVERAGES},
        "windows": sum(s["windows"] for s in scores),
        "values": values,
    }


def _scores(table: np.ndarray) -> dict[str, float]:
    absolute, quantile, count, naive_absolute, naive_quantile, *_, scale = table.T
    return {
        "mase": skill_ratio(absolute, naive_absolute, count, scale),
        "crps": skill_ratio(quantile, naive_quantile, count, scale),
        **coverages(table[:, 5:-1].sum(axis=0), count.sum()),
        "windows": int((count > 0).sum()),
        "values": int(count.sum()),
    }


def _geometric(ratios: list[float]) -> float:
    return float(np.exp(np.mean(np.log(ratios)))) if ratios else float("nan")
