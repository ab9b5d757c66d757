"""The grids of a night: panels on the slots of the forecast and of the outlook, with the limits of the settings."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from brownout.domain.metrics import Metric, Worse
from brownout.domain.panel import Panel
from brownout.settings import ForecastSettings

__all__ = ["forecast_panel", "limited_panel", "outlook_panel", "outlook_steps", "with_limits", "worst_panel"]

FINE_S = 300
"""A limit is crossed where the mean of so many seconds is beyond it."""


def with_limits(metrics: Mapping[str, Metric], settings: ForecastSettings) -> dict[str, Metric]:
    """Metrics by name with the limits of the settings over their own."""
    return {name: replace(metric, limit=settings.limits.get(name, metric.limit)) for name, metric in metrics.items()}


def forecast_panel(panel: Panel, settings: ForecastSettings) -> Panel:
    """The panel on the slots of the forecast with the limits of the settings, and only what has one.

    Where nothing has a limit everything is kept.
    """
    return _coarse(limited_panel(panel, settings), settings.step_minutes)


def limited_panel(panel: Panel, settings: ForecastSettings) -> Panel:
    """The panel with the limits of the settings, and only what has one; where nothing has, everything is kept."""
    metrics = tuple(with_limits({metric.name: metric for metric in panel.metrics}, settings).values())
    limited = [i for i, metric in enumerate(metrics) if metric.limit is not None]
    panel = replace(panel, metrics=metrics)
    return panel.select(metrics=limited) if 0 < len(limited) < len(metrics) else panel


def worst_panel(panel: Panel, settings: ForecastSettings, *, brief: bool = False) -> Panel:
    """The panel of the forecast with the second worst mean of at most five minutes in each slot.

    What a series does by it is worth a warning: one mean that is beyond a limit alone, as a ping that was lost, is not.
    With ``brief`` the worst mean, by which limits are crossed.
    A slot with one mean has that, a metric without a direction keeps its means.
    """
    panel = limited_panel(panel, settings)
    coarse = _coarse(panel, settings.step_minutes)
    slots = coarse.interval_s // panel.interval_s
    most = max(FINE_S // panel.interval_s, 1)
    fine = panel.coarsen(max(n for n in range(1, min(slots, most) + 1) if slots % n == 0))
    factor = coarse.interval_s // fine.interval_s
    columns = [fine.metric_names.index(name) for name in coarse.metric_names]
    offset = int((fine.start - coarse.start) / fine.step)
    padded = np.full((len(fine.entities), coarse.values.shape[1] * factor, len(columns)), np.nan, np.float32)
    known = fine.values[:, : padded.shape[1] - offset, columns]
    padded[:, offset : offset + known.shape[1]] = known
    blocks = padded.reshape(len(padded), coarse.values.shape[1], factor, len(columns))
    values = coarse.values.copy()
    for column, metric in enumerate(coarse.metrics):
        if metric.worse is not Worse.NONE:
            side = 1 if metric.worse is Worse.UP else -1
            means = np.sort(np.where(np.isfinite(blocks[..., column]), side * blocks[..., column], -np.inf), axis=2)
            second = means[..., -1 if brief else max(factor - 2, 0)]
            worst = np.where(np.isfinite(second), second, means[..., -1])
            values[..., column] = np.where(np.isfinite(worst), side * worst, np.nan)
    return replace(coarse, values=values)


def outlook_panel(panel: Panel, settings: ForecastSettings) -> Panel:
    """A panel of the forecast on the wide slots of the outlook."""
    return _coarse(panel, settings.outlook_step_minutes)


def outlook_steps(settings: ForecastSettings) -> int:
    """Number of wide slots of the outlook, at least one."""
    return max(round(settings.outlook_days * 1440 / settings.outlook_step_minutes), 1)


def _coarse(panel: Panel, minutes: int) -> Panel:
    """Means over slots of so many minutes, without a last slot that is not over."""
    coarse = panel.coarsen(max(round(minutes * 60 / panel.interval_s), 1))
    if coarse.end > panel.end and coarse.values.shape[1] > 1:
        return coarse.between(coarse.start, coarse.end - coarse.step)
    return coarse
