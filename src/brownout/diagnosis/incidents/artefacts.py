"""Artefacts: incidents that look like faults and are none are told apart, and what else happens is diagnosed anew."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from brownout.diagnosis.evidence.observation import IncidentWindow, Observations
from brownout.diagnosis.evidence.symptoms import EvidenceLookup
from brownout.diagnosis.incidents.grouping import group_episodes
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.entities import Topology
from brownout.domain.findings import (
    UNKNOWN,
    Cause,
    Diagnosis,
    Episode,
    EvidenceRole,
    EvidenceState,
    SuppressedEpisode,
    SuppressionReason,
)

__all__ = ["Sifted", "sift"]

SURE = 0.8
"""Probability that the artefacts among the causes must have together for anything to be left unalarmed."""

OWN_SHARE, OTHER_SHARE = 0.5, 0.15
"""Share of an episode's level that an artefact's own metrics must have made, and that no other metric may reach."""
TELLING_ROLES = (EvidenceRole.NECESSARY, EvidenceRole.STRONG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sifted:
    """Incidents with their diagnoses, the episodes that an artefact explains, and what was said of those artefacts."""

    windows: tuple[IncidentWindow, ...]
    diagnoses: tuple[Diagnosis, ...]
    suppressed: tuple[SuppressedEpisode, ...]
    artefacts: tuple[Diagnosis, ...] = ()


def sift(
    window: IncidentWindow, diagnose: Callable[[IncidentWindow], Diagnosis], knowledge: Knowledge, topology: Topology
) -> Sifted:
    """Diagnose an incident; where an artefact is the cause, only what lies within its reach is explained by it.

    The rest is diagnosed again without the entities within reach, so that a fault beside an artefact stays an alarm.
    """
    waiting, suppressed = [window], list[SuppressedEpisode]()
    windows, diagnoses, artefacts = list[IncidentWindow](), list[Diagnosis](), list[Diagnosis]()
    while waiting:
        current = waiting.pop()
        diagnosis = diagnose(current)
        by_nature = _by_nature(current, knowledge) if diagnosis.top.id == UNKNOWN else ()
        if by_nature:
            suppressed += by_nature
            explained = {item.episode.id for item in by_nature}
            rest = [episode for episode in current.episodes if episode.id not in explained]
            waiting += [replace(part, entities=current.entities) for part in group_episodes(rest, topology)]
            continue
        reach = _reach(diagnosis.top, knowledge, topology) if diagnosis.top.artefact else frozenset()
        if not _is_artefact(diagnosis, reach):
            windows.append(current)
            diagnoses.append(diagnosis)
            continue
        artefacts.append(diagnosis)
        suppressed += [_suppressed(episode, diagnosis.top) for episode in current.episodes if episode.entity in reach]
        rest = [episode for episode in current.episodes if episode.entity not in reach]
        entities = tuple(entity for entity in current.entities if entity not in reach)
        waiting += [replace(part, entities=entities) for part in group_episodes(rest, topology)]
    return Sifted(
        windows=tuple(windows), diagnoses=tuple(diagnoses), suppressed=tuple(suppressed), artefacts=tuple(artefacts)
    )


def _by_nature(window: IncidentWindow, knowledge: Knowledge) -> tuple[SuppressedEpisode, ...]:
    """Episodes that nothing but metrics of an artefact's nature have made."""
    return tuple(
        SuppressedEpisode(
            episode=episode,
            why=SuppressionReason.ARTEFACT,
            reason=f"{cause.title} at {episode.entity}: nothing moved but what such a thing always moves",
            because=cause.id,
        )
        for episode in window.episodes
        for cause in knowledge.causes.values()
        if _alone(episode, cause.alone)
    )


def _alone(episode: Episode, metrics: Sequence[str]) -> bool:
    """Whether some metrics have made an episode and no other one had much part in it."""
    own = sum(mover.share for mover in episode.movers if mover.series.metric in metrics)
    others = (mover.share for mover in episode.movers if mover.series.metric not in metrics)
    return own >= OWN_SHARE and all(share < OTHER_SHARE for share in others)


def _is_artefact(diagnosis: Diagnosis, reach: frozenset[str]) -> bool:
    """Whether the first cause is surely an artefact, and no fault is named beside it within its reach."""
    if not diagnosis.top.artefact or any(not cause.artefact and cause.entity in reach for cause in diagnosis.told):
        return False
    return sum(cause.probability for cause in diagnosis.causes if cause.artefact and not cause.contributing) >= SURE


def _reach(cause: Cause, knowledge: Knowledge, topology: Topology) -> frozenset[str]:
    """The culprit, all that hangs on it, and the places where its evidence is looked for."""
    lookup = EvidenceLookup(Observations(), topology)
    members = {
        entity
        for rule in knowledge.causes[cause.id].evidence
        for _, where in rule.parts
        for entity in lookup.entities_at(where, cause.entity)
    }
    return frozenset({cause.entity, *topology.descendants(cause.entity), *members})


def _suppressed(episode: Episode, cause: Cause) -> SuppressedEpisode:
    statements = [e.statement for e in cause.evidence if e.state is EvidenceState.PRESENT and e.role in TELLING_ROLES]
    seen = f": {'; '.join(statements[:2])}" if statements else ""
    return SuppressedEpisode(
        episode=episode,
        why=SuppressionReason.ARTEFACT,
        reason=f"{cause.title} at {cause.entity}{seen}",
        because=cause.id,
    )
