"""Series scored a second of processor time for the 288 new points of a night, with a week of past, beside pyod.

``python benchmarks/detection/speed.py`` prints a Markdown table. The row of pyod needs it installed, and is its forest
alone, on windows of ten samples of each series, without any context.
"""

import time
from importlib.util import find_spec

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from brownout.detection.forest.detector import IsolationForestDetector
from brownout.domain.entities import Entity
from brownout.domain.metrics import Metric
from brownout.domain.panel import Panel

ENTITIES, METRICS, DAYS, DAY = 64, 12, 8, 288


def fleet() -> Panel:
    """Guests with daily waves at five minutes."""
    rng = np.random.default_rng(0)
    wave = np.sin(np.arange(DAYS * DAY) * 2 * np.pi / DAY)[None, :, None]
    values = 50 + 20 * wave + rng.normal(0, 2, (ENTITIES, DAYS * DAY, METRICS))
    entities = tuple(Entity(id=f"vm{i}", kind="vm") for i in range(ENTITIES))
    metrics = tuple(Metric(name=f"m{i}") for i in range(METRICS))
    return Panel(values.astype(np.float32), np.datetime64("2026-03-02", "ms"), 300, entities, metrics)


def show(name: str, seconds: float) -> None:
    """Print a row of the table."""
    print(f"| {name} | {ENTITIES * METRICS / seconds:,.0f} |", flush=True)


def main() -> None:
    """Print the table."""
    panel = fleet()
    detector = IsolationForestDetector().fit([panel])
    print("| what | series a second and core |\n|---|---|")
    started = time.process_time()
    detector.score(panel, (DAYS - 1) * DAY)
    show("brownout, views and forest", time.process_time() - started)
    if find_spec("pyod") is None:
        return
    from pyod.models.iforest import IForest  # noqa: PLC0415 - a peer that need not be installed

    rows = sliding_window_view(panel.values[:, -DAY - 9 :], 10, axis=1)
    model = IForest(random_state=0).fit(rows[:, ::20].reshape(-1, 10))
    started = time.process_time()
    model.decision_function(rows.reshape(-1, 10))
    show("pyod IForest, windows of 10", time.process_time() - started)


if __name__ == "__main__":
    main()
