"""How slow each console is now: the median of its last half hour, as it was measured, not of the whole window."""

from dataclasses import replace

import numpy as np

from brownout.domain.entities import Entity
from brownout.domain.metrics import Catalogue, Metric
from brownout.domain.panel import Panel
from brownout.reporting.charts import console_levels

METRIC = Catalogue.load().metrics["console_update_ms"]
START = np.datetime64("2026-03-16T00:00", "ms")
MINUTE = np.timedelta64(60_000, "ms")


def panel(rows: dict[str, list[float]], metric: Metric = METRIC) -> Panel:
    values = np.array(list(rows.values()), np.float32)[..., None]
    return Panel(values, START, 60, tuple(Entity(id=name, kind="console") for name in rows), (metric,))


def test_the_last_half_hour_decides_and_a_single_slow_answer_does_not() -> None:
    calm, recovered, slow = [20.0] * 120, [400.0] * 89 + [20.0] * 31, [20.0] * 89 + [248.0] * 31
    spike = [*[20.0] * 119, 3000.0]
    rows = {"calm": calm, "recovered": recovered, "slow": slow, "spike": spike}
    levels = console_levels(panel(rows), METRIC, START + 120 * MINUTE)
    assert [(level.series.entity, level.now, level.exceeded) for level in levels] == [
        ("slow", 248.0, True), ("calm", 20.0, False), ("recovered", 20.0, False), ("spike", 20.0, False),
    ]  # fmt: skip
    assert {level.limit for level in levels} == {METRIC.limit}


def test_gaps_are_left_out_and_a_silent_console_is_not_called_fine() -> None:
    nan = float("nan")
    rows = {"gaps": [*[20.0] * 90, *[nan] * 25, 200.0, nan, 220.0, nan, nan], "silent": [*[20.0] * 80, *[nan] * 40]}
    (level,) = console_levels(panel(rows), METRIC, START + 120 * MINUTE)
    assert (level.series.entity, level.now) == ("gaps", 210.0)


def test_without_a_limit_nothing_is_too_slow() -> None:
    free = replace(METRIC, limit=None)
    (level,) = console_levels(panel({"a": [9000.0] * 60}, free), free, START + 60 * MINUTE)
    assert (level.limit, level.exceeded) == (None, False)


def test_without_consoles_there_are_no_levels() -> None:
    assert console_levels(None, METRIC, START) == ()
    assert console_levels(panel({"a": [1.0] * 60}), None, START) == ()
