"""Apprise: e-mail, Slack, Teams, webhooks and a hundred more services by an address each.

An address holds secrets. Errors name a service by its place in the settings and its scheme only, and what Apprise says
is shown without any part of the address.
"""

import io
import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from smtplib import SMTPException
from urllib.parse import unquote

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType

from brownout.adapters.apprise_reach import reached
from brownout.domain.encoding import visible
from brownout.domain.errors import AlertError, SettingsError
from brownout.domain.findings import Notice, Severity
from brownout.settings import AlertSettings

__all__ = ["AppriseChannel", "apprise_openers"]

TYPES = {Severity.CRITICAL: NotifyType.FAILURE, Severity.WARNING: NotifyType.WARNING}
MAIL = frozenset({"mailto", "mailtos"})
PLAIN = str.maketrans({"<": "\u2039", ">": "\u203a", "@": "\uff20", "[": "\uff3b", "]": "\uff3d", "`": "'"})
"""Signs that make a mention, a link or code in a chat, and signs that look like them and do nothing."""
SCHEME = re.compile(r"([A-Za-z0-9]{1,20})://")
"""A service's name before the address; anything else there may be a secret in the wrong place, and is not shown."""
LONGEST_REASON = 300
HIDEABLE = 4
"""Shorter parts of an address are parts of ordinary words and no secrets."""


class AppriseChannel:
    """One address."""

    def __init__(self, number: int, url: str, settings: AlertSettings) -> None:
        self._url, self._settings, self._budget_s = url, settings, settings.budget_s
        scheme = SCHEME.match(url)
        self._scheme = scheme[1].lower() if scheme else "?"
        self.name = f"Apprise {number} ({self._scheme})"
        asset = AppriseAsset(async_mode=False, secure_logging=True, http_redirects=False, app_id="brownout")
        self._apprise = Apprise(asset=asset)
        with _captured_log():
            understood = self._apprise.add(url)
        if not understood:
            remedy = "Correct it; https://github.com/caronc/apprise/wiki shows the form of each service."
            raise SettingsError(f"{self.name}: the address cannot be understood.", remedy=remedy)

    def send(self, notice: Notice) -> None:
        """Send a message; raises AlertError where it was refused, or not taken within the budget."""
        outcome: list[tuple[bool, str]] = []
        worker = threading.Thread(target=lambda: outcome.append(self._notify(notice)), daemon=True)
        worker.start()
        worker.join(self._budget_s)
        if not outcome:
            msg = f"{self.name} did not take the message within {self._budget_s:g} s (budget_s)."
            raise AlertError(msg, remedy="Check the server; the message is sent again by the next run.", uncertain=True)
        done, log_text = outcome[0]
        if not done:
            reason = f": {log_text}" if log_text else ""
            msg = f"{self.name} did not take the message{reason.rstrip('.')}."
            raise AlertError(msg, remedy="Check the address, its secrets and the server; the next run tries again.")

    def check(self) -> str:
        """Say how the receiver was reached; raises AlertError, without any part of the address, where it cannot be."""
        (service,) = self._apprise
        try:
            with _captured_log():
                return reached(service, self._settings)
        except (AlertError, OSError, SMTPException, ValueError) as error:
            problem = self._clean(f"{error}" or type(error).__name__)
        msg = f"{self.name} cannot be reached: {problem.rstrip('.')}."
        raise AlertError(msg, remedy="Check the address, its login and the network.")

    def resolve(self, notice: Notice) -> None:
        """Messages have no state: nobody is told of what is over."""

    def _notify(self, notice: Notice) -> tuple[bool, str]:
        title, text = notice.title, notice.text
        if self._scheme not in MAIL:
            title, text = title.translate(PLAIN), text.translate(PLAIN)
        with _captured_log() as log_output:
            try:
                done = self._apprise.notify(
                    body=text,
                    title=" ".join(title.split()),
                    notify_type=TYPES[notice.severity],
                    body_format=NotifyFormat.TEXT,
                )
            except (OSError, ValueError, TypeError) as error:
                return False, self._clean(f"{type(error).__name__} {error}")
            return bool(done), self._clean(log_output.getvalue())

    def _clean(self, text: str) -> str:
        """The message of Apprise on one line, without any part of the address."""
        flat = visible(" ".join(text.split()))
        parts = {part for piece in re.split(r"[/:@?&=,]+", self._url) for part in (piece, unquote(piece))}
        for part in sorted(parts - {self._scheme}, key=len, reverse=True):
            if len(part) >= HIDEABLE:
                flat = flat.replace(part, "[hidden]")
        return flat[:LONGEST_REASON]


def apprise_openers(settings: AlertSettings) -> Iterator[tuple[str, Callable[[], AppriseChannel]]]:
    """For each address of the settings, the environment and the file: its numbered name and a function that opens it.

    Opening raises SettingsError where an address cannot be understood; a file that cannot be read is an opener of its
    own that raises, so that one mistake silences no other receiver.
    """
    urls = [url.get_secret_value() for url in settings.apprise]
    unread = None
    try:
        urls += [] if settings.apprise_file is None else _read(settings.apprise_file)
    except SettingsError as error:
        unread = error
    for number, url in enumerate(urls, 1):
        yield f"Apprise {number}", partial(AppriseChannel, number, url, settings)
    if unread is not None:
        yield "apprise_file", partial(_refuse, unread)


def _refuse(error: SettingsError) -> AppriseChannel:
    raise error


def _read(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        msg = f"apprise_file {path} cannot be read: {reason}."
        raise SettingsError(msg, remedy="Give a file with an address of Apprise a line.") from None
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


@contextmanager
def _captured_log() -> Iterator[io.StringIO]:
    """Capture the log of Apprise, which may repeat addresses, and keep it out of other logs."""
    log, output = logging.getLogger("apprise"), io.StringIO()
    handler = logging.StreamHandler(output)
    handler.setLevel(logging.WARNING)
    log.propagate = False
    log.addHandler(handler)
    try:
        yield output
    finally:
        log.removeHandler(handler)
