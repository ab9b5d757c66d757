"""The experience score: published lines, closed forms, and what it must never do."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brownout.domain.findings.experience import band_of, experience_of

UPDATE, ECHO, FPS, SPREAD = "console_update_ms", "console_echo_ms", "console_fps", "console_fps_stddev"


def score(**samples: float | list[float]) -> float:
    return experience_of(
        {f"console_{name}": np.atleast_1d(np.array(value, float)) for name, value in samples.items()}
    ).score


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [(5, 100), (100, 100), (150, 70), (1000, 40), (2000, 20), (5000, 0), (60_000, 0), (math.sqrt(150 * 1000), 55)],
)
def test_response_times_have_the_scores_of_the_published_lines(milliseconds: float, expected: float) -> None:
    assert score(update_ms=milliseconds) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("rate", "spread", "expected"), [(30, 0, 100), (25, 5, 70), (30, 10, 70), (12.5, 0, 35), (0, 0, 0)]
)
def test_frames_have_the_scores_of_the_rules_lines(rate: float, spread: float, expected: float) -> None:
    felt = experience_of({UPDATE: np.array([50.0]), FPS: np.array([rate]), SPREAD: np.array([spread])})
    assert felt.video == pytest.approx(expected)
    assert felt.scrolling == pytest.approx(expected)
    assert felt.typing == 100
    assert felt.score == pytest.approx(expected)
    assert felt.task in {"scrolling", "typing"}


def test_keys_are_judged_by_their_own_time_where_it_is_known() -> None:
    felt = experience_of({UPDATE: np.array([50.0, 50.0]), ECHO: np.array([1000.0, math.nan])})
    assert (felt.typing, felt.scrolling, felt.task) == (pytest.approx(70), 100, "typing")
    assert felt.guest_ms == 950


def test_the_way_adds_up_to_the_time_of_an_answer() -> None:
    samples = {
        "console_connect_ms": [20.0, 30.0],
        "console_mainloop_ms": [5.0, 15.0],
        UPDATE: [60.0, 100.0],
        ECHO: [90.0, 140.0],
    }
    felt = experience_of({name: np.array(values) for name, values in samples.items()})
    assert (felt.network_ms, felt.hypervisor_ms, felt.encoder_ms, felt.guest_ms) == (25, 10, 45, 35)
    assert felt.network_ms + felt.hypervisor_ms + felt.encoder_ms + felt.guest_ms == np.mean(samples[ECHO])


def test_attempts_that_fail_count_nothing() -> None:
    assert score(update_ms=[50, math.nan], failed_pct=[0, 100]) == 50
    assert score(update_ms=50, failed_pct=math.nan) == 100


def test_what_was_not_measured_is_unknown() -> None:
    for felt in (experience_of({}), experience_of({UPDATE: np.full(3, np.nan)})):
        assert (math.isnan(felt.score), felt.task, felt.band, math.isnan(felt.network_ms)) == (
            True,
            "",
            "unknown",
            True,
        )
    assert [band_of(value) for value in (100, 70, 69.9, 40, 39.9, 0)] == [
        "good",
        "good",
        "fair",
        "fair",
        "poor",
        "poor",
    ]


@given(st.lists(st.floats(0.1, 20_000), min_size=1, max_size=20), st.floats(1, 10), st.integers(2, 5))
def test_slower_is_never_better_and_how_often_it_is_measured_does_not_matter(
    times: list[float], factor: float, often: int
) -> None:
    own = score(update_ms=times)
    assert 0 <= own <= 100
    assert score(update_ms=[time * factor for time in times]) <= own + 1e-9
    assert score(update_ms=list(np.repeat(times, often))) == pytest.approx(own)
