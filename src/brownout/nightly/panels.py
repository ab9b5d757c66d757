"""The grids of a night: panels on the slots of the forecast and of the outlook, with the limits of the settings."""

from collections.abc import Mapping
from dataclasses import replace

from brownout.domain.metrics import Metric
from brownout.domain.panel import Panel
from brownout.settings import ForecastSettings

__all__ = ["forecast_panel", "outlook_panel", "outlook_steps", "with_limits"]


def with_limits(metrics: Mapping[str, Metric], settings: ForecastSettings) -> dict[str, Metric]:
    """Metrics by name with the limits of the settings over their own."""
    return {name: replace(metric, limit=settings.limits.get(name, metric.limit)) for name, metric in metrics.items()}


def forecast_panel(panel: Panel, settings: ForecastSettings) -> Panel:
    """The panel on the slots of the forecast with the limits of the settings, and only what has one.

    Where nothing has a limit everything is kept.
    """
    coarse = _coarse(panel, settings.step_minutes)
    metrics = tuple(with_limits({metric.name: metric for metric in coarse.metrics}, settings).values())
    limited = [i for i, metric in enumerate(metrics) if metric.limit is not None]
    coarse = replace(coarse, metrics=metrics)
    return coarse.select(metrics=limited) if limited else coarse


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
