"""The token or password, and the one place through which every text from a server goes before anybody sees it."""

import html
import json
import re
import unicodedata
from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import quote, quote_plus

from brownout.domain.errors import SettingsError

__all__ = ["Credentials", "checked_secret", "visible"]

HIDDEN = "[secret]"
WITHHELD = "(the server's text is withheld: it repeats the token or password)"
HIDEABLE = 4
"""Shorter secrets are parts of ordinary words: they are hidden where they stand alone."""
INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that steer a terminal or show nothing: controls, bidirectional marks, surrogates."""
LONGEST = 300
"""Characters of a server's text that are shown."""


@dataclass(frozen=True)
class Credentials:
    """Who we are to a server: ``scheme`` is Basic (with ``user``), Token or Bearer; "" sends nothing."""

    scheme: str = ""
    user: str = ""
    secret: str = field(default="", repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """What is sent with each request."""
        if not self.scheme or not (self.secret or self.user):
            return {}
        return {"Authorization": f"{self.scheme} {self._pair if self.scheme == 'Basic' else self.secret}"}

    def clean(self, text: str, longest: int = LONGEST) -> str:
        """A text from outside on one line, without the secret in any form and without signs that steer a terminal."""
        flat = " ".join(text.split())
        for form in self._forms:
            flat = form.sub(HIDDEN, flat)
        if self.secret and self._repeats(flat):
            return WITHHELD
        return visible(flat)[:longest]

    @cached_property
    def _pair(self) -> str:
        return b64encode(f"{self.user}:{self.secret}".encode()).decode()

    @cached_property
    def _forms(self) -> tuple[re.Pattern[str], ...]:
        """The secret as servers and proxies may repeat it, the longest first."""
        own = self.secret
        if not own:
            return ()
        forms = {own, " ".join(own.split()), quote(own), quote(own, safe=""), quote_plus(own), html.escape(own)}
        forms |= {json.dumps(own)[1:-1], repr(own)[1:-1]}
        for pair in (own, f"{self.user}:{own}"):
            forms |= {encode(pair.encode()).decode().rstrip("=") for encode in (b64encode, urlsafe_b64encode)}
        ordered = sorted((form for form in forms if form), key=len, reverse=True)
        return tuple(re.compile(_pattern(form), re.IGNORECASE) for form in ordered)

    def _repeats(self, text: str) -> bool:
        """Whether the secret's letters and digits stand in a text, whatever stands between them."""
        own = _letters(self.secret)
        return len(own) >= HIDEABLE and own in _letters(text)


def _pattern(form: str) -> str:
    return re.escape(form) if len(form) >= HIDEABLE else rf"(?<!\w){re.escape(form)}(?!\w)"


def _letters(text: str) -> str:
    return "".join(sign for sign in text.casefold() if sign.isalnum())


def visible(text: str) -> str:
    r"""A text in which signs that steer a terminal or show nothing are written out, ESC as ``\x1b``."""
    return "".join(_written_out(sign) if unicodedata.category(sign) in INVISIBLE else sign for sign in text)


def _written_out(sign: str) -> str:
    code = ord(sign)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def checked_secret(text: str, origin: str, *, token: bool) -> str:
    """The secret without the white space around it; SettingsError, which never holds it, where no header can.

    A token goes into a header as it is and has no spaces; a password is encoded and may have any visible sign.
    """
    secret = text.strip()
    for position, sign in enumerate(secret, 1):
        if not (33 <= ord(sign) < 127 if token else sign == " " or unicodedata.category(sign) not in INVISIBLE):
            what = _kind(sign)
            msg = f"{origin} holds {what} (sign {position} of {len(secret)}), which cannot be sent."
            raise SettingsError(msg, remedy="Set it anew, without what does not belong to it.")
    return secret


def _kind(sign: str) -> str:
    if sign in "\r\n":
        return "a line end"
    if sign.isspace():
        return "a space"
    return "a control character" if unicodedata.category(sign) == "Cc" else "a sign that is not ASCII"
