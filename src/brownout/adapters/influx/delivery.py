"""Writing lines so that one that the server refuses costs itself only, and is told."""

import gzip
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from brownout.adapters.influx.http import Ask, HttpServer, RefusalError
from brownout.domain.errors import DatabaseError

__all__ = ["deliver"]

DROPPED = re.compile(r"dropped=(\d+)")
UNREADABLE = re.compile(r"unable to parse '(.*?)': ", re.DOTALL)
PARTIAL = "partial write"
TOO_LONG = 413
MOST_TRIES = 64
"""Requests that may be spent on finding the refused lines of a batch."""
logger = logging.getLogger(__name__)


@dataclass(eq=False)
class Outcome:
    """Numbers of lines stored and lost, and the reasons why lines were lost."""

    stored: int = 0
    lost: int = 0
    reasons: dict[str, None] = field(default_factory=dict)
    tries: int = 0

    def lose(self, lines: int, reason: str) -> None:
        """Count lines that were refused."""
        self.lost += lines
        self.reasons.setdefault(reason)


def deliver(server: HttpServer, ask: Ask, batches: Iterable[str]) -> int:
    """Send batches of line protocol, gzipped; returns the number of lines kept.

    Lines that the server refuses are logged with its reason; the others are kept. Raises DatabaseError where the server
    refuses for another reason than what is in the lines, or does not say that it has stored them.
    """
    outcome = Outcome()
    for batch in batches:
        outcome.tries = 0
        _send(server, replace(ask, doing=f"writing {batch.split(',', 1)[0]}"), batch.splitlines(keepends=True), outcome)
    if outcome.lost:
        total = outcome.stored + outcome.lost
        reason = "; ".join(list(outcome.reasons)[:3])
        logger.warning(
            "%s: %d of %d lines were refused, the others are kept: %s",
            server.connection.url,
            outcome.lost,
            total,
            reason,
        )
    return outcome.stored


def _send(server: HttpServer, ask: Ask, lines: list[str], outcome: Outcome) -> None:
    if not lines:
        return
    outcome.tries += 1
    failure: DatabaseError
    try:
        body = gzip.compress("".join(lines).encode(), compresslevel=1)
        headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain; charset=utf-8"}
        answer = server.attempt(replace(ask, body=body, headers=headers))
    except RefusalError as error:
        if _without_refused(server, ask, lines, error, outcome):
            return
        failure = server.refused(error, ask.doing)
    else:
        if answer.status == 204:
            outcome.stored += len(lines)
            return
        problem = f"{answer.status} instead of 204: the points have not been stored"
        failure = server.error(
            ask.doing, problem, remedy="Check that the url is that of an InfluxDB, not of a login page."
        )
    raise failure


def _without_refused(server: HttpServer, ask: Ask, lines: list[str], error: RefusalError, outcome: Outcome) -> bool:
    """Whether the refusal was about some lines only, and the others are kept."""
    if error.status == TOO_LONG and len(lines) > 1 and outcome.tries < MOST_TRIES:
        _halves(server, ask, lines, outcome)
        return True
    if error.status not in (400, 422):
        return False
    named = {_plain(text) for text in UNREADABLE.findall(_plain(error.body))}
    good = [line for line in lines if _plain(line) not in named]
    lost = _dropped(error.body)
    if lost:
        lost = min(lost + len(lines) - len(good), len(lines))
        outcome.lose(lost, error.message)
        outcome.stored += len(lines) - lost
        return True
    if "unable to parse" not in error.body or outcome.tries >= MOST_TRIES:
        return False
    if len(good) < len(lines):
        outcome.lose(len(lines) - len(good), error.message)
        _send(server, ask, good, outcome)
    elif len(lines) == 1:
        outcome.lose(1, error.message)
    else:
        _halves(server, ask, lines, outcome)
    return True


def _halves(server: HttpServer, ask: Ask, lines: list[str], outcome: Outcome) -> None:
    middle = len(lines) // 2
    _send(server, ask, lines[:middle], outcome)
    _send(server, ask, lines[middle:], outcome)


def _dropped(body: str) -> int:
    """Lines that a server dropped while it kept the others; InfluxDB 3 lists them."""
    if PARTIAL not in body:
        return 0
    counted = DROPPED.search(body)
    return int(counted[1]) if counted else body.count('"line_number"')


def _plain(text: str) -> str:
    r"""A line as it is compared: JSON escapes its quotes and backslashes."""
    return text.replace("\\", "").replace('"', "").strip()
