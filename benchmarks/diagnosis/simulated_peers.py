"""BARO's robust scorer and a random forest over symptoms, for incidents whose metrics are known by name.

BARO (Pham et al. 2024) ranks metrics by the largest robust deviation within the incident from the median before it, in
interquartile ranges; a metric's entity and family are the answer. The forest sees what the knowledge sees: the
strength of each symptom at each place that any cause looks for, from each entity.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from brownout.diagnosis.evidence.observation import observe
from brownout.diagnosis.evidence.symptoms import EvidenceLookup
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.entities import Topology
from brownout.domain.panel import Panel
from brownout.domain.truth import Incident

__all__ = ["Scored", "baro", "forest", "strengths"]

Ranking = list[tuple[str, str]]
NOTHING = ""


@dataclass(frozen=True, eq=False)
class Scored:
    """Strengths ``[entity, evidence]`` of an incident, and which entity suffered from what."""

    entities: tuple[str, ...]
    features: np.ndarray
    truth: tuple[str, ...]


def baro(panels: Sequence[Panel], start: np.datetime64) -> Ranking:
    """(entity, family) by BARO's robust scorer, best first, each once."""
    scored: list[tuple[float, str, str]] = []
    for panel in panels:
        before, within = panel.between(panel.start, start).values, panel.between(start, panel.end).values
        seen = np.isfinite(before).any(axis=1) & np.isfinite(within).any(axis=1)
        for row, column in zip(*np.nonzero(seen), strict=True):
            past = before[row, :, column]
            low, middle, high = np.quantile(past[np.isfinite(past)], (0.25, 0.5, 0.75))
            score = np.nanmax(np.abs(within[row, :, column] - middle)) / (high - low or 1.0)
            scored.append((float(score), panel.entity_ids[row], panel.metrics[column].family.value))
    return list(dict.fromkeys((entity, family) for _, entity, family in sorted(scored, reverse=True)))


def strengths(
    panels: Sequence[Panel], incident: Incident, start: np.datetime64, topology: Topology, knowledge: Knowledge
) -> Scored:
    """What the forest sees of an incident; what was not measured is as if it were absent."""
    lookup = EvidenceLookup(observe(panels, start, incident.end), topology)
    rules = {rule.name: rule for cause in knowledge.causes.values() if cause.kind for rule in cause.evidence}
    entities = tuple(entity.id for entity in topology if entity.group == incident.group)
    matches = [[lookup.find(rule, knowledge.symptoms, e) for rule in rules.values()] for e in entities]
    features = np.array([[match.strength if match else 0.0 for match in row] for row in matches], np.float32)
    truth = tuple(incident.cause if entity == incident.entity else NOTHING for entity in entities)
    return Scored(entities, features, truth)


def forest(seen: Sequence[Scored], asked: Sequence[Scored]) -> Iterator[Ranking]:
    """(entity, cause) of each incident by a forest that has seen others, best first."""
    model = RandomForestClassifier(200, class_weight="balanced", random_state=0)
    model.fit(np.vstack([one.features for one in seen]), [name for one in seen for name in one.truth])
    for one in asked:
        shares = model.predict_proba(one.features)
        scored = [
            (float(shares[row, column]), entity, str(name))
            for row, entity in enumerate(one.entities)
            for column, name in enumerate(model.classes_)
            if name
        ]
        yield [(entity, name) for _, entity, name in sorted(scored, reverse=True)]
