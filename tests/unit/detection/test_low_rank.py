"""Residuals of the low-rank model against a naive loop, and what they must and must not see."""

import numpy as np
import pytest

from brownout.detection.features.low_rank import GROWTH, KEPT, ROWS, low_rank_residuals
from brownout.domain.entities import Entity
from brownout.domain.metrics import Metric
from brownout.domain.panel import Panel

DAY, SLOTS = 288, 1100


def related(*, seed: int = 0, metrics: int = 4) -> np.ndarray:
    """Metrics that follow one load, each at its own scale, with little noise of their own ``[time, metric]``."""
    rng = np.random.default_rng(seed)
    load = 2 + np.sin(np.arange(SLOTS) * 2 * np.pi / DAY) + rng.normal(0, 0.3, SLOTS)
    scale = 10.0 ** np.arange(metrics)
    return (load[:, None] * scale * (1 + rng.normal(0, 0.02, (SLOTS, metrics)))).astype(np.float32)


def panel(values: np.ndarray) -> Panel:
    metrics = tuple(Metric(name=f"m{column}") for column in range(values.shape[1]))
    return Panel(values[None], np.datetime64("2026-03-02", "ms"), 300, (Entity(id="vm"),), metrics)


def naive(values: np.ndarray, slot: int, first: int) -> float:
    """One slot, by components that were learned from the slots before ``first``, without running sums."""

    def means(at: int) -> np.ndarray:
        spans = ((0, 1), (1, 3), (3, 12), (12, 36))
        parts = []
        for near, far in spans:
            last = max(at - near, 0)
            parts.append(values[min(max(at - far + 1, 0), last) : last + 1].astype(np.float64).mean(axis=0))
        return np.concatenate(parts)

    past = np.array([means(at) for at in range(0, first, -(-first // ROWS) | 1)])
    middle, spread = past.mean(axis=0), past.std(axis=0)
    usual = np.clip((past - middle) / spread, -10, 10)
    _, power, components = np.linalg.svd(usual, full_matrices=False)
    count = int(np.searchsorted(np.cumsum(power**2) / (power**2).sum(), KEPT)) + 1
    now = np.clip((means(slot) - middle) / spread, -10, 10)
    rebuilt = components[:count].T @ (components[:count] @ now)
    return float(np.log1p(((now - rebuilt) ** 2).mean()))


def test_residuals_are_those_of_the_definition() -> None:
    values = related()
    found = low_rank_residuals(panel(values))[0]
    later = int(2 * DAY * GROWTH) + 1
    for slot, first in ((2 * DAY, 2 * DAY), (650, 2 * DAY), (later, later), (later + 30, later)):
        assert found[slot] == pytest.approx(naive(values, slot, first), abs=1e-4)


def test_a_broken_relation_is_seen_where_no_metric_leaves_its_range() -> None:
    values = related()
    values[930:942, 2] = np.median(values[:, 2]) - (values[930:942, 2] - np.median(values[:, 2]))
    found = low_rank_residuals(panel(values))[0]
    assert values[930:942, 2].max() < values[:930, 2].max()
    assert found[930:942].max() > 3 * np.quantile(found[700:930], 0.99)


def test_scores_depend_neither_on_units_nor_on_order_nor_on_the_future_nor_on_where_scoring_begins() -> None:
    values = related()
    whole = low_rank_residuals(panel(values))[0]
    np.testing.assert_allclose(low_rank_residuals(panel(values * 8))[0], whole, atol=1e-4)
    np.testing.assert_allclose(low_rank_residuals(panel(values[:, ::-1]))[0], whole, atol=1e-4)
    np.testing.assert_allclose(low_rank_residuals(panel(values[:900]))[0], whole[:900], atol=1e-6)
    np.testing.assert_allclose(low_rank_residuals(panel(values), 800)[0], whole[800:], atol=1e-6)
    late = np.concatenate([values, np.where(np.arange(SLOTS)[:, None] < 950, np.nan, 5).astype(np.float32)], axis=1)
    np.testing.assert_allclose(low_rank_residuals(panel(late))[0][:950], whole[:950], atol=1e-6)


def test_too_few_metrics_too_short_a_past_and_gaps_leave_nothing_and_no_nan() -> None:
    values = related()
    assert not low_rank_residuals(panel(values[:, :2])).any()
    assert not low_rank_residuals(panel(values))[0, : 2 * DAY].any()
    gaps = np.where(np.random.default_rng(1).random(values.shape) < 0.3, np.nan, values).astype(np.float32)
    gaps[:, 3] = np.nan
    assert np.isfinite(low_rank_residuals(panel(gaps))).all()
    assert np.isfinite(low_rank_residuals(panel(np.full_like(values, 3)))).all()
