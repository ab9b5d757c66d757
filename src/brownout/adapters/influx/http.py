"""HTTP with bounds: an answer is taken whole or not at all, tried again where that helps, and ends in time.

``budget_s`` bounds a request with all its tries, pauses and reading; short answers, errors and the answer as a whole
have a size limit, which holds after decompression too. No redirect is followed: credentials go to one server only.
"""

import json
import logging
import math
import random
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ssl import SSLContext, SSLError, create_default_context
from time import sleep
from typing import Any, TypeVar
from urllib.parse import urlencode

import httpcore

from brownout.adapters.influx.credentials import Credentials
from brownout.adapters.influx.transport import LOOPBACK, Deadline, address_of, pool_of, until
from brownout.domain.errors import DatabaseError, SettingsError

__all__ = [
    "Answer",
    "Ask",
    "Connection",
    "HttpServer",
    "RefusalError",
    "RefusedError",
    "TooLargeError",
    "seconds_to_wait",
]

Taken = TypeVar("Taken")
WORTH_ANOTHER_TRY = frozenset({408, 425, 429, 500, 502, 503, 504})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
SHORT = 4 << 20
"""Longest short answer: a schema of tens of thousands of fields."""
ITEMS = 400_000
"""Most values in a short answer of JSON: each takes many times the bytes that it has as text."""
ERROR = 1 << 16
"""Most bytes that are read of the body of an error."""
PIECE = 1 << 18
LONGEST_PAUSE_S = 20.0
BROKEN = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError, httpcore.TimeoutException)
logger = logging.getLogger(__name__)
EXPANSION = 32
"""Text of an answer is at most so many times as long as the numbers in it."""


class RefusalError(Exception):
    """An answer that is an error: status 0 where there was no answer. The message is clean; ``body`` is as it came."""

    def __init__(self, status: int, message: str, *, retry_after: float | None = None, body: str = "") -> None:
        super().__init__(f"{status or 'no answer'}: {message}")
        self.status = status
        self.message = message
        self.retry_after = retry_after
        self.body = body


class TooLargeError(Exception):
    """An answer that is longer than its limit."""


