"""Watching: passes over fresh data, one after the other by the clock, until somebody says that it is enough."""

import signal
import threading
import time
from collections.abc import Callable

from brownout.domain.errors import BrownoutError, SettingsError

__all__ = ["keep_watching", "stopped_by_signals"]

SHORTEST_S = 10.0


def keep_watching(
    one_pass: Callable[[], None],
    every_s: float,
    stop: threading.Event,
    complain: Callable[[BrownoutError], None],
    *,
    clock: Callable[[], float] = time.time,
) -> None:
    """A pass now, and one at each multiple of ``every_s`` until ``stop`` is set.

    One that fails is told, and the next one tries again: a night that holds the folder, a database that is away. Times
    that a long pass went over are left out, not made up for.
    """
    if every_s < SHORTEST_S:
        msg = f"A pass every {every_s:g} s cannot be made."
        raise SettingsError(msg, remedy=f"Give {SHORTEST_S:g} s or more; 300 is usual.")
    while not stop.is_set():
        try:
            one_pass()
        except SettingsError:
            raise
        except BrownoutError as error:
            complain(error)
        stop.wait(every_s - clock() % every_s)


def stopped_by_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set: a pass that runs is finished first."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
