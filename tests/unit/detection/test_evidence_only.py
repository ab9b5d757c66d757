"""Metrics that are evidence only: that a guest started is asked about in a diagnosis, and is no anomaly for a day."""

from dataclasses import replace

import numpy as np
from panels import METRICS

from brownout.detection.features.feature_table import entity_features, features_without, without_evidence_only
from brownout.detection.features.kept_features import KeptFeatures
from brownout.domain.entities import Entity
from brownout.domain.metrics import Metric, shipped_catalogue
from brownout.domain.panel import Panel

DAY, HOUR = 288, 12
UPTIME = Metric(name="uptime_h", unit="h", lower=0, evidence_only=True)
RESTART = 8 * DAY + 40
TOLERANCE = {"rtol": 1e-4, "atol": 1e-4}


def panel(uptime: Metric = UPTIME) -> Panel:
    """Three guests over ten days at 300 s; the second one starts again on the ninth."""
    rng = np.random.default_rng(3)
    phase = np.sin(np.arange(10 * DAY) * 2 * np.pi / DAY)
    values = 50 + 10 * phase[None, :, None] + rng.normal(0, 1, (3, 10 * DAY, len(METRICS) + 1))
    values[..., -1] = 3000 + np.arange(10 * DAY) / HOUR
    values[1, RESTART:, -1] = np.arange(1, 10 * DAY - RESTART + 1) / HOUR
    entities = tuple(Entity(id=f"vm{i}", kind="vm") for i in range(3))
    return Panel(values.astype(np.float32), np.datetime64("2026-03-02", "ms"), 300, entities, (*METRICS, uptime))


def test_slots_are_those_of_a_panel_that_lacks_the_metric() -> None:
    """Without the mark a restart strays for the rest of the day."""
    whole = panel()
    lacking = whole.select(metrics=range(len(METRICS)))
    found, expected = entity_features(whole, RESTART), entity_features(lacking, RESTART)
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_array_equal(found.deviations[..., :-1], expected.deviations)
    assert np.isnan(found.deviations[..., -1]).all()
    counted = entity_features(panel(replace(UPTIME, evidence_only=False)), RESTART).deviations
    assert np.abs(counted[1, : 20 * HOUR, -1]).min() > 5


def test_features_that_are_kept_are_the_same() -> None:
    whole, kept = panel(), KeptFeatures()
    for last, first in ((RESTART - 6, RESTART - 12), (RESTART + 6, RESTART - 6)):
        part = replace(whole, values=whole.values[:, :last])
        np.testing.assert_allclose(kept.features(part, first).rows, entity_features(part, first).rows, **TOLERANCE)
    assert kept.renewal > 0


def test_no_share_of_an_episode_is_its() -> None:
    variants = features_without(panel(), [1], [RESTART + 3]).rows[0]
    np.testing.assert_array_equal(variants[-1], variants[0])


def test_a_panel_without_such_metrics_is_not_copied() -> None:
    plain = panel(replace(UPTIME, evidence_only=False))
    assert without_evidence_only(plain) is plain


def test_times_since_a_start_are_evidence_only() -> None:
    marked = {metric.name for metric in shipped_catalogue().metrics.values() if metric.evidence_only}
    assert marked == {"vm_uptime_h", "host_uptime_h"}
