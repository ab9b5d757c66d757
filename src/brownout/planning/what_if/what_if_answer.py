"""The answer to a what-if, as it is shown and written."""

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from brownout.domain.encoding import Instant, MetricResult, Number
from brownout.planning.what_if.console_effects import ConsoleEffect

__all__ = ["WHAT_IF_SCHEMA", "AskedChange", "ConsoleChange", "SaturationChange", "SaturationDates", "WhatIf"]

WHAT_IF_SCHEMA = "urn:brownout:what-if:1"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedChange:
    """One change that was asked for.

    Attributes
    ----------
    guest
        Id of the guest.
    name
        Its name.
    from_host
        Host that it is on.
    to_host
        Host that it would be on; the same where it is not moved.
    vcpus
        Its vCPUs now; null where that is not known, as with the next three.
    vcpus_after
        Its vCPUs after the change.
    memory_gib
        Its memory now, in GiB.
    memory_gib_after
        Its memory after the change.
    """

    guest: str
    name: str
    from_host: str
    to_host: str
    vcpus: Number
    vcpus_after: Number
    memory_gib: Number
    memory_gib_after: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleChange(MetricResult):
    """Console latency of a guest, or of the guests that stay on a host, before and after.

    Attributes
    ----------
    about
        The guest, or the other guests of a host, in words.
    entity
        Id of the guest or the host.
    metric
        Name of the latency.
    consoles
        How many consoles are taken together.
    p50
        Its median over the days compared, in milliseconds.
    p95
        What it stayed below for 95 % of the time.
    """

    about: str
    entity: str
    metric: str
    consoles: int
    p50: ConsoleEffect
    p95: ConsoleEffect


@dataclass(frozen=True, slots=True, kw_only=True)
class SaturationDates:
    """When a limit will be crossed.

    Attributes
    ----------
    probability
        Chance that it is crossed within the horizon of its forecast.
    earliest
        When a tenth of that chance has come; null where it does not, as with the next two.
    likely
        When half of it has.
    latest
        When nine tenths of it have.
    exceeded
        Whether the level is beyond the limit already.
    """

    probability: Number
    earliest: Instant | None
    likely: Instant | None
    latest: Instant | None
    exceeded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SaturationChange(MetricResult):
    """When a resource of a host or guest runs out, before and after; null where it probably does not.

    Attributes
    ----------
    entity
        Id of the host, disk or guest.
    name
        Its name.
    metric
        What runs out.
    limit
        The line that is crossed, in the unit of the metric.
    before
        Dates as things are.
    after
        Dates with the change.
    """

    entity: str
    name: str
    metric: str
    limit: Number
    before: SaturationDates | None
    after: SaturationDates | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """What changes would have done to the last days, and what they do to the dates at which resources run out.

    Attributes
    ----------
    schema
        Name and version of this form.
    until
        End of the data.
    days
        How many days before it are compared with and without the change.
    changes
        What was asked for.
    consoles
        Effects on console latency, each with an interval that holds 80 % of outcomes.
    saturation
        Limits that are crossed before or after the change.
    warnings
        What the figures do not say, as sentences.
    """

    schema: Annotated[str, Field(alias="$schema")] = WHAT_IF_SCHEMA
    until: Instant
    days: Number
    changes: tuple[AskedChange, ...]
    consoles: tuple[ConsoleChange, ...] = ()
    saturation: tuple[SaturationChange, ...] = ()
    warnings: tuple[str, ...] = field(default=())
