"""Recurrence: what comes and goes at one place by one cause is one incident, not one for each time."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from brownout.diagnosis.evidence.observation import IncidentWindow, Observations
from brownout.diagnosis.evidence.symptoms import EvidenceLookup
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.entities import Topology
from brownout.domain.findings import UNKNOWN, Cause, Diagnosis, Episode, EvidenceRole, EvidenceState

__all__ = ["Told", "joined", "without_followers"]

PAUSE = np.timedelta64(4 * 3_600_000, "ms")
"""Longest pause of a fault that comes and goes."""

AROUND = np.timedelta64(1_200_000, "ms")
"""What begins so little before or after an incident goes on with it."""

Told = tuple[IncidentWindow, Diagnosis]
"""An incident and what was found out about it."""


def joined(found: Iterable[Told]) -> list[Told]:
    """Incidents in order of their start; those of the same cause at the same entity with short pauses are one.

    So are those of causes of one family at one entity that overlap: they are two names of one fault. The joined
    incident lasts from the first to the last of them and has the answer of the likeliest one.
    """
    kept: list[Told] = []
    for told in sorted(found, key=lambda told: (told[0].start, told[1].id)):
        place = next((place for place in reversed(range(len(kept))) if _belong(kept[place], told)), None)
        if place is None:
            kept.append(told)
        else:
            kept[place] = _one(kept[place], told)
    return kept


def without_followers(incidents: Sequence[Told], topology: Topology, knowledge: Knowledge) -> list[Told]:
    """Incidents without those that another one of the time explains; their episodes are the other incident's then.

    Whatever else a broken guest and its console show is no second fault, nor is what nothing explains on a host and
    begins and ends with a fault of that host, nor is a less sure cause that what another one shows speaks against:
    packets that a broken cable drops are not lost on the path as well.
    """
    kept = [told for told in incidents if told[1].top.id == UNKNOWN or told[1].top.artefact]
    known = [told for told in incidents if not any(told is other for other in kept)]
    for told in sorted(known, key=lambda told: told[1].top.probability):
        rest = [other for other in known if other is not told]
        host = next((place for place, other in enumerate(rest) if _overruled(told, other, topology, knowledge)), None)
        if host is not None:
            rest[host] = _with_episodes(rest[host], told[0].episodes)
            known = rest
    alone = []
    for window, diagnosis in kept:
        entities = {episode.entity for episode in window.episodes}
        host = next((place for place, told in enumerate(known) if _suffers(entities, window, told, topology)), None)
        if diagnosis.top.id != UNKNOWN or not entities or host is None:
            alone.append((window, diagnosis))
        else:
            known[host] = _with_episodes(known[host], window.episodes)
    return sorted([*known, *alone], key=lambda told: (told[0].start, told[1].id))


def _suffers(entities: set[str], window: IncidentWindow, told: Told, topology: Topology) -> bool:
    """Whether all of some entities hang on the culprit of an incident that goes on as they begin to suffer.

    On the whole host of a culprit they suffer from it where they begin with it and end with it, or before.
    """
    other, diagnosis = told
    culprit = diagnosis.top.entity
    if entities <= {culprit, *topology.descendants(culprit)}:
        return bool(other.start - AROUND <= window.start <= other.end + AROUND)
    beside = {topology.root(entity) for entity in entities} == {topology.root(culprit)}
    return beside and bool(abs(window.start - other.start) <= AROUND and window.end <= other.end + AROUND)


def _overruled(told: Told, other: Told, topology: Topology, knowledge: Knowledge) -> bool:
    """Whether another, surer incident of the whole time shows what speaks against the cause of an incident."""
    (window, diagnosis), (around, surer) = told, other
    meanwhile = around.start - AROUND <= window.start and window.end <= around.end + AROUND
    if not meanwhile or surer.top.probability <= diagnosis.top.probability:
        return False
    lookup, seen = EvidenceLookup(Observations(), topology), _shown(surer.top)
    return any(
        (symptom, entity) in seen
        for rule in knowledge.causes[diagnosis.top.id].evidence
        if rule.role is EvidenceRole.EXCLUDING and diagnosis.top.entity
        for symptom, where in rule.parts
        for entity in lookup.entities_at(where, diagnosis.top.entity)
    )


def _shown(cause: Cause) -> set[tuple[str, str]]:
    """Necessary symptoms of a cause that are present, with the entity that shows each."""
    return {
        (evidence.symptom, evidence.series.entity)
        for evidence in cause.evidence
        if evidence.role is EvidenceRole.NECESSARY
        and evidence.state is EvidenceState.PRESENT
        and evidence.series is not None
    }


def _with_episodes(told: Told, more: Sequence[Episode]) -> Told:
    window, diagnosis = told
    episodes = {episode.id: episode for episode in (*window.episodes, *more)}
    whole = replace(window, episodes=tuple(episodes.values()))
    return whole, replace(diagnosis, episodes=tuple(dict.fromkeys((*diagnosis.episodes, *episodes))))


def _belong(earlier: Told, later: Told) -> bool:
    """Whether a later incident is the earlier one again, or overlaps it by another name."""
    (before, first), (after, second) = earlier, later
    if _place(before, first) == _place(after, second):
        return bool(after.start - before.end <= PAUSE)
    known = UNKNOWN not in {first.top.id, second.top.id} and first.top.artefact == second.top.artefact
    same = (first.top.entity, first.top.family) == (second.top.entity, second.top.family)
    return bool(known and same and after.start <= before.end)


def _place(window: IncidentWindow, diagnosis: Diagnosis) -> tuple[str, str]:
    """Cause and entity; of an unknown cause the entity that deviated most."""
    if diagnosis.top.id != UNKNOWN or not window.episodes:
        return diagnosis.top.id, diagnosis.top.entity
    return UNKNOWN, max(window.episodes, key=lambda episode: episode.severity).entity


def _one(first: Told, second: Told) -> Told:
    """Two incidents as one, under the id of the first."""
    (window, diagnosis), (other_window, other) = first, second
    likelier = other if other.top.probability > diagnosis.top.probability else diagnosis
    episodes: dict[str, Episode] = {e.id: e for e in (*window.episodes, *other_window.episodes)}
    whole = replace(
        window,
        end=max(window.end, other_window.end),
        open=window.open or other_window.open,
        episodes=tuple(episodes.values()),
        entities=tuple(dict.fromkeys((*window.entities, *other_window.entities))),
    )
    answer = replace(
        likelier,
        id=diagnosis.id,
        start=min(diagnosis.start, other.start),
        end=max(diagnosis.end, other.end),
        open=diagnosis.open or other.open,
        episodes=tuple(dict.fromkeys((*diagnosis.episodes, *other.episodes))),
    )
    return whole, answer
