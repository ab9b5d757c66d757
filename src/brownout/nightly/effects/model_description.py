"""What a stored model says of itself: its columns, a description in words, and recent samples to try it with."""

from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from brownout.domain.night import ModelRecord
from brownout.domain.panel import Panel
from brownout.nightly.context import NightContext
from brownout.nightly.panels import forecast_panel
from brownout.store.model_folder import ModelInterface, write_interface
from brownout.store.shards import plan_shards

__all__ = ["describe_detector", "describe_forecaster"]

EXAMPLE_SLOTS = 288
"""Slots of each entity of an example: a day at five minutes."""
EXAMPLE_KINDS = 3

FORECASTER = """Forecasts each metric of KVM hosts, guests and consoles {hours:.3g} hours ahead, as quantiles.

It gives, for each metric, what did best on windows kept from its training: an LSTM or a classical forecaster.
Input: recent samples, long: `time` (UTC), `entity`, a column for each metric, and perhaps `kind` (host, vm, console …);
a week of past is best. Output: `entity`, `metric`, `time`, `q10` … `q90`.
"""
DETECTOR = """Scores how abnormal KVM hosts, guests and consoles are, by isolation forests.

Input: recent samples, long: `time` (UTC), `entity`, a column for each metric, and perhaps `kind` (host, vm, console …);
the first days of them serve as history. Output: `entity`, `time`, `score` (higher = more abnormal, 1 = the alarm
boundary), `alarm`.
"""


def describe_forecaster(folder: Path, context: NightContext, record: ModelRecord) -> None:
    """Write beside a forecaster how it is called, and an example of the end of what it learned from."""
    settings = context.settings.forecast
    step_s = round(settings.step_minutes * 60)
    text = FORECASTER.format(hours=settings.steps * step_s / 3600)
    interface = ModelInterface(
        task="forecast",
        description=f"{text}\n{_training(context, record)}",
        metrics=tuple(context.metrics.values()),
        step_s=step_s,
    )
    span = np.timedelta64(EXAMPLE_SLOTS * step_s, "s")
    panels = [forecast_panel(panel, settings) for panel in _recent(context, record.trained_to, span)]
    write_interface(folder, interface, _table(panels))


def describe_detector(folder: Path, context: NightContext, record: ModelRecord) -> None:
    """Write beside a detector how it is called, and an example of the end of what it learned from."""
    interface = ModelInterface(
        task="detect",
        description=f"{DETECTOR}\n{_training(context, record)}",
        metrics=tuple(context.metrics.values()),
    )
    intervals = [span.interval_s for span in context.store.spans().values()]
    span = np.timedelta64(EXAMPLE_SLOTS * max(intervals, default=60), "s")
    write_interface(folder, interface, _table(_recent(context, record.trained_to, span)))


def _training(context: NightContext, record: ModelRecord) -> str:
    scores = {"all.mase": "MASE", "all.crps": "CRPS beside seasonal-naive", "all.coverage": "share inside 10–90 %"}
    known = [f"{title} {record.scores[key]:.3f}" for key, title in scores.items() if key in record.scores]
    backtest = f" On windows kept from training: {', '.join(known)}." if known else ""
    span = f"{record.trained_from.astype('datetime64[s]')} to {record.trained_to.astype('datetime64[s]')} UTC"
    return f"Trained on `{context.store.name}`, {span}, seed {record.seed}.{backtest}\n"


def _recent(context: NightContext, end: np.datetime64, span: np.timedelta64) -> list[Panel]:
    """The last samples before a time, of one entity of each of a few kinds."""
    first_of_kind = {
        plan.kind: plan for plan in reversed(plan_shards(context.store, size=1, start=end - span, end=end))
    }
    panels = (context.usual_panel(plan) for plan in sorted(first_of_kind.values(), key=lambda plan: plan.kind))
    measured = (panel for panel in panels if np.isfinite(panel.values).any())
    return list(islice(measured, EXAMPLE_KINDS))


def _table(panels: list[Panel]) -> pa.Table:
    """Rows that were measured: time, entity, kind and a column for each metric."""
    keys = [("time", pa.timestamp("ms")), ("entity", pa.string()), ("kind", pa.string())]
    parts = [pa.schema(keys).empty_table()]
    for panel in panels:
        entities, slots = np.nonzero(np.isfinite(panel.values[:, -EXAMPLE_SLOTS:]).any(axis=2))
        slots += max(panel.values.shape[1] - EXAMPLE_SLOTS, 0)
        columns = {
            "time": pa.array(panel.times[slots], pa.timestamp("ms")),
            "entity": pa.array(np.array(panel.entity_ids, object)[entities], pa.string()),
            "kind": pa.array(np.array([entity.kind for entity in panel.entities], object)[entities], pa.string()),
        }
        for column, name in enumerate(panel.metric_names):
            columns[name] = pa.array(panel.values[entities, slots, column].astype(np.float64), from_pandas=True)
        parts.append(pa.table(columns))
    return pa.concat_tables(parts, promote_options="default")
