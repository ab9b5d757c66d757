"""Scores of detectors, forecasters and diagnoses against plain counting."""

import numpy as np
import pytest
from panels import waves

from brownout.domain.findings import Cause
from brownout.domain.truth import Incident
from brownout.evaluation.detection import event_scores, point_scores, runs
from brownout.evaluation.diagnosis import answers, diagnosis_scores, judge
from brownout.evaluation.forecast import BacktestScores, actual_after, rolling_origins, window_forecasts
from brownout.forecasting.naive import SeasonalNaive


def marks(text: str) -> np.ndarray:
    return np.array([c == "#" for c in text])


def test_runs_are_what_one_sees() -> None:
    assert runs(marks("##..#")) == [(0, 2), (4, 5)]
    assert runs(marks("....")) == []


def test_events_are_counted_without_point_adjustment() -> None:
    label = marks("..####....##..")
    alarm = marks("....#..#......")
    found = event_scores([alarm], [label], [60.0])
    assert found["events"] == 2
    assert found["event_recall"] == 0.5
    assert found["event_precision"] == 0.5
    assert found["median_delay_s"] == 120
    assert found["false_events_per_entity_day"] == pytest.approx(1 / (14 * 60 / 86_400))


def test_average_precision_by_hand() -> None:
    # Ranked: true, false, true: precision at the hits is 1 and 2/3.
    found = point_scores(np.array([0.9, 0.8, 0.7, 0.1], np.float32), np.array([True, False, True, False]))
    assert found["average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["roc_auc"] == pytest.approx(3 / 4)


def test_labels_all_alike_have_no_score() -> None:
    found = point_scores(np.zeros(3, np.float32), np.zeros(3, bool))
    assert np.isnan(found["average_precision"])


def cause(name: str, entity: str, probability: float, family: str = "cpu") -> Cause:
    return Cause(id=name, title=name, family=family, entity=entity, probability=probability)


TRUTH = Incident(
    id="i",
    group="",
    start=np.datetime64("2026-01-01", "ms"),
    end=np.datetime64("2026-01-02", "ms"),
    entity="b",
    cause="X",
)


def test_right_cause_at_the_wrong_place_is_half_right() -> None:
    verdict = judge([cause("X", "a", 0.6), cause("Y", "b", 0.3), cause("X", "b", 0.1)], TRUTH)
    assert (verdict.cause, verdict.entity, verdict.both) == (1, 2, 3)
    scores = diagnosis_scores([verdict])
    assert (scores["ac1"], scores["ac3"], scores["cause_ac1"], scores["entity_ac1"]) == (0, 1, 1, 0)


def test_an_abstention_is_wrong_but_said_so() -> None:
    scores = diagnosis_scores([judge([cause("unknown", "", 0.9), cause("X", "b", 0.1)], TRUTH)])
    assert scores["ac1"] == 0
    assert scores["unknown"] == 1


def test_with_coarse_labels_the_family_is_the_answer_and_probabilities_add_up() -> None:
    ranked = answers(
        [cause("unknown", "", 0.4), cause("A", "b", 0.3), cause("B", "b", 0.2), cause("C", "b", 0.1, "disk")],
        coarse=True,
    )
    assert [(c.id, c.entity, round(c.probability, 3)) for c in ranked] == [
        ("cpu", "b", 0.5),
        ("unknown", "", 0.4),
        ("disk", "b", 0.1),
    ]


def test_origins_leave_room_for_the_horizon() -> None:
    panel = waves()
    origins = rolling_origins(panel, panel.start + 400 * panel.step, horizon=48, stride=48)
    assert origins[0] == 399
    assert set(np.diff(origins)) == {48}
    assert origins[-1] + 48 < panel.values.shape[1]


def test_seasonal_naive_against_itself_has_ratio_one() -> None:
    panel = waves()
    scores = BacktestScores()
    naive = SeasonalNaive()
    for forecasts, actual in window_forecasts(naive, panel, [300, 348], horizon=48):
        np.testing.assert_array_equal(actual, actual_after(panel, forecasts))
        scores.add(forecasts, forecasts, actual, np.ones(len(forecasts.series)))
    overall = scores.summary()["overall"]
    assert overall["mase"] == pytest.approx(1)
    assert overall["crps"] == pytest.approx(1)
    assert overall["windows"] == 2 * 8
