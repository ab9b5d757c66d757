"""Scores of detectors, forecasters and diagnoses against plain counting."""

import json
from dataclasses import replace

import numpy as np
import pytest
from panels import waves

from brownout.domain.findings import Cause
from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.truth import Incident
from brownout.evaluation.backtest import BacktestScores, actual_after, rolling_origins
from brownout.evaluation.detection_scores import event_scores, point_scores, runs
from brownout.evaluation.diagnosis_scores import Verdict, answers, diagnosis_scores, judge, macro_f1, scores_by_family
from brownout.forecasting.baselines.naive import SeasonalNaive


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
    naive = SeasonalNaive().predict(ForecastRequest(panel, [300, 348], 48))
    scores.add(naive, naive, actual_after(panel, naive), np.ones(len(naive.series)))
    overall = scores.summary()["overall"]
    assert overall["mase"] == pytest.approx(1)
    assert overall["crps"] == pytest.approx(1)
    assert overall["windows"] == 2 * 8


def test_macro_f1_is_that_of_the_definition() -> None:
    truth, answer = ["a", "a", "b", "c"], ["a", "b", "b", "unknown"]
    # a: precision 1, recall 1/2; b: precision 1/2, recall 1; c: never answered
    assert macro_f1(truth, answer) == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)


def test_causes_that_nothing_tells_apart_count_as_one_beside_the_strict_figure() -> None:
    ranked = [cause("Y", "b", 0.6), cause("X", "b", 0.4)]
    scores = diagnosis_scores([judge(ranked, TRUTH, alike={"X": ("Y",)}, chance=0.1)])
    assert (scores["ac1"], scores["ac1_alike"], scores["lift"]) == (0, 1, 0)


def test_calibration_is_the_gap_between_what_is_promised_and_kept() -> None:
    def verdict(probability: float, right: int) -> Verdict:
        return Verdict(
            both=right, entity=1, cause=1, family=1, unknown=False, alike=right, answer="X", probability=probability
        )

    kept = diagnosis_scores([verdict(0.75, 1), verdict(0.75, 1), verdict(0.75, 1), verdict(0.75, 2)])
    broken = diagnosis_scores([verdict(0.95, 2)])
    assert kept["calibration_error"] == 0
    assert broken["calibration_error"] == pytest.approx(0.95)


def test_what_there_is_nothing_to_count_of_has_no_score_and_stays_json() -> None:
    nothing, silent = diagnosis_scores([]), diagnosis_scores([judge([], TRUTH)])
    assert nothing["incidents"] == 0
    assert {value for key, value in nothing.items() if key != "incidents"} == {None}
    assert (silent["ac1"], silent["unknown"], silent["ac1_named"], silent["calibration_error"]) == (0, 0, None, None)
    json.dumps([nothing, silent], allow_nan=False)


def test_an_abstention_lowers_the_share_of_right_answers_but_not_that_of_those_named() -> None:
    ranked = [cause("X", "b", 0.9)], [cause("unknown", "", 0.9), cause("X", "b", 0.1)], [cause("Y", "b", 0.9)]
    scores = diagnosis_scores([judge(one, TRUTH) for one in ranked])
    assert scores["ac1"] == pytest.approx(1 / 3, abs=1e-4)
    assert scores["ac1_named"] == 0.5
    assert scores["ac3"] == pytest.approx(2 / 3, abs=1e-4)


def test_each_family_is_scored_by_its_own_incidents() -> None:
    disk = replace(TRUTH, cause="D")
    families = {"X": "cpu", "D": "disk"}
    found = [judge([cause("X", "b", 0.9)], one, families=families, chance=0.1) for one in (TRUTH, disk, disk)]
    scores = scores_by_family(found)
    assert {name: (s["incidents"], s["ac1"], s["lift"]) for name, s in scores.items()} == {
        "cpu": (1, 1.0, 10.0),
        "disk": (2, 0.0, 0.0),
    }


def test_look_alikes_count_as_one_among_the_first_three_too() -> None:
    ranked = [cause("Z", "b", 0.4), cause("W", "b", 0.3), cause("Y", "b", 0.2), cause("X", "b", 0.1)]
    scores = diagnosis_scores([judge(ranked, TRUTH, alike={"X": ("Y",)})])
    assert (scores["ac3"], scores["ac3_alike"], scores["ac1_alike"]) == (0, 1, 0)
