"""One finding of the doctor."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Check", "State"]


class State(StrEnum):
    """How a check went."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding: about what, what was found, and what to do about it; ``table`` has a row of headings first."""

    state: State
    about: str
    found: str
    do: str = ""
    table: tuple[tuple[str, ...], ...] = ()
