"""Actions: what can be done about a cause, what it risks and what it changes."""

from dataclasses import dataclass
from enum import StrEnum

from brownout.domain.encoding import Number

__all__ = ["Action", "Effect", "Find", "Risk"]


class Risk(StrEnum):
    """What an action can break."""

    NONE = "changes nothing by itself"
    LIVE = "live and reversible"
    INTERRUPTS = "interrupts a service, a session or the network for a moment"
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
class Find:
    """A value that a command needs and that is not known: a shell variable, and the command that fills it.

    Attributes
    ----------
    name
        Name of the variable.
    meaning
        What it is.
    command
        Sets the variable and shows it; run it first, in the same shell.
    """

    name: str
    meaning: str
    command: str


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
        The command that does it; empty where none does.
    confirm
        The command that shows whether the cause is what was said, to be run first.
    verify
        Name of the metric that shows whether it helped, or the role of one.
    risk
        What it can break.
    rollback
        The command that undoes it; empty where none does.
    effect
        What it changes in console latency; None where that is not known.
    reason
        Why it is proposed, where the incident does not say it.
    verify_title
        The same for people, with its unit.
    prevention
        Whether it keeps a fault from coming back: then it is still worth doing when the incident is over.
    by_hand
        What people do beside or in place of the command, and what cannot be undone.
    finds
        What must be found before the commands can run, in order.
    ansible
        A play for Ansible that does the same where it is needed, and nothing in check mode; empty where none can.
    remedy
        Id of the remedy that it is made from.
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
    by_hand: str = ""
    finds: tuple[Find, ...] = ()
    ansible: str = ""
    remedy: str = ""
