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
    """One finding: its subject, the observation, and the remedy; the first row of ``table`` is its headings."""

    state: State
    about: str
    found: str
    do: str = ""
    table: tuple[tuple[str, ...], ...] = ()
