"""What ordinary days reach, against plain loops, and boundaries that past incidents do not move."""

from dataclasses import replace

import numpy as np
import pytest
from panels import waves

from brownout.detection.baseline.normal_periods import SUSTAINED, block_peaks, sustained, unusual
from brownout.detection.detector_settings import DetectorSettings, EpisodeSettings
from brownout.detection.episodes.segmentation import find_episodes, in_progress
from brownout.detection.features.feature_table import entity_features
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.detection.forest.training_set import TrainingSet, training_set_of
from brownout.domain.errors import DataError
from brownout.domain.findings import AnomalyScores

INTERVAL = 300
DAY = 86_400 // INTERVAL
AFTER = 1800 // INTERVAL


def quiet_days(entities: int = 2, days: int = 10) -> np.ndarray:
    return np.ones((entities, days * DAY), np.float32)


def test_a_long_incident_is_strange_with_half_an_hour_after_it() -> None:
    """A fault of three days in ten is one incident, however large its share."""
    far = quiet_days()
    far[1, 4 * DAY : 7 * DAY] = 20
    found = unusual(far, INTERVAL)
    expected = np.zeros_like(found)
    expected[1, 4 * DAY : 7 * DAY + AFTER] = True
    np.testing.assert_array_equal(found, expected)


def test_what_is_not_measured_is_not_strange_and_makes_no_days() -> None:
    far = quiet_days(1)
    far[0, [DAY, 3 * DAY]] = 20
    assert unusual(far, INTERVAL).any()
    far[0, 4 * DAY :] = np.nan
    assert not unusual(far, INTERVAL)[0, 5 * DAY :].any()
    far[0, DAY + 100 : 3 * DAY - 100] = np.nan
    far[0, 3 * DAY + 10 : 4 * DAY] = np.nan
    assert not unusual(far, INTERVAL).any()  # twice in hardly more than a day


