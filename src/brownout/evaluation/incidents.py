"""Alarms of a fleet against its incidents: what was seen, how late, and what was false.

Labels name the culprit only, but a faulty host slows its guests and their consoles: everything that hangs on the same
root (usually the host) as the culprit is affected. An alarm there that overlaps the incident, or begins within half an
hour of its end, sees the incident and is not false; ``seen_at_culprit`` counts alarms at the named entity alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from brownout.domain.entities import Topology
from brownout.domain.truth import Incident
from brownout.evaluation.detection import runs

__all__ = ["AlarmTrack", "incident_scores"]

AFTER = np.timedelta64(30 * 60_000, "ms")
"""What begins so soon after an incident is its aftermath."""
HEADROOM = np.timedelta64(1, "ms")


@dataclass(frozen=True, slots=True, eq=False)
class AlarmTrack:
    """Alarms of one entity at its sample times, ``datetime64[ms]`` in order."""

    entity: str
    interval_s: float
    times: npt.NDArray[np.datetime64]
    alarms: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Event:
    entity: str
    start: np.datetime64
    end: np.datetime64


def incident_scores(
    tracks: Sequence[AlarmTrack], incidents: Sequence[Incident], topology: Topology
) -> dict[str, float | None]:
    """Shares of incidents seen, median delay in intervals, and false alarm events a guest and an entity and day.

    Incidents that begin before the first judged time are left out. Guests are entities of kind vm; where there are
    none every entity is a guest.
    """
    events: dict[str, list[_Event]] = {}
    for track in tracks:
        for event in _events(track):
            events.setdefault(topology.root(track.entity, event.start), []).append(event)
    first = min((track.times[0] for track in tracks if len(track.times)), default=np.datetime64("NaT", "ms"))
    judged = [incident for incident in incidents if incident.start >= first]
    interval = float(np.median([track.interval_s for track in tracks])) if tracks else 1.0
    seen, at_culprit, delays = 0, 0, []
    for incident in judged:
        own = [e for e in events.get(topology.root(incident.entity, incident.start), ()) if _sees(e, incident)]
        seen += bool(own)
        at_culprit += any(event.entity == incident.entity for event in own)
        if own:
            late = max(min(event.start for event in own) - incident.start, np.timedelta64(0, "ms"))
            delays.append(float(late / np.timedelta64(1000, "ms")) / interval)
    incidents_at: dict[str, list[Incident]] = {}
    for incident in incidents:
        incidents_at.setdefault(topology.root(incident.entity, incident.start), []).append(incident)
    false = sum(
        not any(_excuses(event, incident) for incident in incidents_at.get(root, ()))
        for root, found in events.items()
        for event in found
    )
    return _summary(tracks, topology, {"judged": len(judged), "seen": seen, "at_culprit": at_culprit}, delays, false)


def _summary(
    tracks: Sequence[AlarmTrack], topology: Topology, counts: Mapping[str, int], delays: Sequence[float], false: int
) -> dict[str, float | None]:
    days = [len(track.times) * track.interval_s / 86_400 for track in tracks]
    guests = [day for day, track in zip(days, tracks, strict=True) if topology[track.entity].kind == "vm"] or days
    judged = counts["judged"]
    return {
        "incidents": judged,
        "seen": counts["seen"] / judged if judged else None,
        "seen_at_culprit": counts["at_culprit"] / judged if judged else None,
        "median_delay_intervals": float(np.median(delays)) if delays else None,
        "false_episodes": false,
        "false_episodes_per_guest_day": false / sum(guests) if sum(guests) else None,
        "false_episodes_per_entity_day": false / sum(days) if sum(days) else None,
    }


def _events(track: AlarmTrack) -> list[_Event]:
    return [_Event(track.entity, track.times[a], track.times[b - 1]) for a, b in runs(track.alarms)]


def _sees(event: _Event, incident: Incident) -> bool:
    return bool(event.start < max(incident.end, incident.start + HEADROOM) and event.end >= incident.start)


def _excuses(event: _Event, incident: Incident) -> bool:
    return bool(event.start < incident.end + AFTER and event.end >= incident.start)
