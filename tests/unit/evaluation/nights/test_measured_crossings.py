"""Crossings read off samples against a plain loop."""

import numpy as np
import pytest

from brownout.domain.entities import Entity
from brownout.domain.metrics import Catalogue, Metric, Worse
from brownout.domain.panel import Panel
from brownout.evaluation.nights import measured_crossings

START = np.datetime64("2026-03-02", "ms")


@pytest.mark.parametrize(("metric", "interval_s"), [
    ("host_cpu_busy_pct", 60), ("host_cpu_busy_pct", 300), ("vm_memory_usable_pct", 60), ("vm_memory_usable_pct", 900),
])  # fmt: skip
def test_crossings_agree_with_a_plain_loop(metric: str, interval_s: int) -> None:
    (kind,) = Catalogue.load().select([metric])
    assert kind.limit is not None
    rng = np.random.default_rng(interval_s)
    steps = rng.normal(0, 4, (3, 600)).cumsum(axis=1)
    values = (kind.limit + steps - steps.mean(axis=1, keepdims=True)).astype(np.float32)
    values[rng.random(values.shape) < 0.05] = np.nan
    entities = tuple(Entity(id=name, kind="vm") for name in "abc")
    panel = Panel(values[..., None], START, interval_s, entities, (kind,))
    found = [(c.entity, c.time, c.until, c.brief) for c in measured_crossings(panel, panel.metrics)]
    expected = [row for entity in range(3) for row in _plain(values[entity], "abc"[entity], kind, interval_s)]
    assert len(found) > 3
    assert found == expected


def _plain(values: np.ndarray, entity: str, metric: Metric, interval_s: int) -> list[tuple[object, ...]]:
    """A crossing lasts until two hours have gone by within the limit; means over five minutes count."""
    width, step = max(300 // interval_s, 1), np.timedelta64(interval_s * 1000, "ms")
    limit = metric.limit if metric.limit is not None else 0.0
    groups: list[list[int]] = []
    for slot in range(len(values)):
        part = values[max(slot - width + 1, 0) : slot + 1].astype(np.float64)
        if not np.isfinite(values[slot]):
            continue
        mean = np.float32(np.nanmean(part))
        if (mean > limit) if metric.worse is Worse.UP else (mean < limit):
            if groups and slot - groups[-1][-1] <= max(7200 // interval_s, 1):
                groups[-1].append(slot)
            else:
                groups.append([slot])
    return [
        (entity, START + own[0] * step, START + (own[-1] + 1) * step, len(own) * interval_s < 600) for own in groups
    ]


def test_a_metric_without_a_limit_is_never_crossed() -> None:
    (kind,) = Catalogue.load().select(["vm_net_rx_kbs"])
    panel = Panel(np.full((1, 50, 1), 1e6, np.float32), START, 60, (Entity(id="a", kind="vm"),), (kind,))
    assert measured_crossings(panel, panel.metrics) == ()
