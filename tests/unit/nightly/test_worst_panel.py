"""Limits are crossed by means of five minutes, which half hours hide."""

from dataclasses import replace

import numpy as np
import pytest
from panels import waves

from brownout.nightly.panels import forecast_panel, worst_panel
from brownout.settings import ForecastSettings

SETTINGS = ForecastSettings()


@pytest.mark.parametrize("brief", [False, True])
@pytest.mark.parametrize(("interval_s", "slots"), [(60, 5), (90, 2), (120, 1), (300, 1), (360, 1), (20, 15)])
def test_the_worst_five_minutes_of_each_half_hour_count_as_a_loop_finds_them(
    interval_s: int, slots: int, *, brief: bool
) -> None:
    """Of two minutes each where they do not divide half an hour otherwise."""
    panel = waves(entities=3, days=1, interval_s=interval_s)
    values = np.random.default_rng(2).uniform(0, 100, panel.values.shape).astype(np.float32)
    values[1, 100:190] = np.nan
    start = np.datetime64("2026-03-02", "ms") + 7 * np.timedelta64(interval_s, "s")
    panel = replace(panel, values=values, start=start)
    found, coarse = worst_panel(panel, SETTINGS, brief=brief), forecast_panel(panel, SETTINGS)
    assert (found.start, found.interval_s, found.metrics) == (coarse.start, coarse.interval_s, coarse.metrics)
    assert found.values.shape == coarse.values.shape
    fine = panel.coarsen(slots)
    times = fine.start + np.arange(fine.values.shape[1]) * fine.step
    for slot in range(found.values.shape[1]):
        begin = found.start + slot * found.step
        inside = fine.values[:, (times >= begin) & (times < begin + found.step)]
        for entity in range(3):
            known = inside[entity][np.isfinite(inside[entity]).all(axis=1)]
            rank = min(len(known), 1 if brief else 2)
            worst = (sorted(known[:, 0])[-rank], sorted(known[:, 1])[rank - 1]) if rank else (np.nan, np.nan)
            np.testing.assert_allclose(found.values[entity, slot], worst)


def test_on_half_hours_nothing_changes() -> None:
    panel = waves(entities=2, days=2, interval_s=1800)
    np.testing.assert_array_equal(worst_panel(panel, SETTINGS).values, forecast_panel(panel, SETTINGS).values)


def test_a_panel_without_metrics_stays_one() -> None:
    panel = waves(entities=2, days=1, interval_s=300).select(metrics=[])
    assert worst_panel(panel, SETTINGS).values.size == 0
