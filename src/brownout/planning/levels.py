"""How much of each resource was in use, from a panel: now, usually, and when busy."""

from collections.abc import Mapping

import numpy as np

from brownout.domain.findings.service_levels import Level
from brownout.domain.forecasts import Series
from brownout.domain.metrics import Metric, Worse
from brownout.domain.panel import Panel
from brownout.numerics.order_statistics import quantile
from brownout.numerics.slots import days

__all__ = ["CAPACITY_METRICS", "levels_of"]

CAPACITY_METRICS = (
    "host_cpu_busy_pct",
    "host_memory_available_pct",
    "host_memory_available_gib",
    "disk_util_pct",
    "disk_used_pct",
    "net_util_pct",
    "vm_cpu_pct",
    "vm_memory_usable_pct",
    "vm_ready_pct",
    "vm_disk_iops",
    "vm_net_rx_kbs",
    "vm_net_tx_kbs",
)
"""Metrics that say how full something is, or which guest uses what is short."""
LATELY = np.timedelta64(30 * 60_000, "ms")
BUSY = 0.95


def levels_of(panel: Panel, metrics: Mapping[str, Metric], end: np.datetime64) -> tuple[Level, ...]:
    """Levels of the capacity metrics of a panel over the day before ``end``; what was not measured is left out."""
    day, lately = panel.between(end - days(1), end), panel.between(end - LATELY, end)
    levels: list[Level] = []
    for column, name in enumerate(panel.metric_names):
        if name not in CAPACITY_METRICS or name not in metrics:
            continue
        values = day.values[..., column]
        share = 1 - BUSY if metrics[name].worse is Worse.DOWN else BUSY
        usual, busy, now = (
            quantile(part, level, axis=1)
            for part, level in ((values, 0.5), (values, share), (lately.values[..., column], 0.5))
        )
        levels += [
            Level(
                series=Series(panel.entity_ids[row], name),
                now=float(now[row]),
                usual=float(usual[row]),
                busy=float(busy[row]),
                limit=metrics[name].limit,
            )
            for row in np.flatnonzero(np.isfinite(usual)).tolist()
        ]
    return tuple(levels)
