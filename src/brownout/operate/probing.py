"""Probing: a run of the console probe, from the consoles and a writer that it is given to the end of the rounds."""

import asyncio
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from brownout.domain.errors import BrownoutError
from brownout.probe.baseline import Baseline
from brownout.probe.execd import Signals
from brownout.probe.outbox import Outbox
from brownout.probe.points import Point, line
from brownout.probe.probe_run import Run
from brownout.probe.stress import Step, StressSettings

__all__ = ["Destination", "probe_consoles", "room_for", "stress_consoles"]

FILES_BESIDE = 64
"""File descriptors for everything that is no connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """The output that points are written to.

    Attributes
    ----------
    write
        Writes a batch of lines with times in milliseconds; None = standard output, in nanoseconds.
    execd
        The setting ``signal`` of Telegraf's ``inputs.execd``, ``STDIN`` or ``none``, where it runs this.
    baseline
        Takes the points instead.
    """

    write: Callable[[Sequence[str]], None] | None = None
    execd: str | None = None
    baseline: Baseline | None = None


def probe_consoles(run: Run, to: Destination, complain: Callable[[BrownoutError], None]) -> None:
    """Run until the rounds are over, standard input ends (``execd``), a signal comes, or nobody reads any more.

    Raises BrownoutError where a run of a given number of rounds could not write all that it measured to a database.
    """
    outbox = Outbox(to.write or _print, complain)

    def deliver(points: list[Point]) -> None:
        outbox.put([line(point, nanoseconds=to.write is None) for point in points])

    try:
        run = replace(run, deliver=deliver if to.baseline is None else to.baseline.add)
        asyncio.run(_until_told(run, to.execd, outbox))
    finally:
        lost = outbox.close()
    if lost and to.write and run.settings.count:
        raise BrownoutError(f"{lost} points were not written.", remedy="See that the database answers and takes them.")


def stress_consoles(run: Run, settings: StressSettings, tell: Callable[[Step], None]) -> list[Step]:
    """More and more sessions at once of the consoles of a run; each step is told as it ends."""
    return asyncio.run(run.stress(settings, tell))


def room_for(connections: int) -> int:
    """As many connections as files may be open, after raising that limit as far as it goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + FILES_BESIDE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connections if soft == resource.RLIM_INFINITY else max(1, min(connections, soft - FILES_BESIDE))


async def _until_told(run: Run, execd: str | None, outbox: Outbox) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if execd is not None:
        signals = Signals(sys.stdin.buffer, stop)
        run = replace(run, begin=signals.next if execd == "STDIN" else None)
    outbox.when_broken(lambda: loop.call_soon_threadsafe(stop.set))
    await run.until(stop)


def _print(lines: Sequence[str]) -> None:
    """A batch to standard output, with one flush."""
    sys.stdout.buffer.write("".join(f"{text}\n" for text in lines).encode())
    sys.stdout.buffer.flush()
