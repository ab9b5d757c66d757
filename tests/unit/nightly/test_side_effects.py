"""A night that nothing at its side can stop: what is caught, what is tried again, and what its end says."""

import errno
from collections.abc import Callable

import pytest

from brownout.domain.errors import DatabaseError, TrackingError
from brownout.nightly.effects import EffectState, Retry, SideEffects

Note = Callable[[str], None]
QUICK = Retry(attempts=3, first_wait_s=0.001, longest_wait_s=0.002)
BUSY = TrackingError("The store is busy.", remedy="Try later.", transient=True)
AWAY = TrackingError("No such run.", remedy="Train again.")
REFUSED = DatabaseError("403: may not write.", remedy="Give the user WRITE.")


class Effect:
    """Raises what it is given, one a call, and then works."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.calls = list(errors), 0

    def __call__(self, note: Note) -> str:
        self.calls += 1
        note(f"try {self.calls}")
        if self.errors:
            raise self.errors.pop(0)
        return "written"


@pytest.mark.parametrize(
    ("errors", "calls"),
    [
        ([], 1),
        ([BUSY], 2),
        ([BUSY, BUSY], 3),
        ([BUSY, BUSY, BUSY, BUSY], 3),
        ([AWAY], 1),
        ([REFUSED], 1),
        ([ConnectionResetError("cut")], 2),
        ([TimeoutError("late")], 2),
        ([OSError(errno.ESTALE, "stale handle")], 2),
        ([OSError(errno.ENOSPC, "disk full")], 1),
        ([PermissionError(errno.EACCES, "read-only")], 1),
    ],
)
def test_only_what_passes_is_tried_again(errors: list[Exception], calls: int) -> None:
    effect = Effect(*errors)
    effects = SideEffects(QUICK)
    result = effects.run("write back", effect)
    worked = len(errors) < calls
    assert effect.calls == calls
    assert result == ("written" if worked else None)
    (outcome,) = effects.outcomes
    assert (outcome.state is EffectState.DONE, outcome.attempts) == (worked, calls)
    assert outcome.notes == (f"try {calls}",)
    assert effects.exit_code == (0 if worked else 1)


def test_what_failed_is_told_with_its_remedy_and_the_rest_goes_on() -> None:
    effects = SideEffects(QUICK)
    effects.run("write back", Effect(REFUSED))
    effects.run("log of the models", Effect())
    effects.run("alerts", Effect(OSError(errno.ENOSPC, "No space left on device")))
    effects.fail("runs in Prefect", TrackingError("No server.", remedy="Start one."))
    assert [outcome.effect for outcome in effects.failures] == ["write back", "alerts", "runs in Prefect"]
    assert effects.exit_code == 1
    said = effects.lines()
    assert "write back did not work: 403: may not write. Give the user WRITE." in said
    assert "log of the models: try 1" in said
    assert any("No space left on device" in line and "free space" in line for line in said)


def test_a_bug_is_not_taken_for_a_service_that_is_away() -> None:
    with pytest.raises(ZeroDivisionError):
        SideEffects(QUICK).run("write back", Effect(ZeroDivisionError("bug")))


def test_all_tries_together_keep_to_their_budget() -> None:
    effect = Effect(*[BUSY] * 1000)
    SideEffects(Retry(attempts=1000, first_wait_s=0.05, longest_wait_s=0.05, budget_s=0.3)).run("write back", effect)
    assert 2 <= effect.calls <= 10