class RefusedError(DatabaseError):
    """A database that refuses: with the status of its answer."""

    def __init__(self, what: str, *, remedy: str, status: int = 0) -> None:
        super().__init__(what, remedy=remedy)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where a server is and how patient to be.

    Attributes
    ----------
    timeout_s
        Longest silence.
    budget_s
        Longest time for one request: all tries, pauses and reading together.
    answer_mib
        Memory that the samples of one answer may take; what is longer is asked for in parts.
    """

    url: str
    ca_file: str = ""
    timeout_s: float = 60.0
    attempts: int = 6
    budget_s: float = 180.0
    answer_mib: float = 20.0

    @property
    def limit(self) -> int:
        """Bytes of memory that the samples of one answer may take."""
        return int(self.answer_mib * (1 << 20))

    def trust(self) -> SSLContext | None:
        """Certificates are always verified, against the site's own authority where one is given; None without TLS."""
        if not self.url.startswith("https"):
            return None
        try:
            return create_default_context(cafile=self.ca_file or None)
        except (OSError, SSLError) as error:
            msg = f"The certificates of {self.ca_file} cannot be read: {error.strerror or error}."
            raise SettingsError(msg, remedy="Give a file of certificates in PEM form as ca_file.") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request; ``doing`` says what it is for, in errors."""

    doing: str
    path: str
    method: str = "POST"
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def form(cls, path: str, form: Mapping[str, str], *, doing: str, accept: str = "application/json") -> "Ask":
        """A form, as ``/query`` takes it."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": accept}
        return cls(doing=doing, path=path, body=urlencode(form).encode(), headers=headers)

    @classmethod
    def json(
        cls,
        path: str,
        content: Mapping[str, Any],
        *,
        doing: str,
        accept: str,
        parameters: Mapping[str, str] | None = None,
    ) -> "Ask":
        """A JSON document."""
        headers = {"Content-Type": "application/json", "Accept": accept}
        body = json.dumps(content).encode()
        return cls(doing=doing, path=path, parameters=parameters or {}, body=body, headers=headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A short answer; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpServer:
    """One server. Credentials live in headers only, never in addresses, logs or errors."""

    def __init__(self, connection: Connection, credentials: Credentials) -> None:
        self.connection = connection
        self.credentials = credentials
        address = address_of(connection.url)
        # On one machine compressing costs more than it saves.
        encoding = "identity" if address.hostname in LOOPBACK else "gzip"
        self._headers = {"Accept-Encoding": encoding, "User-Agent": "brownout"} | credentials.headers
        self._pool = pool_of(address, connection.trust())
        for name in ("httpcore.http11", "httpcore.connection", "httpcore.proxy"):
            logging.getLogger(name).setLevel(logging.INFO)  # its debug lines show headers, in which a server may echo

    def text(self, ask: Ask) -> Answer:
        """A short answer, read whole."""
        try:
            return self._patiently(ask, _short, Deadline(self.connection.budget_s))
        except TooLargeError as error:
            failure = self.error(ask.doing, f"{error}", remedy="Check that the url is that of an InfluxDB.")
        raise failure

    def json(self, ask: Ask) -> Any:
        """A short answer of JSON."""
        return self.parsed(self.text(ask), doing=ask.doing)

    def parsed(self, answer: Answer, *, doing: str) -> Any:
        """The document in a short answer."""
        problem = f"it has more than {ITEMS:,} values"
        if sum(answer.body.count(sign) for sign in (b",", b"[", b"{")) <= ITEMS:
            try:
                return json.loads(answer.body)
            except RecursionError:
                problem = "it is nested too deeply"
            except ValueError as error:
                problem = str(error)
        raise self.error(
            doing, f"the answer is no JSON: {problem}", remedy="Check that the url is that of an InfluxDB."
        )

    def stream(self, ask: Ask, take: Callable[[Iterable[bytes]], Taken], deadline: Deadline | None = None) -> Taken:
        """The result of ``take`` for the pieces of a long answer; each retry calls it again.

        Raises TooLargeError where the answer is longer than its limit, and whatever ``take`` raises.
        """
        most = self.connection.limit * EXPANSION

        def take_or_error(response: httpcore.Response) -> Taken | Exception:
            try:
                return take(_pieces(response, most))
            except (TooLargeError, ValueError) as error:
                return error.with_traceback(None)  # a traceback would keep all that was taken so far

        outcome = self._patiently(ask, take_or_error, deadline or Deadline(self.connection.budget_s))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def error(self, doing: str, message: str, *, remedy: str, status: int = 0) -> RefusedError:
        """An error that quotes the server; its text is cleaned here."""
        what = f"{self.connection.url}, {self.credentials.clean(doing)}: {self.credentials.clean(message).rstrip('.')}."
        return RefusedError(what, remedy=remedy, status=status)

    def refused(self, error: RefusalError, doing: str) -> RefusedError:
        """The error for the operator."""
        wait = error.retry_after or 0
        asks = f" It asks to wait {wait:g} s, longer than budget_s." if wait > self.connection.budget_s else ""
        return self.error(doing, f"{error}{asks}", remedy=_remedy(error.status), status=error.status)

    def attempt(self, ask: Ask) -> Answer:
        """A short answer, tried again where that helps; raises RefusalError for one that is an error."""
        return self._again(ask, _short, Deadline(self.connection.budget_s))

    def _patiently(self, ask: Ask, take: Callable[[httpcore.Response], Taken], deadline: Deadline) -> Taken:
        try:
            return self._again(ask, take, deadline)
        except RefusalError as error:
            failure = self.refused(error, ask.doing)
        raise failure

    def _again(self, ask: Ask, take: Callable[[httpcore.Response], Taken], deadline: Deadline) -> Taken:
        """Tries of one request, with growing pauses, until the deadline."""
        patience = _Patience(deadline, self.connection.attempts)
        while True:
            try:
                return self._once(ask, take, deadline)
            except RefusalError as error:
                pause = patience.pause(error)
                if pause is None:
                    raise
                logger.info("%s, %s: retry in %.1f s: %s", self.connection.url, ask.doing, pause, error)
            sleep(pause)

    def _once(self, ask: Ask, take: Callable[[httpcore.Response], Taken], deadline: Deadline) -> Taken:
        timeout = self.connection.timeout_s
        times = {"connect": min(10.0, timeout), "read": timeout, "write": timeout, "pool": timeout}
        query = f"?{urlencode(ask.parameters)}" if ask.parameters else ""
        try:
            with (
                until(deadline),
                self._pool.stream(
                    ask.method,
                    f"{self.connection.url.rstrip('/')}{ask.path}{query}",
                    headers=[*self._headers.items(), *ask.headers.items()],
                    content=ask.body,
                    extensions={"timeout": times},
                ) as response,
            ):
                self._check(response)
                return take(response)
        except (*BROKEN, OSError, UnicodeError, zlib.error) as error:
            reason = self._failure_text(error, deadline)
        raise RefusalError(0, reason)  # outside of the handler: the error caught may quote what the server sent

    def _failure_text(self, error: Exception, deadline: Deadline) -> str:
        if deadline.left <= 0:
            return f"no whole answer within {deadline.seconds:g} s (budget_s)"
        if isinstance(error, httpcore.TimeoutException):
            return f"{type(error).__name__}, silent for {self.connection.timeout_s:g} s (timeout_s)"
        return self.credentials.clean(f"{type(error).__name__} {error}")

    def _check(self, response: httpcore.Response) -> None:
        """Anything but success is an error, a redirect too: what was sent did not arrive."""
        if 200 <= response.status < 300:
            return
        headers = _headers(response)
        if response.status in REDIRECTS:
            target = self.credentials.clean(headers.get("location", "nowhere"))
            raise RefusalError(response.status, f"the server sends us on to {target}, which is not followed")
        body = _beginning(response).decode(errors="replace")
        message = self.credentials.clean(_message(body)) or "without a word"
        wait = seconds_to_wait(headers.get("retry-after"))
        raise RefusalError(response.status, message, retry_after=wait, body=body)


class _Patience:
    """The pause before another try, growing; none where a try does not help or the pause would outlast the deadline."""

    def __init__(self, deadline: Deadline, attempts: int) -> None:
        self._deadline = deadline
        self._left = attempts - 1
        self._next = 0.5

    def pause(self, error: RefusalError) -> float | None:
        """Seconds; None where the error stands."""
        if self._left <= 0 or (error.status and error.status not in WORTH_ANOTHER_TRY):
            return None
        self._left -= 1
        pause = self._next * random.uniform(1, 1.2) if error.retry_after is None else error.retry_after
        self._next = min(2 * self._next, LONGEST_PAUSE_S)
        return pause if pause < self._deadline.left else None


def _remedy(status: int) -> str:
    if status in (401, 403):
        return "Check user, password or token, and what they may read and write."
    if status == 0:
        return "Check the url, the network, and that the server is running."
    if status in REDIRECTS:
        return "Set url in [influxdb] to where the server itself is, http or https as it asks for."
    if status in WORTH_ANOTHER_TRY:
        return "The server is overloaded or restarting: try again later."
    return "Check the database's name and the server's log."


def _headers(response: httpcore.Response) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}


