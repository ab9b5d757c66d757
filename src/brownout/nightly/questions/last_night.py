"""What a question reads of the last night: its models, and panels of some entities on one grid."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace

import numpy as np

from brownout.domain.errors import ModelError
from brownout.domain.panel import Panel
from brownout.forecasting.outlook import Outlook
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.nightly.context import NightContext, NightModels
from brownout.numerics.slots import days, floor_to_slot
from brownout.store.shards import plan_shards, read_shard
from brownout.store.workspace import Workspace

__all__ = ["panels_on_one_grid", "stored_forecasters"]


def stored_forecasters(workspace: Workspace) -> NightModels:
    """Forecaster and outlook of the last training; without them where there are none that can be read."""
    models = NightModels()
    with suppress(ModelError):
        models = replace(models, forecaster=SelectedForecaster.load(workspace.forecaster))
        models = replace(models, outlook=Outlook.load(workspace.outlook))
    return models


def panels_on_one_grid(
    context: NightContext, entities: Collection[str], metrics: Collection[str], number_of_days: float
) -> tuple[Panel, ...]:
    """Some metrics of some entities over the last days, by kind, without windows of maintenance.

    All have the same slots, as wide as the widest interval among the entities; what was not measured is NaN. Entities
    without a sample, and metrics that none of a part's entities carries, are left out.
    """
    store, end = context.store, context.span.end
    spans = store.spans()
    interval = max((spans[name].interval_s for name in entities if name in spans), default=60)
    start = floor_to_slot(max(end - days(number_of_days), context.span.first), interval)
    step = np.timedelta64(interval * 1000, "ms")
    slots = max(int((end - start) // step), 1)
    plans = plan_shards(
        store, size=context.settings.shard_size, interval_s=interval, start=start, end=end, entities=entities
    )
    parts = (context.calendar.without(read_shard(store, plan).panel, context.topology) for plan in plans)
    return tuple(_on_grid(part, metrics, start, slots) for part in parts)


def _on_grid(panel: Panel, metrics: Collection[str], start: np.datetime64, slots: int) -> Panel:
    columns = [column for column, name in enumerate(panel.metric_names) if name in metrics]
    chosen = panel.select(metrics=columns)
    values = np.full((len(chosen.entities), slots, len(columns)), np.nan, np.float32)
    first = int((chosen.start - start) // chosen.step)
    part = chosen.values[:, max(-first, 0) : max(slots - first, 0)]
    values[:, max(first, 0) : max(first, 0) + part.shape[1]] = part
    return replace(chosen, values=values, start=start)
