"""How late the probe itself is: a connection to a listener of its own, timed as a console's is."""

import asyncio
import contextlib
import socket

__all__ = ["OwnLag"]

EVERY_S = 1.0
PATIENCE_S = 5.0


class OwnLag:
    """Measures every second while it runs; ``latest_ms`` is None until the first time."""

    def __init__(self) -> None:
        self.latest_ms: float | None = None

    async def run(self) -> None:
        """Until cancelled."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            while True:
                with contextlib.suppress(TimeoutError, OSError):
                    async with asyncio.timeout(PATIENCE_S):
                        self.latest_ms = 1000 * await _once(listener)
                await asyncio.sleep(EVERY_S)


async def _once(listener: socket.socket) -> float:
    """Seconds from connect to the first byte of a server that answers at once."""
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setblocking(False)
        began = loop.time()
        await loop.sock_connect(client, listener.getsockname())
        server, _ = await loop.sock_accept(listener)
        with server:
            await loop.sock_sendall(server, b"x")
            await loop.sock_recv(client, 1)
    return loop.time() - began
