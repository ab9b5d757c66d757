"""Connections whose every read and write ends at a deadline, whatever the other side does.

A time-out for each read does not bound a request: a server that sends a byte a second never meets it.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from ssl import SSLContext
from time import monotonic
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore

from brownout.domain.errors import SettingsError

__all__ = ["LOOPBACK", "Deadline", "address_of", "pool_of", "until"]

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
PIECE = 1 << 16
"""Bytes that are sent before the deadline is looked at again."""
RECEIVED = 1 << 18
"""Bytes that are received at a time."""


class Deadline:
    """A moment after which waiting is over."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._at = monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until then; 0 or less afterwards."""
        return self._at - monotonic()


_DEADLINE: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def until(deadline: Deadline) -> Iterator[None]:
    """Reads and writes of this thread end at the deadline."""
    token = _DEADLINE.set(deadline)
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def _within(timeout: float | None) -> float | None:
    """The time-out, or what is left until the deadline where that is less."""
    deadline = _DEADLINE.get()
    if deadline is None:
        return timeout
    if deadline.left <= 0:
        raise httpcore.ReadTimeout("the time for this request is over")
    return deadline.left if timeout is None else min(timeout, deadline.left)


class TimedStream(httpcore.NetworkStream):
    """A connection that looks at the deadline before each read and write."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Receive some bytes, more than asked for where they are there: each piece costs more than its bytes."""
        return self._stream.read(max(max_bytes, RECEIVED), _within(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all bytes."""
        for start in range(0, len(buffer), PIECE):
            self._stream.write(buffer[start : start + PIECE], _within(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """The same connection, encrypted."""
        return TimedStream(self._stream.start_tls(ssl_context, server_hostname, _within(timeout)))

    def get_extra_info(self, info: str) -> Any:
        """Details of the connection, by httpcore's name."""
        return self._stream.get_extra_info(info)


class TimedBackend(httpcore.NetworkBackend):
    """Opens connections that keep the deadline."""

    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Open a connection to a host."""
        return TimedStream(self._backend.connect_tcp(host, port, _within(timeout), local_address, socket_options))


def address_of(url: str) -> SplitResult:
    """Parts of an address; SettingsError where it names no host or a port that cannot be."""
    address = urlsplit(url)
    try:
        port = address.port
    except ValueError:
        port = -1
    if port == -1 or not address.hostname:
        raise SettingsError(f"The url {url} has no host or no port that can be.", remedy="Correct url in [influxdb].")
    return address


def pool_of(address: SplitResult, trust: SSLContext | None) -> httpcore.ConnectionPool:
    """Connections to an address, through the proxy that the environment names; this machine is never asked of one."""
    proxy = _proxy_of(address)
    if not proxy:
        return httpcore.ConnectionPool(ssl_context=trust, network_backend=TimedBackend())
    if not proxy.startswith(("http://", "https://")):
        msg = f"The environment names a proxy for {address.hostname} that speaks neither HTTP nor HTTPS."
        raise SettingsError(msg, remedy="Set NO_PROXY for that host, or name an HTTP proxy.")
    named = urlsplit(proxy)
    plain = f"{named.scheme}://{named.netloc.rpartition('@')[2]}"
    login = (unquote(named.username or ""), unquote(named.password or "")) if named.username else None
    return httpcore.HTTPProxy(plain, proxy_auth=login, ssl_context=trust, network_backend=TimedBackend())


def _proxy_of(address: SplitResult) -> str:
    host = address.hostname or ""
    if host in LOOPBACK or proxy_bypass(host):
        return ""
    proxies = getproxies()
    proxy = proxies.get(address.scheme) or proxies.get("all") or ""
    return proxy if "://" in proxy or not proxy else f"http://{proxy}"
