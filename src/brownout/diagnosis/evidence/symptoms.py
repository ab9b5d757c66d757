"""Looking symptoms up: how clearly each is present at each place, from 0 to 1, or that it was not measured."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from brownout.diagnosis.evidence.observation import Observation, Observations
from brownout.diagnosis.knowledge.evidence_rules import EvidenceRule, Symptom
from brownout.domain.entities import EntityKind, Topology
from brownout.domain.findings import EvidenceRole
from brownout.domain.metrics import Family, Metric

__all__ = ["RAMP_CORRELATION", "EvidenceLookup", "SymptomMatch", "resource_of"]

MAJORITY_QUANTILE = 0.6
"""A symptom of most guests is as strong as at this quantile over them."""
LINE_SHARE = 0.3
"""How much a crossed line counts by itself, where the value is near its usual one."""
RAMP_CORRELATION = 0.85
"""Correlation with time from which a movement is a ramp."""
MOVED_SPREADS = (0.5, 1.5)
"""Usual spreads that a metric must have moved for it to have gone along with another one: not at all, and fully."""
KIND_AT = {
    "disks": "disk",
    "interfaces": "interface",
    "links": "link",
    "paths": "path",
    "guests": "vm",
    "others": "vm",
    "any_guest": "vm",
    "other_guest": "vm",
}
"""Kind of the entities that a place means, among those of the host."""
HOST_PLACES = frozenset({"host", "disks", "interfaces", "links", "paths", "guests", "any_guest"})
"""Places that are the same seen from any entity of a host."""
MAJORITY_PLACES = ("guests", "others", "consoles", "other_consoles")
"""Places where a symptom counts when most of the entities show it; elsewhere the strongest one counts."""


@dataclass(frozen=True, slots=True)
class SymptomMatch:
    """A symptom that was looked for: its strength, and the entity and observation, or label, that show it.

    ``symptom`` and ``where`` say which of the alternatives of an evidence rule it is.
    """

    strength: float
    entity: str = ""
    observation: Observation | None = None
    label: str = ""
    symptom: str = ""
    where: str = ""

    def shown_by(self, symptom: str, where: str) -> "SymptomMatch":
        """The same match, with the symptom and the place that it was looked for by."""
        return SymptomMatch(self.strength, self.entity, self.observation, self.label, symptom, where)


@dataclass(frozen=True)
class EvidenceLookup:
    """Observations of an incident, with the topology to find places in; each question is answered once and kept.

    ``explained`` are metrics of entities, and labels, that other causes account for: they count as not measured.
    """

    observed: Observations
    topology: Topology
    explained: frozenset[tuple[str, str]] = frozenset()
    _at_entity: dict[tuple[str, str], SymptomMatch | None] = field(default_factory=dict)
    _at_place: dict[tuple[str, str, str], SymptomMatch | None] = field(default_factory=dict)
    _by_surge: dict[str, list[tuple[float, SymptomMatch]]] = field(default_factory=dict)
    _below: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _roots: dict[str, str] = field(default_factory=dict)
    _members: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def find(self, rule: EvidenceRule, symptoms: Mapping[str, Symptom], entity: str) -> SymptomMatch | None:
        """The strongest of the rule's alternatives, seen from a suspected entity; None where nothing was measured."""
        if not rule.alternatives:
            return self._at(rule.where, symptoms[rule.symptom], entity)
        matches = [self._at(where, symptoms[symptom], entity) for symptom, where in rule.parts]
        return max((match for match in matches if match), key=lambda match: match.strength, default=None)

    def _at(self, where: str, symptom: Symptom, entity: str) -> SymptomMatch | None:
        """The symptom at a place, seen from a suspected entity; None where nothing was measured."""
        key = (symptom.id, where, self._root(entity) if where in HOST_PLACES else entity)
        if key not in self._at_place:
            if where in {"anywhere", "elsewhere"}:
                match = self._over_all(symptom, entity, contrast=where == "elsewhere")
            else:
                match = self._among(where, symptom, entity)
            self._at_place[key] = None if match is None else match.shown_by(symptom.id, where)
        return self._at_place[key]

    def explained_by(
        self, rules: Iterable[EvidenceRule], symptoms: Mapping[str, Symptom], entity: str
    ) -> set[tuple[str, str]]:
        """Metrics of entities that a cause at an entity accounts for: those of all symptoms of its evidence present."""
        explained: set[tuple[str, str]] = set()
        for symptom, where in (
            part for rule in rules if rule.role is not EvidenceRole.EXCLUDING for part in rule.parts
        ):
            match = self._at(where, symptoms[symptom], entity)
            if match is not None and match.observation is not None and match.strength > 0:
                resource = resource_of(match.observation.metric)
                explained |= {(member, resource) for member in self.entities_at(where, entity)}
        return explained

    def entities_at(self, where: str, entity: str) -> list[str]:
        """Entities that a place means, seen from a suspected entity."""
        if where == "self":
            return [entity]
        key = (where, entity)
        if key not in self._members:
            self._members[key] = self._entities_at(where, entity)
        return self._members[key]

    def _entities_at(self, where: str, entity: str) -> list[str]:
        root = self._root(entity)
        if where == "host":
            return [root]
        below = self._descendants(root)
        if where in KIND_AT:
            members = [name for name in below if self.topology[name].kind == KIND_AT[where]]
            return [name for name in members if name != entity] if where in {"others", "other_guest"} else members
        related = self._descendants(entity) if self.topology[entity].kind == EntityKind.VM else below
        consoles = [name for name in below if self.topology[name].kind == EntityKind.CONSOLE]
        return [name for name in consoles if (name in related) == (where == "consoles")]

    def _root(self, entity: str) -> str:
        if entity not in self._roots:
            self._roots[entity] = self.topology.root(entity)
        return self._roots[entity]

    def _descendants(self, entity: str) -> tuple[str, ...]:
        if entity not in self._below:
            self._below[entity] = self.topology.descendants(entity)
        return self._below[entity]

    def _among(self, where: str, symptom: Symptom, entity: str) -> SymptomMatch | None:
        """The strongest match at a place, or the one that most entities reach where the place asks for most."""
        members = self.entities_at(where, entity)
        if len(members) == 1:
            return self._match(symptom, members[0])
        matches = [self._match(symptom, member) for member in members]
        ordered = sorted((match for match in matches if match is not None), key=lambda match: match.strength)
        if not ordered:
            return None
        majority = min(int((1 - MAJORITY_QUANTILE) * len(ordered)), len(ordered) - 1)
        return ordered[majority] if where in MAJORITY_PLACES else ordered[-1]

    def _match(self, symptom: Symptom, entity: str) -> SymptomMatch | None:
        key = (symptom.id, entity)
        if key not in self._at_entity:
            self._at_entity[key] = self._evaluate(symptom, entity)
        return self._at_entity[key]

    def _evaluate(self, symptom: Symptom, entity: str) -> SymptomMatch | None:
        if symptom.label:
            value = self.topology[entity].labels.get(symptom.label, "")
            return SymptomMatch(float(value in symptom.values), entity, label=value) if value else None
        if symptom.measure == "silence":
            return self._silence(symptom, entity)
        if symptom.measure == "along":
            return self._along(symptom, entity)
        if symptom.metric:
            observation = self._unexplained(entity, symptom.metric)
            if observation is None:
                return None
            more = self.observed.of(entity, symptom.plus) if symptom.plus else None
            return SymptomMatch(level_strength(symptom, observation, more), entity, observation)
        matches = [
            SymptomMatch(surge_strength(symptom, observation), entity, observation)
            for observation in self.observed.by_role(entity, symptom.role)
            if observation.surge is not None
        ]
        return max(matches, key=lambda match: match.strength, default=None)

    def _unexplained(self, entity: str, metric: str) -> Observation | None:
        """An observation that no other cause accounts for."""
        observation = self.observed.of(entity, metric)
        if observation is None or (entity, resource_of(observation.metric)) in self.explained:
            return None
        return observation

    def _silence(self, symptom: Symptom, entity: str) -> SymptomMatch | None:
        missing = self.observed.silence.get((entity, symptom.metric))
        if missing is None or symptom.low is None or symptom.high is None:
            return None
        return SymptomMatch(between(missing, symptom.low, symptom.high), entity)

    def _along(self, symptom: Symptom, entity: str) -> SymptomMatch | None:
        """How far a metric moved with another one; None where either is not measured or accounted for already."""
        follower, leader = (self._unexplained(entity, name) for name in (symptom.metric, symptom.along))
        if follower is None or leader is None:
            return None
        return SymptomMatch(along_strength(symptom, follower, leader), entity, follower)

    def _over_all(self, symptom: Symptom, entity: str, *, contrast: bool) -> SymptomMatch | None:
        """The strongest of all entities, or how much stronger than the suspect the strongest other one is."""
        ordered = self._strongest_surges(symptom)
        if not contrast:
            return ordered[0][1] if ordered else None
        rival = next(((surge, match) for surge, match in ordered if match.entity != entity), None)
        if rival is None:
            return None
        suspect_surge = next((surge for surge, match in ordered if match.entity == entity), 0.0)
        strength = saturated(rival[0] - suspect_surge, symptom.scale)
        return SymptomMatch(strength, rival[1].entity, rival[1].observation)

    def _strongest_surges(self, symptom: Symptom) -> list[tuple[float, SymptomMatch]]:
        """All entities that show a surge, strongest first."""
        if symptom.id not in self._by_surge:
            matches = [match for e in self.observed.entities if (match := self._match(symptom, e)) is not None]
            pairs = [(_surge(symptom, m.observation), m) for m in matches if m.observation is not None]
            self._by_surge[symptom.id] = sorted(pairs, key=lambda pair: -pair[0])
        return self._by_surge[symptom.id]


