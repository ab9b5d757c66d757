"""NAB's scoring against the published scores of NAB's windowed Gaussian, and against its rules by hand."""

import sys
from pathlib import Path

import numpy as np
import pytest

from brownout.evaluation.nab import NabFile, judge_corpus, probation, row_weights

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "benchmarks" / "detection"))
AWS = ROOT / "tests" / "data" / "nab-aws"
WHOLE = ROOT.parent / "shared" / "data" / "nab"

# results/windowedGaussian/windowedGaussian_standard_scores.csv of numenta/NAB, commit de8e91a479, threshold 1.0
PUBLISHED = {
    "ec2_disk_write_bytes_c0d644": -1.09599853032,
    "grok_asg_anomaly": 2.37942230674,
    "ec2_cpu_utilization_5f5533": -2.0,
    "ec2_disk_write_bytes_1ef3de": -4.19089678552,
    "ec2_cpu_utilization_24ae8d": -1.26667875935,
    "ec2_network_in_257a54": 0.86067182427,
    "ec2_cpu_utilization_53ea38": -0.141423196117,
    "ec2_cpu_utilization_825cc2": 0.956537840284,
    "ec2_network_in_5abac7": -3.52193223519,
    "rds_cpu_utilization_e47b3b": -0.138449197924,
    "elb_request_count_8c0756": -0.138449197924,
    "ec2_cpu_utilization_c6585a": -1.32,
    "rds_cpu_utilization_cc0c53": -0.138449197924,
    "ec2_cpu_utilization_77c1ca": -1.0,
    "ec2_cpu_utilization_ac20cd": 0.86067182427,
    "ec2_cpu_utilization_fe7f93": 0.638757791772,
    "iio_us-east-1_i-a2eb1cd9_NetworkIn": -2.0,
}


def test_every_file_scores_what_nab_published_for_the_windowed_gaussian() -> None:
    from nab import corpus, gaussian_scores

    files = judge_corpus(corpus(AWS, gaussian_scores(AWS)), threshold=1.0).files
    assert {name.split("/")[-1] for name in files} == set(PUBLISHED)
    for name, score in files.items():
        assert score == pytest.approx(PUBLISHED[name.split("/")[-1]], abs=1e-6), name


@pytest.mark.skipif(not WHOLE.exists(), reason="the whole of NAB is not part of a clone")
def test_the_corpus_scores_what_the_leaderboard_says_at_the_threshold_found() -> None:
    from nab import corpus, gaussian_scores

    found = judge_corpus(corpus(WHOLE, gaussian_scores(WHOLE)))
    assert found.score == pytest.approx(39.65, abs=0.005)
    assert found.threshold == 1.0
    assert (found.windows, found.false_alarms) == (116, 409)


def test_saying_nothing_scores_zero_and_a_perfect_detector_a_hundred() -> None:
    windows = [(40, 60)]
    perfect = np.zeros(100)
    perfect[40] = 1
    assert judge_corpus({"a": NabFile(perfect, windows)}).score == pytest.approx(100, abs=0.01)
    assert judge_corpus({"a": NabFile(np.zeros(100), windows)}, threshold=0.5).score == 0


def test_what_comes_in_probation_is_not_judged() -> None:
    assert probation(100) == 15
    assert probation(22_695) == 750
    early = np.zeros(100)
    early[3] = 1
    assert judge_corpus({"a": NabFile(early, [(40, 60)])}, threshold=0.5).false_alarms == 0


def test_early_is_better_and_a_false_alarm_costs_more_the_farther_it_lies_behind() -> None:
    weights, owners = row_weights(200, [(40, 60)])
    assert (np.diff(weights[40:61]) < 0).all()
    assert weights[10] == -0.11
    assert -0.11 < weights[62] < 0
    assert weights[150] == pytest.approx(-0.11)
    assert (owners[40:61] == 0).all()
    assert (owners[[39, 61]] == -1).all()


def test_one_threshold_is_chosen_for_all_files() -> None:
    loud, quiet = np.zeros(100), np.zeros(100)
    loud[[20, 25, 45]] = (0.9, 0.9, 0.8)
    quiet[45] = 0.8
    found = judge_corpus({"a": NabFile(loud, [(40, 60)]), "b": NabFile(quiet, [(40, 60)])})
    assert found.threshold == 0.8
    assert (found.detected, found.false_alarms) == (2, 2)
