"""What came of earlier nights: of the warnings that they gave, and of the advice that was followed."""

from dataclasses import dataclass
from enum import StrEnum

from brownout.domain.encoding import Instant, Number

__all__ = ["AdviceScore", "AdviceVerdict", "DoneAction", "PastScores", "WarningScore"]


class AdviceVerdict(StrEnum):
    """What came of an action."""

    AS_SAID = "as predicted"
    BETTER = "better than predicted"
    WORSE = "worse than predicted"
    EARLY = "too early to say"
    UNKNOWN = "not measured"
    UNSAID = "nothing was predicted"


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneAction:
    """An action that somebody did, as it was proposed.

    Attributes
    ----------
    at
        When it was done.
    night
        Night whose report proposed it.
    link
        Its anchor in that report.
    entity
        Where it was done.
    title
        What was done.
    metric
        The metric that its effect was predicted in; empty where none was, as the next two are null.
    host
        Whether the effect reaches all consoles of the host, and not only those of the entity.
    before
        The level when it was proposed.
    low
        Lowest level to expect after it.
    high
        Highest level to expect after it.
    note
        What the operator added.
    """

    at: Instant
    night: str
    link: str
    entity: str
    title: str
    metric: str = ""
    host: bool = False
    before: Number = float("nan")
    low: Number = float("nan")
    high: Number = float("nan")
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceScore:
    """An action that was done, and what came of it.

    Attributes
    ----------
    action
        What was done, and what was predicted.
    came
        The level in the day after it, from an hour on: the median over time, then over consoles; null where unknown.
    verdict
        What that says of the prediction.
    """

    action: DoneAction
    came: Number
    verdict: AdviceVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningScore:
    """How the warnings of earlier nights turned out, of those whose time is over.

    Attributes
    ----------
    nights
        How many nights they are of.
    told
        How many limits were said to be crossed that were not crossed then.
    came
        How many of them were crossed in time.
    expected
        How many should have been, by their chances: their sum.
    dated
        How many of those that came had dates.
    inside
        How many of these came within their dates.
    """

    nights: int = 0
    told: int = 0
    came: int = 0
    expected: Number = 0.0
    dated: int = 0
    inside: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PastScores:
    """What came of earlier nights.

    Attributes
    ----------
    warnings
        Of what they warned of.
    advice
        Of what was done of their advice, the latest first.
    """

    warnings: WarningScore
    advice: tuple[AdviceScore, ...] = ()
