"""Passes by the clock: none is lost to one that failed, none is made up for."""

import threading

import pytest

from brownout.domain.errors import BrownoutError, SettingsError
from brownout.operate.watching import keep_watching


class Waiting(threading.Event):
    """Time that goes on only while somebody waits."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.began: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.now += timeout
        return self.is_set()


def watched(outcomes: list[float | BrownoutError], every_s: float = 300.0) -> tuple[list[float], list[str]]:
    """Times of passes that take so long, or fail; and what was told."""
    time, told = Waiting(), list[str]()

    def one_pass() -> None:
        outcome = outcomes[len(time.began)]
        time.began.append(time.now)
        if len(time.began) == len(outcomes):
            time.set()
        if isinstance(outcome, BrownoutError):
            raise outcome
        time.now += outcome

    keep_watching(one_pass, every_s, time, lambda error: told.append(error.what), clock=lambda: time.now)
    return time.began, told


def test_passes_lie_on_multiples_of_the_interval_after_the_first() -> None:
    assert watched([5.0, 5.0, 5.0]) == ([1000.0, 1200.0, 1500.0], [])


def test_what_a_long_pass_went_over_is_left_out() -> None:
    assert watched([450.0, 5.0, 5.0]) == ([1000.0, 1500.0, 1800.0], [])


def test_a_pass_that_fails_is_told_and_the_next_one_comes() -> None:
    away = BrownoutError("The database is away.", remedy="Start it.")
    assert watched([away, 5.0, away]) == ([1000.0, 1200.0, 1500.0], ["The database is away."] * 2)


def test_what_no_pass_can_mend_ends_it() -> None:
    with pytest.raises(SettingsError, match="unknown"):
        watched([SettingsError("A key is unknown.", remedy="Remove it.")])
    with pytest.raises(SettingsError, match="every 1 s"):
        watched([1.0], every_s=1.0)
