"""Stress: more and more viewers at once, of consoles of one's own, until they answer too slowly."""

import asyncio
import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from brownout.domain.errors import SettingsError
from brownout.probe.baseline import LIMIT_MS, latency_of
from brownout.probe.points import Point
from brownout.probe.target import Target

__all__ = ["Step", "StressSettings", "knee", "steps_to", "stress"]

Probe = Callable[[Target, int], Awaitable[list[Point]]]
MOST_FAILED = 0.01
"""Share of connections that may fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StressSettings:
    """How far it goes: viewers at most, seconds of a step, and milliseconds that nineteen of twenty must keep."""

    sessions: int = 200
    seconds: float = 10.0
    limit_ms: float = LIMIT_MS

    def __post_init__(self) -> None:
        if self.sessions < 1 or self.seconds <= 0 or self.limit_ms <= 0:
            msg = f"{self.sessions} sessions of {self.seconds:g} s below {self.limit_ms:g} ms cannot be tried."
            raise SettingsError(msg, remedy="Give more than 0 of each.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What so many viewers at once saw.

    Attributes
    ----------
    sessions
        Viewers at once.
    connections
        Sessions that they opened, one after the other each.
    failed
        How many of these failed.
    p50_ms, p95_ms
        Milliseconds until an answer: of the first update, or of opening where nobody may log in; None where none came.
    kept
        Whether latency and failures kept their limits.
    """

    sessions: int
    connections: int
    failed: int
    p50_ms: float | None
    p95_ms: float | None
    kept: bool


def steps_to(most: int) -> list[int]:
    """1, 2, 5, 10, 20, 50 … and the most."""
    series = [digit * 10**power for power in range(len(str(most))) for digit in (1, 2, 5)]
    return [*(number for number in series if number < most), most]


async def stress(
    probe: Probe, targets: Sequence[Target], settings: StressSettings, tell: Callable[[Step], None]
) -> list[Step]:
    """Take the steps one after the other; two that do not keep the limit in a row end it."""
    steps: list[Step] = []
    for sessions in steps_to(settings.sessions):
        points = await _step(probe, targets, sessions, settings.seconds)
        steps.append(_judged(points, sessions, settings.limit_ms))
        tell(steps[-1])
        if len(steps) > 1 and not steps[-1].kept and not steps[-2].kept:
            break
    return steps


def knee(steps: Sequence[Step]) -> int:
    """The most viewers up to whom every step kept the limit; 0 where the first did not."""
    sessions = 0
    for step in steps:
        if not step.kept:
            break
        sessions = step.sessions
    return sessions


async def _step(probe: Probe, targets: Sequence[Target], sessions: int, seconds: float) -> list[list[Point]]:
    """Points of each connection of viewers who open one session after the other, spread over the consoles."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    points: list[list[Point]] = []

    async def view(number: int) -> None:
        await asyncio.sleep(min(1.0, seconds / 4) * number / sessions)  # not all in one moment
        while loop.time() < end:
            points.append(await probe(targets[number % len(targets)], 0))

    await asyncio.gather(*(view(number) for number in range(sessions)))
    return points


def _judged(connections: Sequence[Sequence[Point]], sessions: int, limit_ms: float) -> Step:
    failed = sum(any(point.result != "success" for point in points) or not points for points in connections)
    last = [points[min(1, len(points) - 1)] for points in connections if points]
    values = [value for point in last if (value := latency_of(point)) is not None]
    p50 = statistics.median(values) if values else None
    p95 = statistics.quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else p50
    in_time = p95 is not None and p95 < limit_ms and failed <= MOST_FAILED * len(connections)
    return Step(sessions=sessions, connections=len(connections), failed=failed, p50_ms=p50, p95_ms=p95, kept=in_time)
