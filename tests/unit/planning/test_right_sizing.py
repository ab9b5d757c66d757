"""Sizes against closed forms, and what must never be advised."""

import numpy as np
import pytest

from brownout.domain.entities import Entity
from brownout.domain.metrics import Catalogue
from brownout.domain.panel import Panel
from brownout.planning.right_sizing import RESERVE, USABLE, right_sizes

METRICS = Catalogue.load().metrics
START = np.datetime64("2026-03-02T00:00", "ms")
SIZE = {"vcpus": "8", "memory_gib": "16"}


def panel(cpu: np.ndarray, usable: np.ndarray | None = None, labels: dict[str, str] | None = None) -> Panel:
    free = np.full_like(cpu, 20.0) if usable is None else usable
    return Panel(
        np.stack([cpu, free], axis=-1)[None].astype(np.float32), START, 1800,
        (Entity(id="g", kind="vm", labels=SIZE if labels is None else labels),),
        (METRICS["vm_cpu_pct"], METRICS["vm_memory_usable_pct"]),
    )  # fmt: skip


def days(peaks: list[float], base: float = 2.0) -> np.ndarray:
    """Half hours at a low level, one of each day at its peak."""
    values = np.full((len(peaks), 48), base)
    values[:, 20] = peaks
    return values.ravel()


def test_an_idle_guest_gets_half_and_never_less() -> None:
    found = right_sizes(panel(days([5.0] * 15), np.full(720, 95.0)))
    assert [(a.resource.value, a.size, a.advised) for a in found] == [("vcpus", 8, 4), ("memory", 16, 8)]
    assert found[0].mean == pytest.approx(0.4)
    assert found[0].days == 15


def test_the_upper_projection_is_gumbels() -> None:
    rng = np.random.default_rng(1)
    peaks = rng.gumbel(20, 1, 4000)
    found = right_sizes(panel(days(peaks.tolist())))[0]
    # P(largest of 30 < x) = exp(-30 exp(-(x - 20))) = 0.98.
    expected = 20 + np.log(30) - np.log(-np.log(0.98))
    assert 100 * found.upper / 8 == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("level", [20.0, 30.0, 40.0, 50.0, 60.0])
def test_a_smaller_size_holds_the_projection_with_its_reserve(level: float) -> None:
    for advice in right_sizes(panel(days([level - 1, level, level + 1] * 5))):
        if advice.resource.value == "vcpus":
            assert advice.advised * USABLE >= advice.upper * RESERVE - 1e-9
            assert 4 <= advice.advised < 8


def test_a_guest_whose_days_differ_is_left_alone() -> None:
    assert right_sizes(panel(days([2.0] * 14 + [40.0]))) == ()


def test_one_day_far_above_the_others_keeps_a_guest_its_size_though_half_would_hold_the_projection() -> None:
    assert [advice.resource.value for advice in right_sizes(panel(days([3.0] * 14 + [8.0])))] == ["vcpus"]
    assert right_sizes(panel(days([3.0] * 14 + [14.0]))) == ()


def test_a_guest_that_its_usual_day_fills_gets_more() -> None:
    found = right_sizes(panel(days([96.0] * 15), np.full(720, 4.0)))
    assert [(a.resource.value, a.advised) for a in found] == [("vcpus", 10), ("memory", 19.5)]


def test_one_full_day_is_no_reason_for_more() -> None:
    assert right_sizes(panel(days([50.0] * 14 + [100.0]))) == ()


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (days([5.0] * 11), SIZE),  # too few days
        (np.where(np.arange(720) % 48 < 24, np.nan, days([5.0] * 15)), SIZE),  # half of each day is missing
        (days([5.0] * 15), {}),  # nothing says how large it is
    ],
)
def test_what_is_not_known_is_not_judged(values: np.ndarray, labels: dict[str, str]) -> None:
    found = right_sizes(panel(values, np.full(len(values), np.nan), labels))
    assert found == ()


def test_a_small_guest_cannot_be_made_smaller() -> None:
    found = right_sizes(panel(days([1.0] * 15), np.full(720, 99.0), {"vcpus": "1", "memory_gib": "0.5"}))
    assert found == ()
