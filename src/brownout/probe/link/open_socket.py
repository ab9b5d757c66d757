"""Connect to the first address that answers, and tell how long the network took."""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from brownout.probe.link.resolver import Address
from brownout.probe.link.stamps import ask_for_stamps, tcp_info

__all__ = ["Connected", "connect"]


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection, when it was asked for and when it stood: seconds, monotonic."""

    socket: socket.socket
    began: float
    connected: float


async def connect(addresses: Sequence[Address]) -> Connected:
    """Try one address after the other; raises the OSError of the last one, and TimeoutError where time is up."""
    for address in addresses[:-1]:
        try:
            return await _connect_to(address)
        except TimeoutError:
            raise
        except OSError:
            continue
    return await _connect_to(addresses[-1])


async def _connect_to(address: Address) -> Connected:
    loop = asyncio.get_running_loop()
    connection = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        if address.family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ask_for_stamps(connection)
        began = loop.time()
        await loop.sock_connect(connection, address.address)
    except BaseException:
        connection.close()
        raise
    return Connected(connection, began, began + _network_time(connection, loop.time() - began))


def _network_time(connection: socket.socket, observed_s: float) -> float:
    """Seconds from SYN to its answer: the kernel's, where no SYN was lost, else until the probe saw the connection."""
    info = tcp_info(connection)
    if info is None or info.retransmits or not 0 < info.rtt_ms / 1000 < observed_s:
        return observed_s
    return info.rtt_ms / 1000