def resource_of(metric: Metric) -> str:
    """What a cause accounts for at an entity: all metrics of a family, but of the family "other" one by one."""
    return metric.name if metric.family is Family.OTHER else metric.family.value


def level_strength(symptom: Symptom, observation: Observation, more: Observation | None = None) -> float:
    """By lines, by deviation from the usual, or by both; by the trend too where the shape is a ramp.

    A value that is usually as far below its lines as they lie apart has deviated when it crosses them, however much it
    strays. ``more`` counts towards the lines as far as the metric has deviated.
    """
    value = observation.high if symptom.direction == "up" else observation.low
    sign = 1 if symptom.direction == "up" else -1
    moved = _moved(symptom, observation)
    if symptom.measure == "apart":
        moved = max(moved, sign * observation.apart[0 if symptom.direction == "up" else 1])
    deviation = between(moved, *symptom.spreads)
    if more is not None:
        value += deviation * (more.high if symptom.direction == "up" else more.low)
    line = 1.0
    if symptom.low is not None and symptom.high is not None:
        line = between(sign * value, sign * symptom.low, sign * symptom.high)
    if symptom.shape == "ramp":
        return line * deviation * between(sign * observation.trend, RAMP_CORRELATION - 0.25, RAMP_CORRELATION)
    if symptom.low is None or symptom.high is None:
        return deviation
    if symptom.measure == "level":
        gap = sign * (symptom.low - (observation.usual_high if symptom.direction == "up" else observation.usual_low))
        deviation = max(deviation, between(gap, 0, abs(symptom.high - symptom.low)))
    return line * (LINE_SHARE + (1 - LINE_SHARE) * deviation)