@pytest.mark.parametrize(("a_day", "marked"), [(0.5, 5), (1, 10), (2, 0)])
def test_what_comes_more_often_than_every_day_is_how_telemetry_behaves(a_day: float, marked: int) -> None:
    far = quiet_days(1)
    far[0, DAY // 4 :: int(DAY / a_day)] = 20
    assert unusual(far, INTERVAL).sum() == marked * (AFTER + 1)


def test_the_slots_of_one_strange_time_count_once() -> None:
    far = quiet_days(1)
    for day in range(0, 10, 2):
        far[0, day * DAY + 50 : day * DAY + 90 : AFTER] = 20
    assert unusual(far, INTERVAL).any()


def test_telemetry_that_is_mostly_far_off_is_not_strange() -> None:
    far = quiet_days(1)
    far[0, : 6 * DAY] = 20
    assert not unusual(far, INTERVAL).any()


def test_a_lasting_level_is_the_least_of_the_last_slots() -> None:
    levels = np.random.default_rng(0).random((3, 50)).astype(np.float32)
    levels[1, 20] = np.nan
    found = sustained(levels)
    for slot in range(50):
        expected = (
            levels[:, slot - SUSTAINED + 1 : slot + 1].min(axis=1) if slot >= SUSTAINED - 1 else np.full(3, np.nan)
        )
        np.testing.assert_array_equal(found[:, slot], expected)


@pytest.mark.parametrize(("interval_s", "width"), [(60, 120), (300, 24), (3600, 12)])
def test_tops_are_the_highest_of_each_block_that_has_any(interval_s: int, width: int) -> None:
    levels = np.random.default_rng(0).normal(0, 1, (3, 5 * width + 7)).astype(np.float32)
    levels[1, width : 2 * width] = np.nan
    levels[2, -7:] = np.nan
    blocks = [row[first : first + width] for row in levels for first in range(0, levels.shape[1], width)]
    expected = [np.nanmax(block) for block in blocks if np.isfinite(block).any()]
    np.testing.assert_array_equal(block_peaks(levels, interval_s), np.array(expected, np.float32))


def test_long_incidents_in_the_training_do_not_move_the_boundary_of_levels() -> None:
    """Faults of a day and a half on five of twelve entities, 8 % of all slots: they would make the tail."""
    plain = waves(interval_s=INTERVAL, entities=12, days=10)
    faulty = waves(interval_s=INTERVAL, entities=12, days=10)
    for row in range(0, 9, 2):
        faulty.values[row, (5 + row % 4) * DAY : (6 + row % 4) * DAY + DAY // 2, 0] += 90
    level = {}
    for name, panel in (("plain", plain), ("faulty", faulty)):
        features = entity_features(panel, 2 * DAY)
        training_set = TrainingSet(features=features, interval_s=INTERVAL, monitored=2 * DAY)
        boundaries = IsolationForestDetector(DetectorSettings(trees=30)).learn({"vm": [training_set]}).thresholds_["vm"]
        level[name] = boundaries.level.boundary - boundaries.level.centre
    assert level["faulty"] == pytest.approx(level["plain"], rel=0.25)


def test_a_boundary_is_crossed_as_often_as_the_settings_say() -> None:
    """Twelve entities and eight days are 96 ordinary days, in which about ten blocks have more."""
    features = entity_features(waves(interval_s=INTERVAL, entities=12, days=10), 2 * DAY)
    training_set = TrainingSet(features=features, interval_s=INTERVAL, monitored=2 * DAY)
    detector = IsolationForestDetector(DetectorSettings(trees=30, margin=1 / (1 + 0.2**2)))
    levels = detector.learn({"vm": [training_set]}).assess(features, "vm", INTERVAL).levels
    assert 6 <= (block_peaks(sustained(levels), INTERVAL) > 1).sum() <= 14


@pytest.mark.parametrize(("interval_s", "needed"), [(10, 18), (30, 6), (60, 3), (300, 3), (3600, 3)])
def test_an_episode_has_three_slots_and_three_minutes_of_evidence(interval_s: int, needed: int) -> None:
    panel = waves(interval_s=interval_s, entities=2, days=1 if interval_s < 60 else 4)
    levels = np.zeros(panel.values.shape[:2], np.float32)
    levels[0, 40 : 40 + needed - 1] = 1.1
    levels[1, 40 : 40 + needed] = 1.1
    scores = AnomalyScores(
        entities=panel.entity_ids,
        metrics=panel.metric_names,
        times=panel.times,
        interval_s=interval_s,
        scores=levels,
        deviations=np.zeros_like(panel.values),
        levels=levels,
    )
    assert [episode.entity for episode in find_episodes(scores, panel)] == ["vm1"]
    marks = in_progress(levels, interval_s)
    assert not marks[0].any()
    assert np.flatnonzero(marks[1])[0] == 40 + needed - 1
    levels[0, 41] = EpisodeSettings().obvious
    assert np.flatnonzero(in_progress(levels, interval_s)[0])[0] == 41


@pytest.mark.parametrize("every", [2, 5])
def test_what_is_measured_every_few_slots_is_sustained_over_its_own_samples(every: int) -> None:
    """A database whose inputs are gathered more seldom than its slots: no two neighbouring slots have a score."""
    dense = np.array([[3, 1, 4, 1, 5, 9, 2, 6]], np.float32)
    sparse = np.full((1, 8 * every), np.nan, np.float32)
    sparse[:, ::every] = dense
    np.testing.assert_array_equal(sustained(sparse)[:, ::every], sustained(dense))
    assert np.isfinite(sustained(sparse)).sum() == 8 - SUSTAINED + 1
    alone = np.full((1, 9), np.nan, np.float32)
    alone[0, 4] = 7
    assert np.isnan(sustained(alone)).all()


def test_a_kind_gathered_more_seldom_than_its_slots_is_learned_and_one_with_hardly_a_sample_is_not() -> None:
    panel = waves(interval_s=INTERVAL, days=6)
    slots = np.arange(panel.values.shape[1])
    seldom = replace(panel, values=np.where((slots % 5 == 0)[None, :, None], panel.values, np.float32(np.nan)))
    detector = IsolationForestDetector(DetectorSettings(trees=20)).fit([seldom])
    assert (detector.score(seldom, 5 * DAY).scores >= 1).sum() < 10
    step = replace(seldom, values=seldom.values.copy())
    step.values[1, 5 * DAY + 100 :: 5, 0] = 99.5
    assert (detector.score(step, 5 * DAY).levels[1, 100:] >= 1).any()
    hardly = replace(panel, values=np.where((slots == 5 * DAY)[None, :, None], panel.values, np.float32(np.nan)))
    with pytest.raises(DataError, match="vm"):
        IsolationForestDetector(DetectorSettings(trees=5)).fit([hardly])


def test_known_incidents_are_left_out_of_what_is_learned() -> None:
    """Slots of a known incident have no features; all others keep theirs."""
    panel = waves(entities=2, days=6)
    spans = {panel.entity_ids[1]: [(panel.times[150], panel.times[160])]}
    known = training_set_of(panel, spans)
    rows = known.features.rows
    first = known.monitored
    assert np.isnan(rows[1, 150 - first : 160 - first]).all()
    assert np.isfinite(rows[1, 160 - first]).all()
    assert np.isfinite(rows[1, 149 - first]).all()
    assert np.array_equal(training_set_of(panel).features.rows[0], rows[0], equal_nan=True)
