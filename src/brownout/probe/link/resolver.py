"""Names to addresses: looked up in threads of their own, so that a slow DNS delays no other probe, and kept a while."""

import asyncio
import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from brownout.probe.target import Target

__all__ = ["Address", "Resolver"]

KEEP_S = 60.0
THREADS = 32


@dataclass(frozen=True, slots=True)
class Address:
    """Address as ``connect`` takes it."""

    family: socket.AddressFamily
    address: tuple[str, int] | str


@dataclass(slots=True)
class Resolver:
    """Addresses of targets."""

    keep_s: float = KEEP_S
    _known: dict[tuple[str, int], tuple[float, list[Address]]] = field(default_factory=dict)
    _threads: ThreadPoolExecutor | None = None

    async def addresses(self, target: Target) -> list[Address]:
        """Resolve a name to at least one address; raises socket.gaierror where there is none."""
        if target.transport == "unix":
            return [Address(socket.AF_UNIX, target.host)]
        key = (target.host, target.port)
        if (literal := _literal(*key)) is not None:
            return [literal]
        now = asyncio.get_running_loop().time()
        known = self._known.get(key)
        if known is None or now - known[0] > self.keep_s:
            known = self._known[key] = (now, await self._look_up(*key))
        return known[1]

    def close(self) -> None:
        """Forget the threads; one that hangs in a look-up is not waited for."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _look_up(self, host: str, port: int) -> list[Address]:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="dns")
        addresses = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return [Address(family, (str(where[0]), port)) for family, _, _, _, where in addresses]


def _literal(host: str, port: int) -> Address | None:
    try:
        version = ipaddress.ip_address(host.partition("%")[0]).version
    except ValueError:
        return None
    return Address(socket.AF_INET6 if version == 6 else socket.AF_INET, (host, port))
