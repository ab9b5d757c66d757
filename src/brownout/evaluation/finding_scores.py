"""What a watch found by itself against the truth: which incidents got their cause, and which healthy days got one.

A diagnosis belongs to an incident when it is about the same root (usually the host) and its span overlaps the incident
or begins within half an hour of its end; of several the one that overlaps most answers for it. One that belongs to no
incident is false where it names a cause. A healthy guest-day is a guest and a UTC day without an incident on its root;
it is given a cause when a false diagnosis within it names the guest, something that belongs to it, or what all guests
share.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from brownout.domain.entities import EntityKind, Topology
from brownout.domain.findings import UNKNOWN, Diagnosis
from brownout.domain.truth import Incident
from brownout.evaluation.alarm_tracks import AFTER, HEADROOM

__all__ = ["Judged", "false_causes", "match", "unfounded"]

DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An incident with the diagnosis that answers for it, None where nothing was found."""

    incident: Incident
    diagnosis: Diagnosis | None


def match(diagnoses: Sequence[Diagnosis], incidents: Sequence[Incident], topology: Topology) -> tuple[Judged, ...]:
    """The diagnosis that answers for each incident."""
    by_root = _by_root(diagnoses, topology)
    pairs = []
    for incident in incidents:
        own = [d for d in by_root.get(topology.root(incident.entity, incident.start), ()) if _belongs(d, incident)]
        best = max(
            own, key=lambda diagnosis: (_overlap(diagnosis, incident), -_distance(diagnosis, incident)), default=None
        )
        pairs.append(Judged(incident=incident, diagnosis=best))
    return tuple(pairs)


def unfounded(
    diagnoses: Sequence[Diagnosis], incidents: Sequence[Incident], topology: Topology
) -> tuple[Diagnosis, ...]:
    """The diagnoses that belong to no incident."""
    labelled: dict[str, list[Incident]] = {}
    for incident in incidents:
        labelled.setdefault(topology.root(incident.entity, incident.start), []).append(incident)
    return tuple(
        diagnosis
        for root, own in _by_root(diagnoses, topology).items()
        for diagnosis in own
        if not any(_belongs(diagnosis, incident) for incident in labelled.get(root, ()))
    )


def false_causes(
    diagnoses: Sequence[Diagnosis],
    incidents: Sequence[Incident],
    topology: Topology,
    span: tuple[np.datetime64, np.datetime64],
) -> dict[str, float | int | None]:
    """False diagnoses with a cause, and the share of healthy guest-days of the span that were given one.

    The share is None where no guest had a healthy day.
    """
    labelled: dict[str, list[Incident]] = {}
    for incident in incidents:
        labelled.setdefault(topology.root(incident.entity, incident.start), []).append(incident)
    false = _by_root([d for d in unfounded(diagnoses, incidents, topology) if d.top.id != UNKNOWN], topology)
    healthy = blamed = 0
    days = np.arange(span[0].astype("datetime64[D]"), span[1].astype("datetime64[ms]"), DAY)
    for guest in _guests(topology):
        roots = [topology.root(guest, day) for day in days.astype("datetime64[ms]")]
        own = {guest, *topology.descendants(guest)}
        for root in dict.fromkeys(roots):
            there = np.array([other == root for other in roots])
            well = there & ~_marked(days, [(i.start, i.end + AFTER) for i in labelled.get(root, ())])
            about = [
                (d.start, d.end) for d in false.get(root, ()) if d.top.entity in own or _shared(d.top.entity, topology)
            ]
            healthy += int(well.sum())
            blamed += int((_marked(days, about) & well).sum())
    return {
        "false_causes": sum(len(group) for group in false.values()),
        "healthy_guest_days": healthy,
        "healthy_guest_days_given_a_cause": round(blamed / healthy, 4) if healthy else None,
    }


def _by_root(diagnoses: Sequence[Diagnosis], topology: Topology) -> Mapping[str, list[Diagnosis]]:
    table: dict[str, list[Diagnosis]] = {}
    for diagnosis in diagnoses:
        table.setdefault(topology.root(diagnosis.entities[0]), []).append(diagnosis)
    return table


def _guests(topology: Topology) -> list[str]:
    """Entities of kind vm; where there are none, all."""
    return [e.id for e in topology if e.kind == EntityKind.VM] or [e.id for e in topology]


def _shared(entity: str, topology: Topology) -> bool:
    """Whether an entity is neither a guest nor part of one."""
    return not any(topology[name].kind == EntityKind.VM for name in (entity, *topology.ancestors(entity)))


def _marked(days: np.ndarray, spans: Sequence[tuple[np.datetime64, np.datetime64]]) -> np.ndarray:
    marks = np.zeros(len(days), bool)
    for start, end in spans:
        marks |= (days + DAY > start) & (days < end)
    return marks


def _belongs(diagnosis: Diagnosis, incident: Incident) -> bool:
    last = max(incident.end, incident.start + HEADROOM)
    return bool(diagnosis.start < last + AFTER and diagnosis.end >= incident.start)


def _overlap(diagnosis: Diagnosis, incident: Incident) -> np.timedelta64:
    return min(diagnosis.end, incident.end) - max(diagnosis.start, incident.start)


def _distance(diagnosis: Diagnosis, incident: Incident) -> np.timedelta64:
    return abs(diagnosis.start - incident.start)