def _pieces(response: httpcore.Response, most: int) -> Iterator[bytes]:
    """The body, decompressed, at most so many bytes."""
    size = 0
    for piece in _plain(response):
        size += len(piece)
        if size > most:
            raise TooLargeError(f"the answer is longer than {most >> 20} MiB of text, the limit")
        yield piece


def _plain(response: httpcore.Response) -> Iterator[bytes]:
    """The body without its compression, a little at a time however well it was compressed."""
    encoding = _headers(response).get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        yield from response.iter_stream()
        return
    if encoding not in ("gzip", "x-gzip"):
        raise RefusalError(0, "the answer is compressed in a way that was not asked for")
    inflate = zlib.decompressobj(31)
    for piece in response.iter_stream():
        rest = piece
        while rest and not inflate.eof:
            yield inflate.decompress(rest, PIECE)
            rest = inflate.unconsumed_tail
    while not inflate.eof and (last := inflate.decompress(inflate.unconsumed_tail, PIECE)):
        yield last
    if not inflate.eof:
        raise RefusalError(0, "the compressed answer was broken off")


def _short(response: httpcore.Response) -> Answer:
    body = b"".join(_pieces(response, SHORT))
    return Answer(status=response.status, headers=_headers(response), body=body)


def _beginning(response: httpcore.Response) -> bytes:
    """The beginning of the body of an error, as far as it can be read."""
    content = bytearray()
    try:
        for piece in _plain(response):
            content += piece[:ERROR]
            if len(content) >= ERROR:
                break
    except (*BROKEN, RefusalError, OSError, zlib.error):
        pass
    return bytes(content[:ERROR])


def _message(body: str) -> str:
    """The message in the body of an error: of JSON its text, else all."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return body
    if not isinstance(document, dict):
        return body
    parts = [str(document[key]) for key in ("message", "error") if document.get(key)]
    details = document.get("data")
    if isinstance(details, list):
        parts += [str(part["error_message"]) for part in details if isinstance(part, dict) and "error_message" in part]
    return ": ".join(dict.fromkeys(parts)) or body


def seconds_to_wait(header: str | None) -> float | None:
    """A ``Retry-After`` header in seconds, 0 or more; None where there is none that can be read."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
        except (TypeError, ValueError, OverflowError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None
