"""Scores of warnings count all metrics that have a limit, also those of which nothing was said."""

import numpy as np
import pandas as pd

from brownout.evaluate.evaluate_warnings import judged_warnings
from brownout.evaluate.night_truth import Crossed
from brownout.evaluation.nights import Crossing

START = np.datetime64("2026-03-10T00:00", "ms")
HOUR = np.timedelta64(1, "h")


def test_metrics_with_skill_are_counted_of_all_with_a_limit() -> None:
    """One foreseen, one called probable in vain, one of which nothing was said nor came, one not foreseen."""
    origin = START + 48 * HOUR
    until = origin + 9 * HOUR
    came = tuple(
        Crossing(entity="vm1", metric=name, time=origin + 5 * HOUR, until=until) for name in ("good", "missed")
    )
    crossed = Crossed(
        crossings=came,
        series=tuple(("vm1", name) for name in ("good", "missed", "quiet", "vain")),
        since=START,
        known_until=origin + 24 * HOUR,
    )
    lines = pd.DataFrame(
        {
            "origin": pd.Timestamp(origin, tz="UTC"),
            "entity": "vm1",
            "metric": ["good", "vain"],
            "probability": [0.9, 0.6],
            "earliest": pd.Timestamp(origin + 4 * HOUR, tz="UTC"),
            "latest": pd.Timestamp(origin + 6 * HOUR, tz="UTC"),
            "horizon_s": 86_400.0,
        }
    )
    judged = judged_warnings(lines, crossed, np.array([origin]), guests=1, horizon_s=86_400.0)
    assert judged["metrics_with_skill"] == {"at_least_0": 2, "of": 4}
    assert set(judged["scores"]) == {"overall", "good", "missed", "vain"}
    assert (judged["scores"]["overall"]["warnings"], judged["scores"]["overall"]["false"]) == (2, 1)
