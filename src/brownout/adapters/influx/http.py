"""HTTP with patience: answers are taken whole or not at all, and tried again where that helps."""

import gzip
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ssl import SSLContext, create_default_context
from typing import IO, Any

import httpx
import stamina

from brownout.domain.errors import DatabaseError

__all__ = ["Connection", "HttpServer", "RefusalError", "explain", "patiently", "wait_of"]

WORTH_ANOTHER_TRY = frozenset({408, 425, 429, 500, 502, 503, 504})
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
IN_MEMORY = 32_000_000
"""Bytes of an answer kept in memory; what is longer waits in a temporary file."""


class RefusalError(Exception):
    """An answer that is an error: status 0 where there was no answer."""

    def __init__(self, status: int, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(f"{status or 'no answer'}: {message}")
        self.status = status
        self.message = message
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where a server is and how patient to be; ``budget_s`` bounds all tries of one request together."""

    url: str
    ca_file: str = ""
    timeout_s: float = 60.0
    attempts: int = 6
    budget_s: float = 180.0

    def trust(self) -> SSLContext:
        """Certificates are always verified, against the site's own authority where one is given."""
        return create_default_context(cafile=self.ca_file or None)


def wait_of(error: Exception) -> bool | float:
    """Whether another try helps, and after how many seconds where the server says so."""
    if not isinstance(error, RefusalError) or (error.status and error.status not in WORTH_ANOTHER_TRY):
        return False
    return True if error.retry_after is None else error.retry_after


def patiently(connection: Connection) -> Iterable[stamina.Attempt]:
    """Tries of one request, with growing pauses."""
    return stamina.retry_context(
        on=wait_of,
        attempts=connection.attempts,
        timeout=connection.budget_s,
        wait_initial=0.5,
        wait_max=20.0,
        wait_jitter=0.5,
    )


def explain(error: RefusalError, doing: str, where: str) -> DatabaseError:
    """The error for the operator."""
    what = f"{where}, {doing}: {error}."
    if error.status in (401, 403):
        return DatabaseError(what, remedy="Check user, password or token, and what they may read and write.")
    if error.status == 0:
        return DatabaseError(what, remedy="Check the url, the network, and that the server is running.")
    if error.status in WORTH_ANOTHER_TRY:
        return DatabaseError(what, remedy="The server is overloaded or restarting: try again later.")
    return DatabaseError(what, remedy="Check the database's name and the server's log.")


class HttpServer:
    """One server over httpx. Credentials live in headers only, never in addresses, logs or errors."""

    def __init__(self, connection: Connection, *, headers: Mapping[str, str], auth: httpx.Auth | None = None) -> None:
        self.connection = connection
        # On one machine compressing costs more than it saves.
        plain = {"Accept-Encoding": "identity"} if httpx.URL(connection.url).host in LOOPBACK else {}
        self._client = httpx.Client(
            base_url=connection.url,
            headers=plain | dict(headers),
            auth=auth,
            timeout=httpx.Timeout(connection.timeout_s, connect=min(10.0, connection.timeout_s)),
            verify=connection.trust() if connection.url.startswith("https") else True,
        )

    def text(self, method: str, path: str, *, doing: str, **options: Any) -> httpx.Response:
        """A short answer, read whole."""
        try:
            for attempt in patiently(self.connection):
                with attempt:
                    return self._answer(self._client.build_request(method, path, **options))
        except RefusalError as error:
            raise explain(error, doing, self.connection.url) from None
        raise AssertionError

    @contextmanager
    def download(self, method: str, path: str, *, doing: str, **options: Any) -> Iterator[IO[bytes]]:
        """A long answer in a file, at its beginning; it is complete or a DatabaseError."""
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as spool:
            try:
                for attempt in patiently(self.connection):
                    with attempt:
                        spool.seek(0)
                        spool.truncate()
                        self._fill(spool, self._client.build_request(method, path, **options))
            except RefusalError as error:
                raise explain(error, doing, self.connection.url) from None
            spool.seek(0)
            yield spool

    def write(self, path: str, parameters: Mapping[str, str], batches: Iterable[str]) -> int:
        """Send batches of line protocol, gzipped; returns the number of lines."""
        lines = 0
        for batch in batches:
            self.text(
                "POST",
                path,
                doing=f"writing {batch.split(',', 1)[0]}",
                params=dict(parameters),
                content=gzip.compress(batch.encode(), compresslevel=1),
                headers={"Content-Encoding": "gzip", "Content-Type": "text/plain; charset=utf-8"},
            )
            lines += batch.count("\n")
        return lines

    def _answer(self, request: httpx.Request) -> httpx.Response:
        try:
            response = self._client.send(request)
        except httpx.TransportError as error:
            raise RefusalError(0, _plain(error)) from None
        _check(response)
        return response

    def _fill(self, spool: IO[bytes], request: httpx.Request) -> None:
        try:
            response = self._client.send(request, stream=True)
            try:
                if response.is_error:
                    response.read()
                    _check(response)
                for piece in response.iter_bytes(1 << 20):
                    spool.write(piece)
            finally:
                response.close()
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise RefusalError(0, _plain(error)) from None


def _check(response: httpx.Response) -> None:
    if response.is_error:
        message = " ".join(response.text.split())[:300] or response.reason_phrase
        raise RefusalError(
            response.status_code, message, retry_after=seconds_to_wait(response.headers.get("Retry-After"))
        )


def seconds_to_wait(header: str | None) -> float | None:
    """A ``Retry-After`` header in seconds, at most five minutes; None where there is none that can be read."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
        except (TypeError, ValueError):
            return None
    return min(max(seconds, 0.0), 300.0)


def _plain(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()
