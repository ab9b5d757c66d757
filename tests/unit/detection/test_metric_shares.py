"""Attribution on planted causes: the metric that was moved is the one that is named."""

import numpy as np
import pytest
from panels import METRICS

from brownout.detection.detector_settings import DetectorSettings
from brownout.detection.episodes.metric_shares import metric_shares, with_metric_shares
from brownout.detection.episodes.segmentation import find_episodes
from brownout.detection.features.feature_table import FOREST_FEATURES, entity_features, features_without
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.domain.entities import Entity
from brownout.domain.metrics import Metric
from brownout.domain.panel import Panel

DAY = 288
NAMES = (*METRICS, *(Metric(name=f"m{i}") for i in range(4)))


def panel(seed: int = 0) -> Panel:
    rng = np.random.default_rng(seed)
    phase = np.sin(np.arange(10 * DAY) * 2 * np.pi / DAY)
    values = 50 + 10 * phase[None, :, None] + rng.normal(0, 1, (3, 10 * DAY, len(NAMES)))
    entities = tuple(Entity(id=f"vm{i}", kind="vm") for i in range(3))
    return Panel(values.astype(np.float32), np.datetime64("2026-03-02", "ms"), 300, entities, NAMES)


@pytest.fixture(scope="module")
def detector() -> IsolationForestDetector:
    return IsolationForestDetector(DetectorSettings(trees=50)).fit([panel()])


@pytest.mark.parametrize("column", range(len(NAMES)))
def test_the_metric_that_was_moved_has_the_largest_share(detector: IsolationForestDetector, column: int) -> None:
    moved = panel(1)
    moved.values[1, 8 * DAY : 8 * DAY + 12, column] += -25 if NAMES[column].name == "free_pct" else 25
    shares = metric_shares(detector, moved, [1], [8 * DAY + 6])[0]
    assert shares.sum() == pytest.approx(1)
    assert shares.argmax() == column
    assert shares[column] > 0.5


def test_left_out_nothing_they_are_the_features_of_the_slot() -> None:
    whole = panel(1)
    variants = features_without(whole, [2, 0], [8 * DAY, 9 * DAY])
    rows = entity_features(whole).rows
    own = slice(len(FOREST_FEATURES))  # what no level is made of is left at 0
    np.testing.assert_allclose(variants.rows[:, 0, own], rows[[2, 0], [8 * DAY, 9 * DAY], own], rtol=1e-5, atol=1e-6)
    assert not variants.rows[..., len(FOREST_FEATURES) :].any()


def test_an_episode_names_its_metric_first_with_shape_and_onset(detector: IsolationForestDetector) -> None:
    moved = panel(1)
    first = 8 * DAY + 40
    moved.values[1, first : first + 24, 3] += 30
    moved.values[1, first + 8 : first + 24, 0] += 12
    scores = detector.score(moved, 7 * DAY)
    found = with_metric_shares(find_episodes(scores, moved), scores, moved, detector)
    episode = next(e for e in found if e.entity == "vm1" and e.start <= moved.times[first + 3])
    assert episode.movers[0].series.metric == "m1"
    assert episode.movers[0].share > 0.5
    assert episode.shape is not None
    assert episode.first is not None
    assert episode.first.series.metric == "m1"
    assert episode.onset is not None
    slack = np.timedelta64(round(episode.onset_slack_s * 1000), "ms")
    assert episode.onset - slack <= moved.times[first] <= episode.onset
