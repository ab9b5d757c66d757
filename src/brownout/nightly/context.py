"""Spans and grids of a night, from its settings and the end of the data."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from brownout.domain.errors import HistoryError
from brownout.domain.metrics import Metric
from brownout.domain.panel import Panel
from brownout.domain.ports import SampleStore
from brownout.nightly.calendars import calendar_of
from brownout.numerics.slots import days
from brownout.settings import ForecastSettings, Settings
from brownout.store.shards import ShardPlan, read_shard

__all__ = [
    "NightSpan",
    "forecast_panel",
    "outlook_panel",
    "outlook_steps",
    "usual_panel",
    "with_limits",
]

LEARNED_SHARE = 0.3
"""Share of a short history that is only learned from, before the window searched for episodes begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NightSpan:
    """``first`` sample, start of the ``window`` searched for episodes, and ``end`` just after the last sample."""

    first: np.datetime64
    window: np.datetime64
    end: np.datetime64

    @classmethod
    def of(cls, store: SampleStore, settings: Settings) -> Self:
        """Span of a store; raises HistoryError where it has no samples."""
        spans = store.spans().values()
        if not spans:
            raise HistoryError(f"The history of {store.name} has no samples.", remedy="Sync a source that has data.")
        first = min(span.first for span in spans)
        end = max(span.last for span in spans) + np.timedelta64(1, "ms")
        learned = first + (end - first) * LEARNED_SHARE
        return cls(first=first, window=max(end - days(settings.detect.window_days), learned), end=end)


def with_limits(metrics: Mapping[str, Metric], settings: ForecastSettings) -> dict[str, Metric]:
    """Metrics by name with the limits of the settings over their own."""
    return {name: replace(metric, limit=settings.limits.get(name, metric.limit)) for name, metric in metrics.items()}


def usual_panel(store: SampleStore, plan: ShardPlan, settings: Settings) -> Panel:
    """A shard without what was measured in windows of maintenance: what may be learned from."""
    return calendar_of(settings).without(read_shard(store, plan).panel, store.topology)


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
    """Wide slots of the outlook, at least one."""
    return max(round(settings.outlook_days * 1440 / settings.outlook_step_minutes), 1)


def _coarse(panel: Panel, minutes: int) -> Panel:
    """Means over slots of so many minutes, without a last slot that is not over."""
    coarse = panel.coarsen(max(round(minutes * 60 / panel.interval_s), 1))
    if coarse.end > panel.end and coarse.values.shape[1] > 1:
        return coarse.between(coarse.start, coarse.end - coarse.step)
    return coarse
