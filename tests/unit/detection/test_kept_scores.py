"""Scores that are kept from pass to pass are those of scoring everything again, whatever arrives, late or not."""

from dataclasses import replace

import numpy as np
import pytest
from panels import waves

from brownout.detection.detector_settings import DetectorSettings
from brownout.detection.features.feature_table import entity_features
from brownout.detection.features.kept_features import KeptFeatures
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.detection.forest.kept_scores import KeptScores
from brownout.domain.panel import Float, Panel

INTERVAL_S, DAYS = 300, 5
DAY = 86_400 // INTERVAL_S


def fleet(seed: int = 0) -> Panel:
    """Three entities with four metrics: gaps, one that is silent at first, one metric that nobody has for two days."""
    rng = np.random.default_rng(seed)
    both = [waves(entities=3, days=DAYS, interval_s=INTERVAL_S, seed=seed + n) for n in (0, 1)]
    values = np.concatenate([part.values for part in both], axis=2)
    metrics = (*both[0].metrics, *(replace(metric, name=f"{metric.name}_too") for metric in both[1].metrics))
    values[rng.random(values.shape) < 0.05] = np.nan
    values[0, :30] = np.nan
    values[:, : 2 * DAY, 3] = np.nan
    values[1, 4 * DAY + 20 :, 0] += 5
    return replace(both[0], values=values, metrics=metrics)


def until(panel: Panel, slots: int) -> Panel:
    return panel.between(panel.start, panel.start + slots * panel.step)


def assert_same(found: Float, expected: Float) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_features_of_what_follows_are_those_of_the_whole() -> None:
    """Over several renewals of spreads, blocks that are half over, and more than one new slot at once."""
    panel, kept = fleet(), KeptFeatures()
    slot = 4 * DAY
    for more in (1, 3, 50, 1, 40, 7):
        part = until(panel, slot + more)
        found, expected = kept.features(part, slot), entity_features(part, slot)
        assert_same(found.rows, expected.rows)
        assert_same(found.deviations, expected.deviations)
        slot += more
    assert kept.renewal > 4 * DAY


def test_history_is_looked_at_once() -> None:
    panel, kept = fleet(), KeptFeatures()
    renewal = 4 * DAY
    kept.features(until(panel, renewal + 2), renewal + 1)
    parts = kept.parts
    assert parts
    blind = panel.values.copy()
    blind[:, : 3 * DAY] = 7.0
    found = kept.features(until(replace(panel, values=blind), renewal + 5), renewal + 2)
    assert kept.parts is parts
    assert_same(found.rows, entity_features(until(panel, renewal + 5), renewal + 2).rows)


@pytest.fixture(scope="module")
def detector() -> IsolationForestDetector:
    return IsolationForestDetector(DetectorSettings(trees=5)).fit([until(fleet(), 4 * DAY)])


def test_passes_score_as_one_does(detector: IsolationForestDetector) -> None:
    """Also where a slot comes late, far back as well, a metric is new, or an entity begins to be measured."""
    panel, kept = fleet(), KeptScores()
    first = 3 * DAY
    late = panel.values.copy()
    late[2, 4 * DAY + 30, 1] = 3.0
    far = late.copy()
    far[1, DAY, 2] = np.nan
    steps: list[tuple[Float, int]] = [(panel.values, 4 * DAY + n) for n in (10, 11, 40)]
    steps += [(late, 4 * DAY + 42), (late, 4 * DAY + 43), (far, 4 * DAY + 44), (far, 4 * DAY + 44)]
    for values, slots in steps:
        part = until(replace(panel, values=values), slots)
        found, expected = kept.score(detector, part, first), detector.score(part, first)
        assert expected.levels is not None
        assert found.levels is not None
        assert_same(found.levels, expected.levels)
        assert_same(found.scores, expected.scores)
        assert_same(found.deviations, expected.deviations)
        assert (found.times == expected.times).all()
    kept.score(replace(detector), until(panel, 4 * DAY), first)
    assert not kept.features.parts  # another detector: everything is scored again
