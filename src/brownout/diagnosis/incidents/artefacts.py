"""Artefacts: incidents that look like faults and are none, and the episodes that they explain."""

from collections.abc import Sequence

from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.findings import (
    Cause,
    Diagnosis,
    Episode,
    EvidenceRole,
    EvidenceState,
    Mover,
    SuppressedEpisode,
    SuppressionReason,
)

__all__ = ["by_nature", "explained_by_artefact", "is_artefact", "movers_of"]

SURE = 0.8
"""Probability that the artefacts among the causes must have together for anything to be left unalarmed."""

OWN_SHARE, OTHER_SHARE = 0.5, 0.15
"""Share of an episode's level that an artefact's own metrics must have made, and that no other metric may reach."""
TELLING_ROLES = (EvidenceRole.NECESSARY, EvidenceRole.STRONG)


def by_nature(window: IncidentWindow, knowledge: Knowledge) -> tuple[SuppressedEpisode, ...]:
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


def is_artefact(diagnosis: Diagnosis, reach: frozenset[str]) -> bool:
    """Whether the first cause is surely an artefact, and no fault is named beside it within its reach."""
    if not diagnosis.top.artefact or any(not cause.artefact and cause.entity in reach for cause in diagnosis.told):
        return False
    return sum(cause.probability for cause in diagnosis.causes if cause.artefact and not cause.contributing) >= SURE


def movers_of(cause: Cause, episodes: Sequence[Episode]) -> list[Mover]:
    """The movers of some episodes that speak for an artefact."""
    telling = {e.series for e in cause.evidence if e.state is EvidenceState.PRESENT and e.role in TELLING_ROLES}
    return [mover for episode in episodes for mover in episode.movers if mover.series in telling]


def explained_by_artefact(episode: Episode, cause: Cause) -> SuppressedEpisode:
    """An episode that an artefact explains, with what was seen of it."""
    statements = [e.statement for e in cause.evidence if e.state is EvidenceState.PRESENT and e.role in TELLING_ROLES]
    seen = f": {'; '.join(statements[:2])}" if statements else ""
    return SuppressedEpisode(
        episode=episode,
        why=SuppressionReason.ARTEFACT,
        reason=f"{cause.title} at {cause.entity}{seen}",
        because=cause.id,
    )
