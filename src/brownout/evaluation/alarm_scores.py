"""What a night alarms against the truth: which faults, how late, and what is alarmed that is none.

Artefacts should be left quiet: an alarm about one is false. An episode is judged as ``alarm_tracks.py`` says.
"""

from collections import Counter
from collections.abc import Collection, Sequence

from brownout.domain.entities import Topology
from brownout.domain.truth import Incident
from brownout.evaluation.alarm_tracks import AlarmTrack, Sighting, incident_scores, sightings

__all__ = ["alarm_scores"]


def alarm_scores(
    detected: Sequence[AlarmTrack],
    alarmed: Sequence[AlarmTrack],
    incidents: Sequence[Incident],
    topology: Topology,
    harmless: Collection[str],
) -> dict[str, object]:
    """Counts of faults and artefacts, found by detection and alarmed in the end, and false episodes before and after.

    ``detected`` are tracks of all episodes, ``alarmed`` of those left after sifting; ``harmless`` the causes that are
    artefacts. Shares are None where there is nothing to have a share of.
    """
    faults = [incident for incident in incidents if incident.cause not in harmless]
    artefacts = [incident for incident in incidents if incident.cause in harmless]
    before, after = (incident_scores(tracks, faults, topology) for tracks in (detected, alarmed))
    first, last = (sightings(tracks, faults, topology) for tracks in (detected, alarmed))
    return {
        "faults": len(last),
        "found": before["seen"],
        "alarmed": after["seen"],
        "alarmed_at_culprit": after["seen_at_culprit"],
        "median_delay_intervals": after["median_delay_intervals"],
        "by_cause": _by_cause(last),
        "missed": [
            _named(one) | {"found": earlier.detected}
            for earlier, one in zip(first, last, strict=True)
            if not one.detected
        ],
        "artefacts": _counts(sightings(detected, artefacts, topology), sightings(alarmed, artefacts, topology)),
        "false_episodes": after["false_episodes"],
        "false_episodes_per_guest_day": after["false_episodes_per_guest_day"],
        "false_episodes_per_guest_day_before_sifting": before["false_episodes_per_guest_day"],
    }


def _by_cause(outcomes: Sequence[Sighting]) -> dict[str, dict[str, int]]:
    faults = Counter(sighting.incident.cause for sighting in outcomes)
    alarmed = Counter(sighting.incident.cause for sighting in outcomes if sighting.detected)
    return {cause: {"faults": faults[cause], "alarmed": alarmed[cause]} for cause in sorted(faults)}


def _named(sighting: Sighting) -> dict[str, object]:
    incident = sighting.incident
    return {
        "incident": incident.id,
        "cause": incident.cause,
        "entity": incident.entity,
        "start": f"{incident.start.astype('datetime64[s]')}Z",
        "end": f"{incident.end.astype('datetime64[s]')}Z",
    }


def _counts(detected: Sequence[Sighting], alarmed: Sequence[Sighting]) -> dict[str, int]:
    return {
        "judged": len(detected),
        "found": sum(one.detected for one in detected),
        "alarmed": sum(one.detected for one in alarmed),
    }
