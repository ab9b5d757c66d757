"""Score one shard: read it, forecast it, search it, and say how well it was measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from brownout.domain.entities import EntityKind
from brownout.domain.findings.capacity_plan import SizeAdvice
from brownout.domain.findings.service_levels import ConsoleService, Level
from brownout.domain.night import ConsoleLevel
from brownout.domain.panel import Panel
from brownout.domain.repairs import Repairs
from brownout.nightly.context import NightContext
from brownout.nightly.detect import ShardDetection, detect
from brownout.nightly.forecast import ShardForecast, forecast
from brownout.nightly.freshness.silent_series import FellSilent, fell_silent
from brownout.nightly.panels import forecast_panel
from brownout.numerics.slots import days
from brownout.planning.levels import levels_of
from brownout.planning.right_sizing import HALF_HOUR_S, right_sizes
from brownout.reporting.charts import console_levels
from brownout.reporting.console_service import console_services
from brownout.store.shards import ShardPlan, plan_shards

__all__ = ["DETECTOR_PAST_DAYS", "ShardResult", "plan_night", "score_shard"]

DETECTOR_PAST_DAYS = 7.0
"""How much before its window the detector looks back at."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShardResult:
    """What the night found in one shard.

    Attributes
    ----------
    measured
        By metric name: slots of the window with a value, and all slots of the entities that carry the metric.
    latency
        Console latency in the window on forecast slots, one entity a row; None where the shard has no consoles.
    consoles
        How slow each console of the shard is now.
    services
        How well each console of the shard answered.
    levels
        How much of each resource was in use.
    sizes
        Guests of the shard that have the wrong size.
    forecast
        None where nothing was to be forecast.
    silent
        What was measured regularly and is not any more.
    """

    detection: ShardDetection
    forecast: ShardForecast | None
    measured: Mapping[str, tuple[int, int]]
    latency: Panel | None
    consoles: tuple[ConsoleLevel, ...]
    repairs: Repairs
    services: tuple[ConsoleService, ...] = ()
    levels: tuple[Level, ...] = ()
    sizes: tuple[SizeAdvice, ...] = ()
    silent: FellSilent = field(default_factory=FellSilent)


def plan_night(context: NightContext) -> tuple[ShardPlan, ...]:
    """Shards of everything measured lately, with the past that forecasts, scores and the outlook need."""
    span, settings, forecasting = context.span, context.settings, context.models.forecaster is not None
    start = lately = span.window - days(DETECTOR_PAST_DAYS)
    if forecasting:
        end = span.end if span.looked_from is None else span.looked_from
        lately = min(end - days(settings.forecast.context_days), lately)
        start = min(lately, end - days(settings.forecast.outlook_context_days))
    entities = [name for name, measured in context.store.spans().items() if measured.last >= lately]
    return plan_shards(
        context.store, size=settings.shard_size, start=max(span.first, start), end=span.end, entities=entities
    )


def score_shard(context: NightContext, plan: ShardPlan) -> ShardResult:
    """Forecast every series of a shard to its limit and merge what is abnormal in the window into episodes."""
    shard, span = context.shard(plan), context.span
    whole = context.calendar.without(shard.panel, context.topology)
    panel = whole.between(span.window - days(DETECTOR_PAST_DAYS), whole.end)
    first = min(max(panel.slot(span.window), 1), panel.values.shape[1])
    window = shard.panel.between(span.window, span.end)
    detection = detect(
        context, panel, first, None if context.kept_results is None else context.kept_results.scores_of(plan)
    )
    ahead, latency, sizes = context.once_a_slot(
        (plan.kind, plan.interval_s, plan.entities), partial(_by_slot, context, plan, whole, detection)
    )
    return ShardResult(
        detection=detection,
        forecast=ahead,
        measured=_measured(window),
        latency=latency,
        consoles=console_levels(_latency(context, window), context.metrics.get(context.console_latency), span.end),
        repairs=shard.repairs,
        services=console_services(window, context.console_latency, span.end),
        levels=levels_of(window, context.metrics, span.end),
        sizes=sizes,
        silent=fell_silent(shard.panel, context.at),
    )


def _by_slot(
    context: NightContext, plan: ShardPlan, whole: Panel, detection: ShardDetection
) -> tuple[ShardForecast | None, Panel | None, tuple[SizeAdvice, ...]]:
    """What is made of slots of the forecast: forecasts, console latency in the window, and sizes of guests."""
    consoles, guests = context.console_latency in whole.metric_names, plan.kind == EntityKind.VM
    latency = _latency(context, forecast_panel(whole, context.settings.forecast)) if consoles else None
    return (
        forecast(context, plan, whole, detection),
        None if latency is None else latency.between(context.span.window, whole.end),
        right_sizes(whole.coarsen(max(HALF_HOUR_S // whole.interval_s, 1))) if guests else (),
    )


def _measured(window: Panel) -> dict[str, tuple[int, int]]:
    counts = np.isfinite(window.values).sum(axis=1)
    slots = window.values.shape[1]
    return {
        name: (int(counts[:, column].sum()), int((counts[:, column] > 0).sum()) * slots)
        for column, name in enumerate(window.metric_names)
        if counts[:, column].any()
    }


def _latency(context: NightContext, window: Panel) -> Panel | None:
    if context.console_latency not in window.metric_names:
        return None
    return window.select(metrics=[window.metric_names.index(context.console_latency)])
