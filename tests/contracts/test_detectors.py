"""What every detector keeps to."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from panels import waves

from brownout.detection.detector_settings import DetectorSettings
from brownout.detection.episodes.segmentation import find_episodes
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.domain.errors import ModelError, NotFittedError
from brownout.domain.ports import Detector

MAKE: dict[str, Callable[[], Detector]] = {
    "isolation-forest": lambda: IsolationForestDetector(DetectorSettings(trees=30)),
}
INTERVAL = 300
DAY = 86_400 // INTERVAL


@cache
def fitted(name: str) -> Detector:
    return MAKE[name]().fit([waves(interval_s=INTERVAL)])


@pytest.fixture(params=sorted(MAKE))
def detector(request: pytest.FixtureRequest) -> Detector:
    return fitted(request.param)


def test_every_implementation_is_under_contract() -> None:
    import brownout.detection as package

    found = set()
    for path in Path(package.__path__[0]).rglob("*.py"):
        found |= {
            line.split("=")[1].strip().strip('"') for line in path.read_text().splitlines() if "name: ClassVar" in line
        }
    assert found == set(MAKE)


def test_scores_have_a_row_an_entity_and_start_where_asked(detector: Detector) -> None:
    panel = waves(interval_s=INTERVAL, seed=2)
    found = detector.score(panel, 8 * DAY)
    assert found.scores.shape == (4, 4 * DAY)
    assert found.deviations.shape == (4, 4 * DAY, 2)
    assert found.times[0] == panel.start + 8 * DAY * panel.step


def test_an_ordinary_day_raises_few_alarms(detector: Detector) -> None:
    scores = detector.score(waves(interval_s=INTERVAL, entities=12, seed=4), 8 * DAY).scores
    days = 12 * 4
    assert (scores >= 1).sum() / days < 3


def test_a_step_is_found_at_once_and_at_its_entity(detector: Detector) -> None:
    panel = waves(interval_s=INTERVAL, seed=2)
    first = 10 * DAY + 100
    panel.values[2, first : first + 20, 0] = 99.5
    scores = detector.score(panel, 8 * DAY).scores
    inside = scores[2, first - 8 * DAY : first - 8 * DAY + 20]
    assert (inside >= 1).any()
    assert np.flatnonzero(inside >= 1)[0] <= 3
    assert (scores[[0, 1, 3], first - 8 * DAY : first - 8 * DAY + 20] >= 1).mean() < 0.05


def test_what_comes_later_changes_no_score(detector: Detector) -> None:
    panel, changed = waves(interval_s=INTERVAL, seed=2), waves(interval_s=INTERVAL, seed=2)
    changed.values[:, 11 * DAY :] = 1
    before, after = (detector.score(p, 8 * DAY).scores[:, : 3 * DAY] for p in (panel, changed))
    np.testing.assert_array_equal(before, after)


def test_nothing_measured_is_no_score(detector: Detector) -> None:
    panel = waves(interval_s=INTERVAL, seed=2)
    panel.values[1, 9 * DAY : 10 * DAY] = np.nan
    scores = detector.score(panel, 8 * DAY).scores
    assert np.isnan(scores[1, DAY : 2 * DAY]).all()
    assert np.isfinite(scores[0]).all()


def test_equal_seeds_score_equally(detector: Detector) -> None:
    again = MAKE[detector.name]().fit([waves(interval_s=INTERVAL)])
    panel = waves(interval_s=INTERVAL, seed=2)
    np.testing.assert_array_equal(again.score(panel, DAY).scores, detector.score(panel, DAY).scores)


def test_before_fit_there_is_no_score() -> None:
    with pytest.raises(NotFittedError, match="fit"):
        IsolationForestDetector().score(waves(), 10)


def test_a_stored_detector_scores_the_same_and_holds_no_pickle(tmp_path: Path) -> None:
    detector = fitted("isolation-forest")
    assert isinstance(detector, IsolationForestDetector)
    detector.save(tmp_path)
    panel = waves(interval_s=INTERVAL, seed=2)
    again = IsolationForestDetector.load(tmp_path)
    np.testing.assert_array_equal(again.score(panel, DAY).scores, detector.score(panel, DAY).scores)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".skops"}


@pytest.mark.parametrize("damage", ["forest", "card", "features", "missing"])
def test_a_damaged_detector_is_refused(damage: str, tmp_path: Path) -> None:
    detector = fitted("isolation-forest")
    assert isinstance(detector, IsolationForestDetector)
    detector.save(tmp_path)
    card = tmp_path / "detector.json"
    forest = next(tmp_path.glob("*.skops"))
    if damage == "forest":
        forest.write_bytes(forest.read_bytes()[:-1])
    elif damage == "card":
        card.write_text("{")
    elif damage == "features":
        card.write_text(json.dumps(json.loads(card.read_text()) | {"features": ["other"]}))
    else:
        forest.unlink()
    with pytest.raises(ModelError):
        IsolationForestDetector.load(tmp_path)


def test_episodes_hold_the_step_with_its_mover_first() -> None:
    panel = waves(interval_s=INTERVAL, seed=2)
    first = 10 * DAY + 100
    panel.values[2, first : first + 24, 0] = 99.5
    found = [e for e in find_episodes(fitted("isolation-forest").score(panel, 8 * DAY), panel) if e.entity == "vm2"]
    start, end = panel.times[first], panel.times[first + 24]
    overlapping = [e for e in found if e.start < end and e.end > start]
    assert len(overlapping) == 1
    episode = overlapping[0]
    assert abs(episode.start - start) <= 3 * panel.step
    assert not episode.open
    assert episode.severity >= 1
    assert episode.movers[0].series.metric == "cpu_pct"
    assert episode.movers[0].deviation > 4
    assert episode.movers[0].peak == pytest.approx(99.5)
    assert episode.movers[0].usual < 90


def test_a_surprise_after_odd_hours_counts_for_more() -> None:
    from brownout.detection.forest.forest_scores import RECENT_SHARE, _with_recent_mean

    novelties = np.random.default_rng(0).random((2, 200)).astype(np.float32)
    novelties[0, 50:60] = np.nan
    found = _with_recent_mean(novelties, 300)
    for slot in (0, 30, 65, 199):
        mean = np.nanmean(novelties[:, max(slot - 47, 0) : slot + 1], axis=1)
        np.testing.assert_allclose(
            found[:, slot], (1 - RECENT_SHARE) * novelties[:, slot] + RECENT_SHARE * mean, rtol=1e-5
        )
    np.testing.assert_array_equal(np.isnan(found), np.isnan(novelties))


def test_a_level_counts_a_deviation_from_its_second_slot_on() -> None:
    from brownout.detection.forest.forest_scores import LEVEL_WEIGHTS, _without_lone_samples

    weight = LEVEL_WEIGHTS["sample_largest"]
    now = np.array([[2, 0, 5, 1, 4, 4, np.nan, 3]], np.float32)
    plain = np.array([[0, 0, 5, 0, 4, 4, np.nan, 3]], np.float32) * weight
    expected = np.array([[0, 0, 0, 0, 1, 4, np.nan, 3]], np.float32) * weight
    np.testing.assert_allclose(_without_lone_samples(plain, now), expected, atol=1e-6)


def test_a_level_adds_a_tenth_of_how_far_one_metric_and_all_together_are_to_the_forest() -> None:
    from brownout.detection.features.feature_table import FEATURES, FOREST_FEATURES
    from brownout.detection.forest.forest_scores import raw_scores

    panel = waves(interval_s=INTERVAL)
    forest = IsolationForestDetector(DetectorSettings(trees=30)).fit([panel]).forests_["vm"]
    rows = np.random.default_rng(0).uniform(0, 3, (2, 5, len(FEATURES))).astype(np.float32)
    added = sum(0.1 * rows[..., FEATURES.index(name)] for name in ("sample_largest", "hour_largest", "level_power"))
    seen = rows.reshape(10, -1)[:, : len(FOREST_FEATURES)]
    expected = added - forest.score_samples(seen).reshape(2, 5)
    np.testing.assert_allclose(raw_scores(forest, rows).levels, expected, rtol=1e-4)


def test_a_novelty_is_made_of_broken_relations_where_they_are_known_and_of_distances_elsewhere() -> None:
    from brownout.detection.features.feature_table import FEATURES, FOREST_FEATURES, LOW_RANK
    from brownout.detection.forest.forest_scores import raw_scores

    panel = waves(interval_s=INTERVAL)
    forest = IsolationForestDetector(DetectorSettings(trees=30)).fit([panel]).forests_["vm"]
    rows = np.random.default_rng(1).uniform(0.1, 3, (2, 5, len(FEATURES))).astype(np.float32)
    rows[0, :, LOW_RANK] = 0
    found = raw_scores(forest, rows)
    np.testing.assert_array_equal(found.related, [[False] * 5, [True] * 5])
    tenth = ("novelty_half", "novelty_3h_half", "volatility_novelty_half", "record_half")
    distances = dict.fromkeys(tenth, 0.1) | dict.fromkeys(("volatility_half", "volatility_3h_half"), 0.05)
    broken = {"low_rank": 0.1, "sample_largest": 0.05, "volatility_half": 0.05}
    for entity, weights in enumerate((distances, broken)):
        added = sum(weight * rows[entity, :, FEATURES.index(name)] for name, weight in weights.items())
        expected = added - forest.score_samples(rows[entity, :, : len(FOREST_FEATURES)])
        np.testing.assert_allclose(found.novelties[entity], expected, rtol=1e-4)


def test_unusual_hours_before_count_only_where_relations_are_not_known() -> None:
    from brownout.detection.forest.forest_scores import RawScores, levels_and_novelties

    novelties = np.repeat(np.r_[np.ones(60), np.zeros(10)].astype(np.float32)[None], 2, axis=0)
    related = np.repeat(np.array([[True], [False]]), 70, axis=1)
    _, found = levels_and_novelties(RawScores(np.zeros_like(novelties), novelties, novelties, related), INTERVAL)
    np.testing.assert_array_equal(found[0], novelties[0])
    assert found[1, 60:].min() > 0.1


def test_an_episode_at_the_end_of_the_data_is_open() -> None:
    panel = waves(interval_s=INTERVAL, seed=2)
    panel.values[2, -24:, 0] = 99.5
    last = [e for e in find_episodes(fitted("isolation-forest").score(panel, 8 * DAY), panel) if e.entity == "vm2"][-1]
    assert last.open
    assert last.end == panel.end
