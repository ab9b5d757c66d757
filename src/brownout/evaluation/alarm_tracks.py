"""Alarms of a fleet against its incidents: what was seen, how late, and what was false.

Labels name the culprit only, but a faulty host slows its guests and their consoles: everything that hangs on the same
root (usually the host) as the culprit is affected. An alarm there that overlaps the incident, or begins within half an
hour of its end, sees the incident and is not false; ``seen_at_culprit`` counts alarms at the named entity alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from brownout.domain.entities import EntityKind, Topology
from brownout.domain.truth import Incident
from brownout.evaluation.detection_scores import runs

__all__ = ["AlarmTrack", "Sighting", "incident_scores", "sightings"]

AFTER = np.timedelta64(30 * 60_000, "ms")
"""An alarm that begins so soon after an incident counts as its aftermath."""
HEADROOM = np.timedelta64(1, "ms")


@dataclass(frozen=True, slots=True, eq=False)
class AlarmTrack:
    """Alarms of one entity at its sample times, ``datetime64[ms]`` in order."""

    entity: str
    interval_s: float
    times: npt.NDArray[np.datetime64]
    alarms: npt.NDArray[np.bool_]

    def only(self, spans: Sequence[tuple[np.datetime64, np.datetime64]]) -> "AlarmTrack":
        """The runs of alarms that overlap one of some spans (end exclusive)."""
        alarms = np.zeros_like(self.alarms)
        for first, last in runs(self.alarms):
            begin, end = self.times[first], self.times[last - 1]
            if any(start <= end and over > begin for start, over in spans):
                alarms[first:last] = True
        return replace(self, alarms=alarms)

    def at(self, times: npt.NDArray[np.datetime64]) -> npt.NDArray[np.bool_]:
        """Whether an alarm is going on in the slots that hold some times; not before the first slot nor in a gap."""
        if not len(self.times):
            return np.zeros(len(times), bool)
        slot = np.searchsorted(self.times, times, side="right") - 1
        late = (times - self.times[slot]) / np.timedelta64(1000, "ms")
        held: npt.NDArray[np.bool_] = (slot >= 0) & (late < self.interval_s) & self.alarms[slot]
        return held


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Whether an incident was detected: anywhere on its root, at the culprit, and its delay in intervals (NaN = no)."""

    incident: Incident
    detected: bool
    at_culprit: bool
    late: float


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
    sighted = sightings(tracks, incidents, topology)
    at: dict[str, list[Incident]] = {}
    for incident in incidents:
        at.setdefault(topology.root(incident.entity, incident.start), []).append(incident)
    false = sum(
        not any(_excuses(event, incident) for incident in at.get(root, ()))
        for root, events in _by_root(tracks, topology).items()
        for event in events
    )
    return _summary(tracks, topology, sighted, false)


def sightings(tracks: Sequence[AlarmTrack], incidents: Sequence[Incident], topology: Topology) -> tuple[Sighting, ...]:
    """Whether each incident that begins after the first judged time was detected."""
    events = _by_root(tracks, topology)
    first = min((track.times[0] for track in tracks if len(track.times)), default=np.datetime64("NaT", "ms"))
    interval = float(np.median([track.interval_s for track in tracks])) if tracks else 1.0
    outcomes = []
    for incident in incidents:
        if not incident.start >= first:
            continue
        own = [
            event for event in events.get(topology.root(incident.entity, incident.start), ()) if _sees(event, incident)
        ]
        late = max(min((e.start for e in own), default=incident.start) - incident.start, np.timedelta64(0, "ms"))
        outcomes.append(
            Sighting(
                incident=incident,
                detected=bool(own),
                at_culprit=any(event.entity == incident.entity for event in own),
                late=float(late / np.timedelta64(1000, "ms")) / interval if own else float("nan"),
            )
        )
    return tuple(outcomes)


def _by_root(tracks: Sequence[AlarmTrack], topology: Topology) -> dict[str, list[_Event]]:
    events: dict[str, list[_Event]] = {}
    for track in tracks:
        for event in _events(track):
            events.setdefault(topology.root(track.entity, event.start), []).append(event)
    return events


def _summary(
    tracks: Sequence[AlarmTrack], topology: Topology, outcomes: Sequence[Sighting], false: int
) -> dict[str, float | None]:
    days = [len(track.times) * track.interval_s / 86_400 for track in tracks]
    guests = [
        day for day, track in zip(days, tracks, strict=True) if topology[track.entity].kind == EntityKind.VM
    ] or days
    judged = len(outcomes)
    delays = [one.late for one in outcomes if one.detected]
    return {
        "incidents": judged,
        "seen": sum(one.detected for one in outcomes) / judged if judged else None,
        "seen_at_culprit": sum(one.at_culprit for one in outcomes) / judged if judged else None,
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
