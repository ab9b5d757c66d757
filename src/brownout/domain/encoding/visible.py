"""Names from telemetry are shown, never obeyed: control characters become visible escapes."""

import re

__all__ = ["visible"]

# C0 without tab and newline, DEL, C1, and what changes the direction of text, has no width or shows nothing.
CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)


def visible(text: str) -> str:
    r"""The text with control, bidirectional and zero-width characters as ``\x1b`` or ``\u202e``; line ends stay."""
    return CONTROL.sub(lambda match: _escape(ord(match[0])), text)


def _escape(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