def _moved(symptom: Symptom, observation: Observation) -> float:
    """Usual spreads that a metric went in the symptom's direction."""
    return observation.rise if symptom.direction == "up" else observation.fall


def along_strength(symptom: Symptom, follower: Observation, leader: Observation) -> float:
    """By the share of the leader's movement that the follower made too, where it moved by more than chance."""
    moved, lead = (_moved(symptom, observation) for observation in (follower, leader))
    share = between(moved / lead, *symptom.spreads) if lead > 0 else 0.0
    return share * between(moved, *MOVED_SPREADS)


def surge_strength(symptom: Symptom, observation: Observation) -> float:
    """Bounded, so that no single enormous movement outweighs all other evidence."""
    return saturated(_surge(symptom, observation), symptom.scale)


def _surge(symptom: Symptom, observation: Observation) -> float:
    if observation.surge is None:
        return 0.0
    return observation.surge.early if symptom.measure == "early" else observation.surge.whole


def saturated(surge: float, scale: float) -> float:
    """0 for no surge, 0.63 for one of ``scale``, towards 1; what is small counts for little."""
    return float(1 - np.exp(-((max(surge, 0.0) / scale) ** 2)))


def between(value: float, low: float, high: float) -> float:
    """0 up to ``low``, 1 from ``high`` on, straight between."""
    return float(min(max((value - low) / max(high - low, 1e-9), 0.0), 1.0))
