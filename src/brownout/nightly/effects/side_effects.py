"""Side effects: whatever a service beside the night says, the night goes on, and its end tells what did not work."""

import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

import stamina

from brownout.domain.errors import BrownoutError

__all__ = ["EXPECTED", "EffectState", "Outcome", "Retry", "SideEffects"]

T = TypeVar("T")

EXPECTED: tuple[type[Exception], ...] = (BrownoutError, OSError)
"""What a side effect may raise; anything else is a bug.

Adapters turn what their libraries raise into these: MlflowException and SQLAlchemyError into TrackingError, httpx's
errors into DatabaseError, Prefect's into OrchestrationError."""

BUSY = frozenset({errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EIO, errno.ESTALE, errno.ETXTBSY})
"""System errors that another try may not meet again; a full disk, a missing folder or permission stays what it is."""

SYSTEM_REMEDY = "Check the path, its permissions and the free space."


class EffectState(StrEnum):
    """What became of a side effect."""

    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one side effect.

    ``reason`` and ``remedy`` are empty where it is done, ``notes`` are for the reader, ``attempts`` counts the tries.
    """

    effect: str
    state: EffectState
    attempts: int
    reason: str = ""
    remedy: str = ""
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the effect did not take place."""
        return self.state is EffectState.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often a side effect that failed for a passing reason is tried; ``first_wait_s`` doubles with each try."""

    attempts: int = 3
    first_wait_s: float = 2.0
    longest_wait_s: float = 30.0
    budget_s: float = 120.0


@dataclass(slots=True)
class SideEffects:
    """Runs side effects one after the other and keeps what became of each.

    An effect is a call that takes a function for notes (a line of text each) and may raise one of ``EXPECTED``. It must
    be safe to repeat: a try that failed for a passing reason is made again.
    """

    retry: Retry = Retry()
    expected: tuple[type[Exception], ...] = EXPECTED
    outcomes: list[Outcome] = field(default_factory=list)

    def run(self, name: str, effect: Callable[[Callable[[str], None]], T]) -> T | None:
        """Run one effect; returns what it returns, None where it failed. ``name`` is a phrase such as "write back"."""
        notes: list[str] = []
        attempts = 0
        result: T | None = None
        try:
            for attempt in stamina.retry_context(
                on=is_transient,
                attempts=self.retry.attempts,
                timeout=self.retry.budget_s,
                wait_initial=self.retry.first_wait_s,
                wait_max=self.retry.longest_wait_s,
            ):
                with attempt:
                    attempts = attempt.num
                    notes.clear()
                    result = effect(notes.append)
        except self.expected as error:
            self.outcomes.append(_failure(name, error, attempts, notes))
            return None
        self.outcomes.append(Outcome(effect=name, state=EffectState.DONE, attempts=attempts, notes=tuple(notes)))
        return result

    def fail(self, name: str, error: BrownoutError | OSError) -> None:
        """Keep a failure that was met elsewhere, such as a server that could not be started."""
        self.outcomes.append(_failure(name, error, 1, ()))

    def note(self, name: str, text: str) -> None:
        """Keep something for the end of the night to say that is no failure."""
        self.outcomes.append(Outcome(effect=name, state=EffectState.DONE, attempts=1, notes=(text,)))

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """The effects that did not take place, in the order in which they were tried."""
        return tuple(outcome for outcome in self.outcomes if outcome.failed)

    @property
    def exit_code(self) -> int:
        """0 where all took place, else 1."""
        return 1 if self.failures else 0

    def lines(self) -> tuple[str, ...]:
        """For the end of the night: a line for each note, and for each failure what, why and what to do."""
        lines = []
        for outcome in self.outcomes:
            lines += [f"{outcome.effect}: {note}" for note in outcome.notes]
            if outcome.failed:
                tries = f" ({outcome.attempts} tries)" if outcome.attempts > 1 else ""
                lines.append(f"{outcome.effect} did not work{tries}: {outcome.reason} {outcome.remedy}".rstrip())
        return tuple(lines)


def is_transient(error: Exception) -> bool:
    """Whether the same call may work a little later; the only place that decides what is tried again.

    Requests to a database are repeated one by one where they are made (``adapters.influx.http``), so that a
    DatabaseError has had its tries.
    """
    if isinstance(error, BrownoutError):
        return bool(getattr(error, "transient", False))
    return isinstance(error, ConnectionError | TimeoutError) or (isinstance(error, OSError) and error.errno in BUSY)


def _failure(name: str, error: Exception, attempts: int, notes: "list[str] | tuple[str, ...]") -> Outcome:
    failure = error if isinstance(error, BrownoutError) else BrownoutError(f"{error}.", remedy=SYSTEM_REMEDY)
    return Outcome(
        effect=name,
        state=EffectState.FAILED,
        attempts=attempts,
        reason=failure.what,
        remedy=failure.remedy,
        notes=tuple(notes),
    )
