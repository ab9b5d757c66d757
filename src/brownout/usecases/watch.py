"""Watch: forecast and search one shard with the models of the night."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from brownout.detection.episodes import EpisodeSettings, episodes
from brownout.domain.findings import Episode
from brownout.domain.forecasts import Breach, Forecasts, Series
from brownout.domain.metrics import Metric
from brownout.domain.night import Chart
from brownout.domain.panel import Panel
from brownout.domain.ports import Detector, Forecaster, SampleStore
from brownout.domain.repairs import Repairs
from brownout.planning.saturation import breaches
from brownout.settings import ForecastSettings, Settings
from brownout.telemetry.grid import ShardPlan, read_shard
from brownout.usecases.charts import breach_chart

__all__ = ["ShardFindings", "days", "end_of", "watch_shard", "with_limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardFindings:
    """What the night found in one shard.

    ``measured`` counts, by metric name, the slots of the window with a value and all slots of the entities that carry
    the metric.
    """

    breaches: tuple[Breach, ...]
    episodes: tuple[Episode, ...]
    charts: Mapping[Series, Chart]
    measured: Mapping[str, tuple[int, int]]
    entities: tuple[str, ...]
    repairs: Repairs
    series: int


def days(number: float) -> np.timedelta64:
    """A span of days in milliseconds."""
    return np.timedelta64(round(number * 86_400_000), "ms")


def end_of(store: SampleStore) -> np.datetime64:
    """Time just after the last sample of a store."""
    end: np.datetime64 = max(span.last for span in store.spans().values()) + np.timedelta64(1, "ms")
    return end


def with_limits(metrics: Mapping[str, Metric], settings: ForecastSettings) -> dict[str, Metric]:
    """Metrics by name with the limits of the settings over their own."""
    return {name: replace(metric, limit=settings.limits.get(name, metric.limit)) for name, metric in metrics.items()}


def forecast_panel(panel: Panel, settings: ForecastSettings) -> Panel:
    """The panel on the slots of the forecast, without a last slot that is not over, and what is worth forecasting.

    Metrics without a limit are left out, unless none has one.
    """
    factor = max(round(settings.step_minutes * 60 / panel.interval_s), 1)
    coarse = panel.coarsen(factor)
    if coarse.end > panel.end and coarse.values.shape[1] > 1:
        coarse = coarse.between(coarse.start, coarse.end - coarse.step)
    limited = [
        i for i, metric in enumerate(panel.metrics) if settings.limits.get(metric.name, metric.limit) is not None
    ]
    return coarse.select(metrics=limited) if limited else coarse
