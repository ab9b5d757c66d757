"""Gathering: rounds of the host agent, from an agent and a writer that it is given until it is told to end."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from brownout.domain.errors import BrownoutError, SettingsError
from brownout.probe.outbox import Outbox

__all__ = ["Agent", "GatherSettings", "gather_rounds"]

FIRST_LOOK_S = 1.0
"""Seconds that the first rates are of."""
SHORTEST_S = 1.0


class Agent(Protocol):
    """Gathers: see ``HostAgent``."""

    def begin(self, now: float) -> None:
        """Take the first of two looks at what is told as a rate."""

    def round(self, now: float, time: int) -> list[str]:
        """Lines of all that is due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatherSettings:
    """When rounds begin: once only (``once``), at each line of standard input (``on_stdin``), or by the clock."""

    interval_s: float = 10.0
    once: bool = False
    on_stdin: bool = False

    def __post_init__(self) -> None:
        if self.interval_s < SHORTEST_S:
            msg = f"An interval of {self.interval_s:g} s cannot be used."
            raise SettingsError(msg, remedy=f"Give {SHORTEST_S:g} s or more.")


def gather_rounds(
    agent: Agent,
    settings: GatherSettings,
    write: Callable[[Sequence[str]], None] | None,
    complain: Callable[[BrownoutError], None],
) -> None:
    """Run the rounds until they are over, a signal comes, or nobody reads any more.

    ``write`` takes lines with times in milliseconds; without it they go to standard output, in nanoseconds. Raises
    BrownoutError where a single round could not be written to a database.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    outbox = Outbox(write or _print, complain)
    outbox.when_broken(stop.set)
    unit = 1_000 if write else 1_000_000_000
    try:
        agent.begin(time.monotonic())
        stop.wait(FIRST_LOOK_S)
        for moment in _beginnings(settings, stop):
            outbox.put(agent.round(time.monotonic(), round(moment) * unit))
    finally:
        lost = outbox.close()
    if lost and write and settings.once:
        raise BrownoutError(f"{lost} lines were not written.", remedy="See that the database answers and takes them.")


def _beginnings(settings: GatherSettings, stop: threading.Event) -> Iterator[float]:
    """Seconds since the epoch at which each round begins, as they come; multiples of the interval by the clock."""
    if settings.once:
        yield time.time()
        return
    if settings.on_stdin:
        while not stop.is_set() and sys.stdin.buffer.readline(65_536):
            yield time.time()
        return
    while not stop.wait(settings.interval_s - time.time() % settings.interval_s):
        yield time.time()


def _print(lines: Sequence[str]) -> None:
    """A batch to standard output, with one flush."""
    sys.stdout.buffer.write("".join(f"{text}\n" for text in lines).encode())
    sys.stdout.buffer.flush()
