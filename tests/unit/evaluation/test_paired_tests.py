"""Paired tests: against a closed form, against draws without a difference, and what they must not do."""

from itertools import product
from math import comb

import numpy as np
import pytest

from brownout.evaluation.paired_tests import hodges_lehmann, holm, paired_counts, paired_test, paired_tests, signed_rank


def test_a_model_that_is_better_everywhere_is_certainly_better() -> None:
    theirs = np.linspace(0.5, 2.0, 40)
    test = paired_test("cpu", 0.8 * theirs, theirs, against="champion")
    assert test.ratio == pytest.approx(0.8)
    assert test.low <= 0.8 <= test.high < 1
    assert test.p_better < 1e-6
    assert test.p_worse > 0.99


def test_the_same_model_is_neither() -> None:
    losses = np.linspace(0.5, 2.0, 40)
    test = paired_test("cpu", losses, losses, against="champion")
    assert (test.ratio, test.low, test.high, test.p_worse, test.p_better) == (1, 1, 1, 1, 1)


def test_few_entities_give_an_estimate_and_no_test() -> None:
    test = paired_test("cpu", np.full(5, 3.0), np.ones(5), against="champion")
    assert test.ratio == pytest.approx(3)
    assert np.isnan([test.low, test.high, test.p_worse, test.p_better]).all()
    none = paired_test("cpu", np.array([np.nan]), np.array([1.0]), against="champion")
    assert none.entities == 0
    assert np.isnan(none.ratio)


def test_one_entity_that_is_lost_decides_nothing() -> None:
    """A mean of losses would be decided by the one series that nobody can forecast."""
    theirs = np.ones(30)
    ours = np.full(30, 0.9)
    ours[0] = 1000.0
    assert paired_test("cpu", ours, theirs, against="champion").high < 1


def test_the_chance_is_that_of_all_signs() -> None:
    """The exact distribution of the signed-rank statistic, by counting all signs of ten ranks."""
    differences = np.array([1.0, 2, 3, -4, 5, 6, 7, 8, 9, 10])
    ranks, seen = np.arange(1, 11), 51
    exact = sum(
        sum(rank for rank, sign in zip(ranks, signs, strict=True) if sign) >= seen
        for signs in product((0, 1), repeat=10)
    )
    assert signed_rank(differences, "greater") == pytest.approx(exact / 2**10, abs=0.004)


def test_without_a_difference_one_test_in_twenty_says_so() -> None:
    draws = np.random.default_rng(3)
    found = [signed_rank(draws.normal(size=24), "greater") < 0.05 for _ in range(600)]
    # Binomial: more than 50 of 600 has a chance below 0.001 if the true rate is 0.05.
    assert sum(comb(600, k) * 0.05**k * 0.95 ** (600 - k) for k in range(51, 601)) < 0.001
    assert 10 <= sum(found) <= 50


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    draws, held = np.random.default_rng(4), 0
    for _ in range(300):
        _, low, high = hodges_lehmann(draws.normal(0.3, 1.0, 20))
        held += low <= 0.3 <= high
    assert 255 <= held <= 286  # 90 % of 300, with three standard deviations


def test_the_estimate_is_that_of_a_loop() -> None:
    values = np.array([0.1, -0.4, 0.7, 0.2, 1.5, -0.2, 0.3])
    means = [(values[i] + values[j]) / 2 for i in range(7) for j in range(i, 7)]
    assert hodges_lehmann(values)[0] == pytest.approx(np.median(means))


@pytest.mark.parametrize(
    ("chances", "wanted"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.5, float("nan"), 0.6], [1.0, float("nan"), 1.0]),
        ([], []),
    ],
)
def test_holms_correction_is_that_of_the_paper(chances: list[float], wanted: list[float]) -> None:
    assert holm(chances) == pytest.approx(wanted, nan_ok=True)


def test_resources_are_corrected_together_and_the_whole_is_not() -> None:
    ours, theirs = np.linspace(0.4, 1.2, 8), np.linspace(0.5, 1.0, 8)
    alone = paired_test("cpu", ours, theirs, against="champion")
    together = paired_tests({"all": (ours, theirs), "cpu": (ours, theirs), "disk": (ours, theirs)}, against="champion")
    assert [test.family for test in together] == ["all", "cpu", "disk"]
    assert together[0].p_better == alone.p_better
    assert together[1].p_better == pytest.approx(min(2 * alone.p_better, 1))


def test_counts_that_are_mostly_zero_are_compared_by_their_differences() -> None:
    ours, theirs = np.zeros(40), np.zeros(40)
    ours[:12] = 1
    worse = paired_counts("vm", ours, theirs, against="champion")
    assert worse.ratio == 13
    assert worse.p_worse < 0.01
    assert paired_counts("vm", theirs, theirs, against="champion").p_worse == 1
