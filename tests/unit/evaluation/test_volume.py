"""The volume under the precision-recall surface against a plain loop over buffers, thresholds and points."""

import numpy as np
import pytest

from brownout.evaluation.detection_scores import point_scores, runs
from brownout.evaluation.volume import LEVELS, volume_under_pr


def plain(scores: np.ndarray, labels: np.ndarray, widest: int) -> float:
    """As the published code goes about it: soft labels, a curve for each buffer, the mean of their areas."""
    return float(np.mean([area(scores, labels, width) for width in range(widest + 1)]))


def area(scores: np.ndarray, labels: np.ndarray, width: int) -> float:
    soft = labels.astype(float)
    for first, last in runs(labels):
        for away in range(1, width // 2 + 1):
            for place in (first - away, last - 1 + away):
                if 0 <= place < len(labels):
                    soft[place] = min(soft[place] + np.sqrt(1 - away / width), 1)
    events: list[tuple[int, int]] = []
    for first, last in runs(labels):
        begin = max(first - width // 2, 0)
        if events and events[-1][1] >= first - width // 2:
            begin = events.pop()[0]
        events.append((begin, last - 1 + width // 2))
    found, before = 0.0, 0.0
    for rank in np.linspace(0, len(scores) - 1, LEVELS).astype(int):
        raised = scores >= np.sort(scores)[::-1][rank]
        true = soft[raised].sum()
        positives = (labels.sum() + labels.sum() + soft[raised & ~labels].sum()) / 2
        seen = np.mean([raised[first : last + 1].any() for first, last in events])
        recall = min(true / positives, 1) * seen
        found += (recall - before) * true / raised.sum()
        before = recall
    return found


@pytest.mark.parametrize(("seed", "events", "widest"), [(0, 1, 6), (1, 5, 9), (2, 9, 11)])
def test_the_volume_is_that_of_a_plain_loop(seed: int, events: int, widest: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.zeros(200, bool)
    for first in rng.integers(0, 200, events).tolist():
        labels[first : first + rng.integers(1, 20)] = True
    labels[0] = labels[-2] = seed == 2  # events at both ends
    scores = np.round(rng.random(200) + 0.5 * np.convolve(labels, np.ones(9) / 9, "same"), 2)  # with ties
    assert volume_under_pr(scores, labels, widest) == pytest.approx(plain(scores, labels, widest), abs=1e-12)


def test_without_a_buffer_it_is_nearly_average_precision_and_an_alarm_beside_an_event_costs_less_with_one() -> None:
    rng = np.random.default_rng(3)
    labels = np.zeros(250, bool)
    labels[100:120] = True
    scores = rng.random(250).astype(np.float32)
    scores[105:125] += 1
    bare = volume_under_pr(scores, labels, 0)
    assert bare == pytest.approx(point_scores(scores, labels)["average_precision"], abs=0.05)
    assert volume_under_pr(scores, labels, 20) > bare + 0.1


def test_labels_all_alike_have_no_volume_and_unknown_scores_are_the_least_abnormal() -> None:
    assert np.isnan(volume_under_pr(np.zeros(3), np.zeros(3, bool)))
    labels = np.array([False, True, True, False] * 10)
    scores = np.where(labels, 1.0, 0.0)
    unknown = np.where(labels, 1.0, np.nan)
    assert volume_under_pr(unknown, labels, 4) == volume_under_pr(scores, labels, 4)
