"""Drift: a published figure, no alarm without a move, an alarm for each kind of move, size before certainty."""

import numpy as np
import pytest
from scipy import stats

from brownout.domain.findings.model_drift import LARGE_DISTANCE, LARGE_PSI, DriftOf
from brownout.evaluation.distribution_drift import (
    corrected,
    input_drift,
    shift_drift,
    stability_index,
)
from brownout.numerics.arrays import Doubles


def entities(shift: float = 0.0, scale: float = 1.0, *, number: int = 20, seed: int = 1) -> list[Doubles]:
    """Entities on levels of their own, each with 200 values."""
    draws = np.random.default_rng(seed)
    return [10 * scale + entity / 4 + shift + scale * draws.normal(size=200) for entity in range(number)]


def test_the_index_of_two_normal_distributions_is_the_divergence_between_them() -> None:
    """Of N(0, 1) and N(d, 1) the symmetric divergence is d²; deciles of many values lose a little of it."""
    points = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    assert stability_index(points, points + 0.5) == pytest.approx(0.25, rel=0.1)
    assert stability_index(points, points) == pytest.approx(0, abs=1e-6)


def test_an_idle_metric_that_stays_idle_has_not_moved() -> None:
    idle = np.zeros(500)
    assert stability_index(idle, idle) == pytest.approx(0, abs=1e-9)
    busy = np.concatenate([np.zeros(250), np.ones(250)])
    assert stability_index(idle, busy) > LARGE_PSI


def judged(before: list[Doubles], now: list[Doubles]) -> bool:
    drift = input_drift("vm_cpu_pct", "vm", before, now)
    large = drift.psi >= LARGE_PSI and drift.distance >= LARGE_DISTANCE
    return corrected([drift], large=[large])[0].drifted


def test_new_values_of_the_same_kind_are_no_drift() -> None:
    assert not judged(entities(seed=1), entities(seed=2))


@pytest.mark.parametrize("now", [entities(3.0, seed=2), entities(-3.0, seed=2), entities(scale=1.5, seed=2)])
def test_a_level_that_moved_is_one(now: list[Doubles]) -> None:
    assert judged(entities(seed=1), now)


def test_a_certain_move_that_is_small_is_none() -> None:
    """Twenty thousand values make a tenth of a standard deviation certain, and nobody's trouble."""
    before, now = entities(seed=1, number=60), entities(0.1, seed=2, number=60)
    drift = input_drift("vm_cpu_pct", "vm", before, now)
    assert drift.p < 0.05
    assert not judged(before, now)


def test_a_few_entities_that_moved_far_are_not_a_fleet_that_did() -> None:
    now = entities(seed=2)
    now[0] = now[0] + 1000
    now[1] = now[1] - 1000
    assert not judged(entities(seed=1), now)


def test_each_entity_counts_the_same_however_often_it_was_measured() -> None:
    before, now = entities(seed=1), entities(seed=2)
    now[0] = np.repeat(now[0] + 1000, 100)
    drift = input_drift("vm_cpu_pct", "vm", before, now)
    assert drift.distance < LARGE_DISTANCE


def test_what_was_not_measured_twice_is_not_compared() -> None:
    drift = input_drift("m", "vm", [np.empty(0), np.ones(3)], [np.ones(3), np.empty(0)])
    assert (drift.entities, drift.drifted) == (0, False)
    assert np.isnan(drift.psi)


@pytest.mark.parametrize(("of", "worse"), [(DriftOf.RESIDUAL, 0.5), (DriftOf.COVERAGE, -0.3)])
def test_residuals_and_coverage_drift_to_the_worse_side_only(of: DriftOf, worse: float) -> None:
    before = np.linspace(0.6, 0.8, 12)
    assert shift_drift(of, "cpu", before, before + worse).p < 0.01
    assert shift_drift(of, "cpu", before, before - worse).p > 0.9


def test_many_comparisons_need_more_certainty() -> None:
    drift = input_drift("vm_cpu_pct", "vm", entities(number=8), entities(3.0, number=8, seed=2))
    assert corrected([drift], large=[True])[0].p == drift.p
    many = corrected([drift] * 20, large=[True] * 20)
    assert many[0].p == pytest.approx(min(20 * drift.p, 1.0))
