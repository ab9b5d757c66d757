"""Names from telemetry are text in Markdown too: nothing in them may become a link, a table cell or HTML."""

import re

from markupsafe import Markup

from brownout.domain.encoding import visible

__all__ = ["escape_markdown", "inline_code"]

SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&])")


def escape_markdown(value: object) -> object:
    """Escape what Markdown would read as its own, and control characters; ``Markup`` passes through."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return SPECIAL.sub(r"\\\1", _one_line(value))


def inline_code(value: str) -> Markup:
    """A command as inline code, whatever backticks it holds."""
    text = _one_line(value)
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return Markup(f"{fence}{pad}{text}{pad}{fence}")  # noqa: S704 - fenced


def _one_line(text: str) -> str:
    return " ".join(visible(text).split())
