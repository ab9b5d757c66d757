"""Peers of the warnings against closed forms and plain loops."""

import itertools

import numpy as np
import pytest

from brownout.domain.entities import Entity
from brownout.domain.metrics import Catalogue
from brownout.domain.panel import Panel
from brownout.evaluate.warning_peers import PEERS, holt_winters, predict_linear

START = np.datetime64("2026-03-02", "ms")


def test_predict_linear_is_the_least_squares_line_through_what_was_measured() -> None:
    rng = np.random.default_rng(3)
    times = np.arange(-59, 1) * 60.0
    values = 20 + rng.normal(0, 5, (4, 1)) * times / 600 + rng.normal(0, 1, (4, 60))
    values[rng.random(values.shape) < 0.2] = np.nan
    base, slope = predict_linear(values, times[None, :])
    for row in range(4):
        seen = np.isfinite(values[row])
        expected = np.polyfit(times[seen], values[row, seen], 1)
        assert (slope[row], base[row]) == pytest.approx(tuple(expected))


def test_predict_linear_says_nothing_of_a_single_sample_and_a_level_of_equal_ones() -> None:
    values = np.array([[np.nan, np.nan, 7.0], [4.0, np.nan, 4.0]])
    base, slope = predict_linear(values, np.array([[-120.0, -60.0, 0.0]]))
    assert np.isnan(base[0])
    assert np.isnan(slope[0])
    assert (base[1], slope[1]) == (4.0, 0.0)


def test_holt_winters_goes_on_with_a_trend_and_a_day_that_it_has_seen() -> None:
    slots = np.arange(24 * 6 + 24)
    wave = 40 + 0.05 * slots + 10 * np.sin(slots * 2 * np.pi / 24)
    past, future = wave[None, : 24 * 6], wave[24 * 6 :]
    path = holt_winters(past, 24, 24)
    assert np.abs(path[0] - future).max() < 1.0
    gaps = past.copy()
    gaps[0, 60:64] = np.nan
    assert np.abs(holt_winters(gaps, 24, 24)[0] - future).max() < 3.0
    assert np.isnan(holt_winters(past[:, :40], 24, 24)).all(), "less than two days is no past"


def test_holt_winters_agrees_with_the_recurrence_written_out_for_one_series() -> None:
    rng = np.random.default_rng(1)
    past = rng.normal(50, 5, (3, 60))
    path = holt_winters(past, 12, 6)
    for row in range(3):
        weights = itertools.product((0.1, 0.3, 0.6), (0, 0.02, 0.1), (0.05, 0.2))
        tried = [_plain(past[row], own) for own in weights]
        assert path[row] == pytest.approx(min(tried, key=lambda one: one[0])[1])


def _plain(past: np.ndarray, weights: tuple[float, float, float]) -> tuple[float, list[float]]:
    (a, b, g), season, horizon = weights, 12, 6
    first, second = past[:season].mean(), past[season : 2 * season].mean()
    level, trend, loss = first, (second - first) / season, 0.0
    days = [((past[k] - first) + (past[season + k] - second)) / 2 for k in range(season)]
    for slot, value in enumerate(past):
        k = slot % season
        loss += (value - level - trend - days[k]) ** 2
        new = a * (value - days[k]) + (1 - a) * (level + trend)
        trend = b * (new - level) + (1 - b) * trend
        level = new
        days[k] = g * (value - level) + (1 - g) * days[k]
    return loss, [level + trend * s + days[(len(past) - 1 + s) % season] for s in range(1, horizon + 1)]


def _leak() -> Panel:
    """Memory that leaks since six hours, from 60 % to 30 %, and a guest where nothing happens."""
    metric = Catalogue.load().select(["vm_memory_usable_pct"])
    values = np.full((2, 3 * 288, 1), 60, np.float32)
    values[0, -72:, 0] -= 30 * np.arange(1, 73) / 72
    entities = tuple(Entity(id=name, kind="vm") for name in ("leaks", "rests"))
    return Panel(values, START, 300, entities, metric)


def test_a_leak_of_six_hours_is_warned_of_by_the_lines_that_see_it_and_not_by_habit() -> None:
    panel = _leak()
    metrics = {metric.name: metric for metric in panel.metrics}
    coarse = panel.coarsen(6)
    found = {name: warn(panel, coarse, metrics, 86_400.0) for name, warn in PEERS.items()}
    limit = metrics["vm_memory_usable_pct"].limit
    assert limit is not None
    for hours in (1, 6):
        (breach,) = found[f"predict_linear {hours}h"]
        assert breach.series.entity == "leaks"
        expected = panel.end + np.timedelta64(round((30 - limit) / 5 * 3600), "s")
        assert breach.likely is not None
        assert abs(breach.likely - expected) <= np.timedelta64(900, "s")
        assert (breach.probability, breach.exceeded) == (1.0, False)
    assert not [one for one in found["same time yesterday"] if one.series.entity == "rests"]
    assert not any(one.probability >= 0.5 for one in found["same time yesterday"])
