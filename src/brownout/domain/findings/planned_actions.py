"""Actions: what can be done about a cause, what it risks and what it changes."""

from dataclasses import dataclass
from enum import StrEnum

from brownout.domain.encoding import Number

__all__ = ["Action", "Effect", "Risk"]


class Risk(StrEnum):
    """What an action can break."""

    LIVE = "live and reversible"
    RESTART = "needs a cold restart of the guest"
    MAINTENANCE = "maintenance window or data risk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Predicted effect of an action in milliseconds of console latency, as medians over the consoles it reaches.

    Attributes
    ----------
    metric
        The console latency that rose most.
    now_ms
        Its level during the incident.
    low_ms
        Its lowest level to expect after the action.
    high_ms
        Its highest level to expect after the action.
    consoles
        How many consoles the action reaches.
    """

    metric: str
    now_ms: Number
    low_ms: Number
    high_ms: Number
    consoles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something an operator can do about a diagnosis or a forecast breach.

    Attributes
    ----------
    about
        Id of the incident, or entity and metric of the breach.
    cause
        Id of the cause that it acts on.
    entity
        Where to do it.
    title
        What to do, for people.
    command
        The command that does it; words in capitals are to be filled in.
    confirm
        The command that shows whether the cause is what was said, to be run first.
    verify
        Name of the metric that shows whether it helped, or the role of one.
    risk
        What it can break.
    rollback
        How to undo it.
    effect
        What it changes in console latency; None where that is not known.
    reason
        Why it is proposed, where the incident does not say it.
    verify_title
        The same for people, with its unit.
    prevention
        Whether it keeps a fault from coming back: then it is still worth doing when the incident is over.
    """

    about: str
    cause: str
    entity: str
    title: str
    command: str
    confirm: str
    verify: str
    risk: Risk
    rollback: str
    effect: Effect | None
    reason: str = ""
    verify_title: str = ""
    prevention: bool = False
