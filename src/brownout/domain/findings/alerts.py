"""Alerts: what is sent about an open incident or a forecast breach, and the notifications that people get."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from brownout.domain.encoding import Instant, Number

__all__ = ["Alert", "Notice", "Severity", "TimedAlert", "identity_of"]


class Severity(StrEnum):
    """How soon somebody should look."""

    CRITICAL = "critical"
    """Something hurts now and its cause is known."""
    WARNING = "warning"
    """Something is abnormal without a known cause, or a limit will probably be crossed."""

    @property
    def rank(self) -> int:
        """Higher = more severe."""
        return 2 if self is Severity.CRITICAL else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something that a person should know about now.

    Attributes
    ----------
    source
        What it is about: the id of the incident, or entity and metric of the breach.
    entity
        Id of the entity at which it sits.
    labels
        Its identity: names only, never values, so that the same thing has the same labels each time.
    annotations
        What it says: values, probability, dates, cause, first action.
    severity
        How soon somebody should look.
    weight
        Orders alerts of one severity: severity of the incident, or probability of the breach.
    starts
        When the incident began, or when the breach was first forecast.
    begins
        Whether it is sure enough to begin an alert; else it only keeps one going.
    link
        Where the report tells more; "" where that is not known.
    """

    source: str
    entity: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    severity: Severity
    weight: Number
    starts: Instant
    begins: bool = True
    link: str = ""

    @property
    def identity(self) -> str:
        """The same for the same labels."""
        return identity_of(self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedAlert:
    """An alert as a receiver keeps it: it fires from ``starts`` until ``ends`` unless it is sent anew before."""

    alert: Alert
    starts: Instant
    ends: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notification for people, about one or several alerts.

    Attributes
    ----------
    id
        Stable, for receivers that know a repetition by it.
    severity
        That of its most severe alert.
    title
        One line.
    text
        The most severe alert in full, then one line a cause, then a digest line; plain text.
    entity
        Where the most severe one sits.
    link
        Where the report tells more; "" where that is not known.
    """

    id: str
    severity: Severity
    title: str
    text: str
    entity: str
    link: str = ""


def identity_of(labels: Mapping[str, str]) -> str:
    """A short hash of labels, independent of their order."""
    text = "\x00".join(f"{name}\x01{labels[name]}" for name in sorted(labels))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
