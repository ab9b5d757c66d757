"""How late the probe itself is: its connect to a listener of its own on the same machine, timed as a console's is."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

from brownout.probe.target import Target

__all__ = ["OwnLag"]

EVERY_S = 1.0


class OwnLag:
    """Measures every second while it runs; ``latest_ms`` is None until the first time.

    Parameters
    ----------
    connect
        Connects to a target as a probe does and returns the seconds that it took, or raises an OSError.
    """

    def __init__(self, connect: Callable[[Target], Awaitable[float]]) -> None:
        self.latest_ms: float | None = None
        self._connect = connect

    async def run(self) -> None:
        """Measure the probe's own delay with connections to itself until cancelled."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            target = Target(protocol="vnc", transport="tcp", host="127.0.0.1", port=listener.getsockname()[1])
            while True:
                with contextlib.suppress(OSError):
                    self.latest_ms = 1000 * await self._connect(target)
                    listener.accept()[0].close()
                await asyncio.sleep(EVERY_S)
