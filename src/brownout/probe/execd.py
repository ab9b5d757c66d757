"""Below Telegraf's ``inputs.execd``: a newline on standard input begins a round, its end ends the probe."""

import asyncio
import threading
from typing import BinaryIO

__all__ = ["Signals"]


class Signals:
    """Reads standard input in a thread, because a pipe from Telegraf, a file and a terminal are all read alike there.

    Parameters
    ----------
    stop
        Set when the input ends.
    """

    def __init__(self, source: BinaryIO, stop: asyncio.Event) -> None:
        self._lines: asyncio.Queue[bool] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._stop = stop
        threading.Thread(target=self._read, args=(source,), name="stdin", daemon=True).start()

    async def next(self) -> bool:
        """Wait for a newline; newlines that came while a round was running begin one round together."""
        another_round = await self._lines.get()
        while not self._lines.empty():
            another_round = self._lines.get_nowait() and another_round
        return another_round

    def _read(self, source: BinaryIO) -> None:
        while source.readline(65_536):
            self._loop.call_soon_threadsafe(self._lines.put_nowait, True)
        self._loop.call_soon_threadsafe(self._lines.put_nowait, False)
        self._loop.call_soon_threadsafe(self._stop.set)
