"""Hosts that take no guest in, and why."""

from collections.abc import Mapping, Sequence

import numpy as np

from brownout.domain.calendar import Calendar
from brownout.domain.entities import EntityKind, Topology
from brownout.domain.findings import Diagnosis, Freshness
from brownout.domain.forecasts import Breach
from brownout.domain.metrics import Metric
from brownout.domain.night import Night
from brownout.nightly.freshness import silent_entities
from brownout.numerics.slots import days

__all__ = ["closed_hosts", "closed_hosts_of", "unseen_hosts"]

LIKELY = 0.5
"""Chance of a breach from which a host is left alone."""


def closed_hosts_of(night: Night, calendar: Calendar) -> dict[str, str]:
    """Reasons by host, from a night as its report keeps it."""
    closed = closed_hosts(night.topology, night.diagnoses, night.breaches, night.metrics)
    return closed | unseen_hosts(night.topology, night.freshness, calendar, night.end)


def closed_hosts(
    topology: Topology, diagnoses: Sequence[Diagnosis], breaches: Sequence[Breach], metrics: Mapping[str, Metric]
) -> dict[str, str]:
    """Reasons by host: an open incident there, or a limit of the host itself that it will probably cross."""
    closed: dict[str, str] = {}
    for breach in breaches:
        entity = topology[breach.series.entity]
        if entity.kind not in (EntityKind.VM, EntityKind.CONSOLE) and breach.probability >= LIKELY:
            metric = metrics[breach.series.metric]
            limit = f"{metric.label} {'is' if breach.exceeded else 'will probably be'} beyond {breach.limit:g}"
            closed[topology.root(entity.id)] = f"{limit} {metric.unit}".rstrip()
    for diagnosis in diagnoses:
        if diagnosis.open and diagnosis.entities:
            closed[topology.root(diagnosis.entities[0])] = f"it has an open incident: {diagnosis.top.title}"
    return closed


def unseen_hosts(
    topology: Topology, freshness: Freshness | None, calendar: Calendar, end: np.datetime64
) -> dict[str, str]:
    """Reasons by host: it is silent, or somebody will work on it within a day."""
    silent = frozenset() if freshness is None else silent_entities(freshness)
    windows = [window for window in calendar.windows if window.spans(end, end + days(1))]
    closed = {}
    for host in topology:
        if host.kind == EntityKind.HOST and host.id in silent:
            closed[host.id] = "nothing is measured of it any more"
        elif host.kind == EntityKind.HOST and any(window.covers(host.id, topology) for window in windows):
            closed[host.id] = "maintenance is announced for it within a day"
    return closed
