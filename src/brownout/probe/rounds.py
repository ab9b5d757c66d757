"""When which console is probed: rounds spread over the interval, bounded in number at one time, never piling up."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from brownout.probe.points import Point
from brownout.probe.probe_settings import ProbeSettings
from brownout.probe.target import Target

__all__ = ["Rounds"]

Probe = Callable[[Target, int], Awaitable[list[Point]]]
JITTER = 0.05
"""Share of the interval by which each probe is early or late, so that it does not beat with what runs on the minute."""
HURRY_S = 0.02
"""Seconds between two consoles where there is one round only."""


@dataclass(slots=True)
class Rounds:
    """Runs rounds over the targets, which may change between them.

    Parameters
    ----------
    probe
        Probes one console; raises nothing.
    targets
        The consoles of now.
    hand_over
        Takes points as they come.
    """

    settings: ProbeSettings
    probe: Probe
    targets: Callable[[], Sequence[Target]]
    hand_over: Callable[[list[Point]], None]
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def run(self, start: Callable[[], Awaitable[bool]] | None = None) -> None:
        """All rounds; ``start`` waits for whatever begins one and says whether there is one, else the clock does."""
        room = asyncio.Semaphore(self.settings.concurrency)
        draw = random.Random(self.settings.seed)
        loop = asyncio.get_running_loop()
        due = loop.time()
        number = 0
        while not self.settings.count or number < self.settings.count:
            if start is not None:
                if not await start():
                    break
                due = loop.time()
            elif number:
                due = max(due + self.settings.interval_s, loop.time() - self.settings.interval_s)
                await _until(due)
            await self._round(number, due, room, draw)
            number += 1
        while self._running:
            await asyncio.gather(*self._running.values())

    async def stop(self) -> None:
        """Cancel what is under way."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _round(self, number: int, due: float, room: asyncio.Semaphore, draw: random.Random) -> None:
        targets = self.targets()
        interval = self.settings.interval_s
        apart = interval / max(len(targets), 1)
        if self.settings.count == 1:
            apart = min(apart, HURRY_S)
        slack = JITTER * interval if len(targets) > 1 and self.settings.count != 1 else 0.0
        offsets = sorted((rank * apart + draw.uniform(0, slack), rank) for rank in range(len(targets)))
        for offset, rank in offsets:
            await _until(due + offset)
            target = targets[rank]
            # One that still runs is not probed twice at a time: a second connection would measure the first.
            if target.key not in self._running:
                task = asyncio.create_task(self._one(target, number, room))
                self._running[target.key] = task

    async def _one(self, target: Target, number: int, room: asyncio.Semaphore) -> None:
        try:
            async with room:
                self.hand_over(await self.probe(target, number))
        finally:
            self._running.pop(target.key, None)


async def _until(due: float) -> None:
    delay = due - asyncio.get_running_loop().time()
    if delay > 0:
        await asyncio.sleep(delay)
