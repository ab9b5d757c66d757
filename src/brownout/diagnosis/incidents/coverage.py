"""Coverage: which episodes a cause accounts for, and what of them is left to be asked about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from brownout.diagnosis.evidence.observation import IncidentWindow, Observations
from brownout.diagnosis.evidence.symptoms import EvidenceLookup, resource_of
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.entities import Topology
from brownout.domain.findings import Cause, Episode, EvidenceRole, EvidenceState, Mover
from brownout.domain.metrics import Metric

__all__ = ["APART", "Coverage", "Resource", "covered_by", "explained_by", "reach_of"]

Resource = tuple[str, str]
"""An entity, and a resource of it that a cause accounts for."""

APART = np.timedelta64(3_600_000, "ms")
"""What begins so long before or after a cause does is not its work, unless its evidence says so."""
PAUSE = np.timedelta64(4 * 3_600_000, "ms")
"""What a cause moves follows within so long; what moved earlier did so by something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Episodes that a cause covers, those left over, and when the first metric moved that the cause accounts for.

    An episode is in both where some of its metrics moved at another time and by another mechanism: what is left over
    of it has only these, from when the first of them moved.
    """

    covered: tuple[Episode, ...]
    left: tuple[Episode, ...]
    onset: np.datetime64


def reach_of(cause: Cause, knowledge: Knowledge, topology: Topology) -> frozenset[str]:
    """The culprit, all that hangs on it, and the places where its evidence is looked for."""
    lookup = EvidenceLookup(Observations(), topology)
    members = {
        entity
        for rule in knowledge.causes[cause.id].evidence
        for _, where in rule.parts
        for entity in lookup.entities_at(where, cause.entity)
    }
    return frozenset({cause.entity, *topology.descendants(cause.entity), *members})


def explained_by(
    cause: Cause, knowledge: Knowledge, topology: Topology, metrics: Mapping[str, Metric]
) -> frozenset[Resource]:
    """Resources that a cause accounts for: those of its evidence that is present, wherever it was looked for.

    Where one of several symptoms shows a piece of evidence, the others show the same, and are accounted for as well.
    """
    lookup = EvidenceLookup(Observations(), topology)
    found: set[Resource] = set()
    for evidence, rule in zip(cause.evidence, knowledge.causes[cause.id].evidence, strict=False):
        present = evidence.state is EvidenceState.PRESENT and evidence.role is not EvidenceRole.EXCLUDING
        if not present or evidence.series is None or evidence.series.metric not in metrics:
            continue
        for symptom, where in rule.parts:
            name = knowledge.symptoms[symptom].metric
            if name in metrics:
                found |= {(e, resource_of(metrics[name])) for e in lookup.entities_at(where, cause.entity)}
    return frozenset(found)


def covered_by(
    window: IncidentWindow,
    span: tuple[np.datetime64, np.datetime64],
    resources: frozenset[Resource],
    *,
    reach: frozenset[str],
    metrics: Mapping[str, Metric],
) -> Coverage:
    """Split the episodes of a window by whether a cause explains them.

    ``span`` is where the cause was told, ``resources`` and ``reach`` are what it accounts for and can affect.
    """

    def explains(mover: Mover) -> bool:
        name = mover.series.metric
        return name in metrics and (mover.series.entity, resource_of(metrics[name])) in resources

    onsets = [max(m.onset, e.start) for e in window.episodes for m in e.movers if explains(m) and m.onset < span[1]]
    begun = [episode.start for episode in window.episodes if episode.movers]
    onset = _first_together(onsets or begun or [span[0]])
    covered, left = list[Episode](), list[Episode]()
    for episode in window.episodes:
        others = [mover for mover in episode.movers if not explains(mover)]
        overlaps = episode.start < span[1] + APART and episode.end > onset - APART
        if not overlaps or episode.entity not in reach or (others and len(others) == len(episode.movers)):
            left.append(episode)
            continue
        covered.append(episode)
        apart = tuple(m for m in others if abs(max(m.onset, episode.start) - onset) > APART)
        if apart:
            start = min(max(mover.onset, episode.start) for mover in apart)
            left.append(replace(episode, start=start, movers=apart, rules=()))
    return Coverage(covered=tuple(covered), left=tuple(left), onset=onset)


def _first_together(onsets: Sequence[np.datetime64]) -> np.datetime64:
    """The first onset from which on most follow without a long pause: one strange entity is not where a fault began."""
    ordered = sorted(onsets)
    first = len(ordered) // 2
    while first and ordered[first] - ordered[first - 1] <= PAUSE:
        first -= 1
    return ordered[first]
