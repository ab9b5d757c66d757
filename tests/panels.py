"""Small panels for tests: daily waves with noise, gaps and a flat series."""

import numpy as np

from brownout.domain.entities import Entity
from brownout.domain.metrics import Family, Metric, Worse
from brownout.domain.panel import Panel

METRICS = (
    Metric(name="cpu_pct", unit="%", family=Family.CPU, lower=0, upper=100, limit=90, worse=Worse.UP),
    Metric(name="free_pct", unit="%", family=Family.MEMORY, lower=0, upper=100, limit=10, worse=Worse.DOWN),
)


def waves(*, entities: int = 4, days: int = 12, interval_s: int = 1800, seed: int = 0, kind: str = "vm") -> Panel:
    """Daily waves; the last entity has a flat metric, the first a gap of half a day."""
    rng = np.random.default_rng(seed)
    slots = days * 86_400 // interval_s
    phase = 2 * np.pi * np.arange(slots) * interval_s / 86_400
    level = rng.uniform(30, 60, (entities, 1, 2))
    swing = rng.uniform(5, 20, (entities, 1, 2)) * np.sin(phase + rng.uniform(0, 6, (entities, 1)))[:, :, None]
    values = np.clip(level + swing + rng.normal(0, 2, (entities, slots, 2)), 0, 100).astype(np.float32)
    values[-1, :, 1] = 50
    day = 86_400 // interval_s
    values[0, 3 * day : 3 * day + day // 2] = np.nan
    return Panel(
        values,
        np.datetime64("2026-03-02T00:00", "ms"),
        interval_s,
        tuple(Entity(id=f"{kind}{i}", kind=kind) for i in range(entities)),
        METRICS,
    )
