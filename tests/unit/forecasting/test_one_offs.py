"""An incident that is over is left out of what is forecast from; what returns every night or week stays."""

import numpy as np
from panels import METRICS

from brownout.domain.entities import Entity
from brownout.domain.panel import Panel
from brownout.forecasting.present import without_one_offs

START, DAY = np.datetime64("2026-03-02", "ms"), 288
HOUR = np.timedelta64(3_600_000, "ms")


def fleet(*bursts: int) -> Panel:
    """One guest at five minutes for 14 days around 20, with bursts to 80 for five hours from 02:00 on some days."""
    values = 20 + np.random.default_rng(1).normal(0, 1, (1, 14 * DAY, 1))
    for day in bursts:
        values[:, day * DAY + 24 : day * DAY + 84] += 60
    return Panel(values.astype(np.float32), START, 300, (Entity(id="vm0", kind="vm"),), METRICS[:1])


def masked(panel: Panel, day: int = 12) -> int:
    begun = START + 24 * day * HOUR + 2 * HOUR
    cleaned = without_one_offs(panel, {"vm0": [(begun, begun + 5 * HOUR)]})
    burst = slice(day * DAY + 24, day * DAY + 84)
    assert np.isfinite(np.delete(cleaned.values, np.r_[burst], axis=1)).all()
    return int(np.isnan(cleaned.values[:, burst]).sum())


def test_a_burst_that_came_once_is_left_out() -> None:
    assert masked(fleet(12)) == 60


def test_what_returns_every_night_or_week_stays() -> None:
    assert masked(fleet(*range(14))) == 0
    assert masked(fleet(5, 12)) == 0


def test_a_second_incident_on_another_day_is_no_season() -> None:
    assert masked(fleet(3, 12)) == 60


def test_what_is_going_on_at_the_end_stays() -> None:
    panel = fleet(13)
    now = panel.between(START, START + 13 * 24 * HOUR + 7 * HOUR)
    cleaned = without_one_offs(now, {"vm0": [(now.end - 5 * HOUR, now.end)]})
    assert np.isfinite(cleaned.values[0, -1, 0])
    assert without_one_offs(panel, {}) is panel


def test_what_has_not_come_back_is_no_one_off() -> None:
    """Detection gets used to a rise that goes on, and calls it over."""
    values = 20 + np.random.default_rng(1).normal(0, 1, 14 * DAY)
    values[9 * DAY :] += np.linspace(0, 60, 5 * DAY)
    panel = Panel(values.astype(np.float32)[None, :, None], START, 300, (Entity(id="vm0", kind="vm"),), METRICS[:1])
    begun = START + 10 * 24 * HOUR
    assert without_one_offs(panel, {"vm0": [(begun, begun + 48 * HOUR)]}).values.tolist() == panel.values.tolist()


def test_what_came_back_slowly_is_one() -> None:
    values = 20 + np.random.default_rng(1).normal(0, 1, 14 * DAY)
    values[12 * DAY : 12 * DAY + 60] += 60
    values[12 * DAY + 60 : 12 * DAY + 100] += np.linspace(60, 0, 40)
    panel = Panel(values.astype(np.float32)[None, :, None], START, 300, (Entity(id="vm0", kind="vm"),), METRICS[:1])
    begun = START + 12 * 24 * HOUR
    cleaned = without_one_offs(panel, {"vm0": [(begun, begun + 5 * HOUR)]})
    assert np.isnan(cleaned.values[0, 12 * DAY : 12 * DAY + 60]).all()
