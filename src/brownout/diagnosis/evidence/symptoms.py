"""The scene of an incident: how clearly each symptom is present at each place, from 0 to 1, or missing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from brownout.diagnosis.evidence.observation import Observation, Observations
from brownout.diagnosis.knowledge.evidence_rules import EvidenceRule, Symptom
from brownout.domain.entities import EntityKind, Topology
from brownout.domain.findings import EvidenceRole
from brownout.domain.metrics import Family

__all__ = ["Scene", "Sight"]

MOST = 0.6
"""A symptom of most guests is as strong as at this quantile over them."""
LINE_SHARE = 0.3
"""How much a crossed line counts by itself, where the value is near its usual one."""
STEADY = 0.85
"""Correlation with time from which a movement is a ramp."""
STIRRED = (0.5, 1.5)
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
MOSTLY = ("guests", "others", "consoles", "other_consoles")
"""Places where a symptom counts when most of the entities show it; elsewhere the worst one counts."""


@dataclass(frozen=True, slots=True)
class Sight:
    """A symptom seen somewhere: its strength, and the entity and observation, or label, that show it."""

    strength: float
    entity: str = ""
    observation: Observation | None = None
    label: str = ""


@dataclass(frozen=True)
class Scene:
    """What was observed, with the topology to find places in; what was looked at once is kept.

    ``explained`` are metrics of entities, and labels, that other causes account for: they count as not measured.
    """

    observed: Observations
    topology: Topology
    explained: frozenset[tuple[str, str]] = frozenset()
    _looks: dict[tuple[str, str], Sight | None] = field(default_factory=dict)
    _sights: dict[tuple[str, str, str], Sight | None] = field(default_factory=dict)
    _orders: dict[str, list[tuple[float, Sight]]] = field(default_factory=dict)
    _below: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def see(self, rule: EvidenceRule, symptom: Symptom, entity: str) -> Sight | None:
        """The symptom at the rule's place, seen from a candidate; None where nothing was measured."""
        key = (symptom.id, rule.where, entity)
        if key not in self._sights:
            if rule.where in {"anywhere", "elsewhere"}:
                self._sights[key] = self._over_all(symptom, entity, contrast=rule.where == "elsewhere")
            else:
                self._sights[key] = self._at(rule.where, symptom, entity)
        return self._sights[key]

    def accounted(
        self, rules: Iterable[EvidenceRule], symptoms: Mapping[str, Symptom], entity: str
    ) -> set[tuple[str, str]]:
        """Metrics of entities that a cause at an entity accounts for: those that speak for it and are there."""
        found: set[tuple[str, str]] = set()
        for rule in rules:
            symptom = symptoms[rule.symptom]
            sight = None if rule.role is EvidenceRole.EXCLUDING else self.see(rule, symptom, entity)
            if sight is not None and sight.observation is not None and sight.strength > 0:
                found |= {(place, _matter(sight.observation)) for place in self.places(rule.where, entity)}
        return found

    def places(self, where: str, entity: str) -> list[str]:
        """Entities that a place means, seen from a candidate."""
        if where == "self":
            return [entity]
        root = self.topology.root(entity)
        if where == "host":
            return [root]
        below = self._descendants(root)
        if where in KIND_AT:
            found = [e for e in below if self.topology[e].kind == KIND_AT[where]]
            return [e for e in found if e != entity] if where in {"others", "other_guest"} else found
        own = self._descendants(entity) if self.topology[entity].kind == EntityKind.VM else below
        consoles = [e for e in below if self.topology[e].kind == EntityKind.CONSOLE]
        return [e for e in consoles if (e in own) == (where == "consoles")]

    def _descendants(self, entity: str) -> tuple[str, ...]:
        if entity not in self._below:
            self._below[entity] = self.topology.descendants(entity)
        return self._below[entity]

    def _at(self, where: str, symptom: Symptom, entity: str) -> Sight | None:
        found = [self._look(symptom, place) for place in self.places(where, entity)]
        ordered = sorted((sight for sight in found if sight is not None), key=lambda sight: sight.strength)
        if not ordered:
            return None
        return ordered[min(int((1 - MOST) * len(ordered)), len(ordered) - 1)] if where in MOSTLY else ordered[-1]

    def _look(self, symptom: Symptom, entity: str) -> Sight | None:
        key = (symptom.id, entity)
        if key not in self._looks:
            self._looks[key] = self._first_look(symptom, entity)
        return self._looks[key]

    def _first_look(self, symptom: Symptom, entity: str) -> Sight | None:
        if symptom.label:
            value = self.topology[entity].labels.get(symptom.label, "")
            return Sight(float(value in symptom.values), entity, label=value) if value else None
        if symptom.measure == "silence":
            return self._silence(symptom, entity)
        if symptom.measure == "along":
            return self._along(symptom, entity)
        if symptom.metric:
            found = self.observed.of(entity, symptom.metric)
            if found is not None and (entity, _matter(found)) in self.explained:
                return None
            return None if found is None else Sight(level_strength(symptom, found), entity, found)
        sights = [
            Sight(surge_strength(symptom, found), entity, found)
            for found in self.observed.by_role(entity, symptom.role)
            if found.surge is not None
        ]
        return max(sights, key=lambda sight: sight.strength, default=None)

    def _silence(self, symptom: Symptom, entity: str) -> Sight | None:
        missing = self.observed.silence.get((entity, symptom.metric))
        if missing is None or symptom.low is None or symptom.high is None:
            return None
        return Sight(between(missing, symptom.low, symptom.high), entity)

    def _along(self, symptom: Symptom, entity: str) -> Sight | None:
        """How far a metric moved with another one; none where either is not measured or accounted for already."""
        own, other = (self.observed.of(entity, name) for name in (symptom.metric, symptom.along))
        if own is None or other is None or {(entity, _matter(own)), (entity, _matter(other))} & self.explained:
            return None
        return Sight(along_strength(symptom, own, other), entity, own)

    def _over_all(self, symptom: Symptom, entity: str, *, contrast: bool) -> Sight | None:
        """The strongest of all entities, or how much stronger than a candidate the strongest other one is."""
        ordered = self._order(symptom)
        if not contrast:
            return ordered[0][1] if ordered else None
        rival = next(((surge, sight) for surge, sight in ordered if sight.entity != entity), None)
        if rival is None:
            return None
        own = next((surge for surge, sight in ordered if sight.entity == entity), 0.0)
        return Sight(saturated(rival[0] - own, symptom.scale), rival[1].entity, rival[1].observation)

    def _order(self, symptom: Symptom) -> list[tuple[float, Sight]]:
        """All entities that show a surge, strongest first."""
        if symptom.id not in self._orders:
            sights = [sight for e in self.observed.entities if (sight := self._look(symptom, e)) is not None]
            pairs = [(_surge(symptom, s.observation), s) for s in sights if s.observation is not None]
            self._orders[symptom.id] = sorted(pairs, key=lambda pair: -pair[0])
        return self._orders[symptom.id]


def _matter(found: Observation) -> str:
    return found.metric.name if found.metric.family is Family.OTHER else found.metric.family.value


def level_strength(symptom: Symptom, found: Observation) -> float:
    """By lines, by deviation from the usual, or by both; by the trend too where the shape is a ramp.

    A value that is usually as far below its lines as they lie apart has deviated when it crosses them, however much it
    strays.
    """
    value = found.high if symptom.direction == "up" else found.low
    sign = 1 if symptom.direction == "up" else -1
    moved = _moved(symptom, found)
    if symptom.measure == "apart":
        moved = max(moved, sign * found.apart[0 if symptom.direction == "up" else 1])
    deviation = between(moved, *symptom.spreads)
    if symptom.shape == "ramp":
        return deviation * between(sign * found.trend, STEADY - 0.25, STEADY)
    if symptom.low is None or symptom.high is None:
        return deviation
    line = between(sign * value, sign * symptom.low, sign * symptom.high)
    if symptom.measure == "level":
        deviation = max(deviation, between(sign * (symptom.low - found.usual), 0, abs(symptom.high - symptom.low)))
    return line * (LINE_SHARE + (1 - LINE_SHARE) * deviation)


def _moved(symptom: Symptom, found: Observation) -> float:
    """Usual spreads that a metric went in the symptom's direction."""
    rise = found.high - found.usual if symptom.direction == "up" else found.usual - found.low
    return rise / found.spread


def along_strength(symptom: Symptom, found: Observation, other: Observation) -> float:
    """By the share of the other one's movement that this one made too, where it moved at all by more than chance."""
    moved, rival = (_moved(symptom, one) for one in (found, other))
    share = between(moved / rival, *symptom.spreads) if rival > 0 else 0.0
    return share * between(moved, *STIRRED)


def surge_strength(symptom: Symptom, found: Observation) -> float:
    """Bounded, so that no single enormous movement outweighs all other evidence."""
    return saturated(_surge(symptom, found), symptom.scale)


def _surge(symptom: Symptom, found: Observation) -> float:
    if found.surge is None:
        return 0.0
    return found.surge.early if symptom.measure == "early" else found.surge.whole


def saturated(surge: float, scale: float) -> float:
    """0 for no surge, 0.63 for one of ``scale``, towards 1."""
    return float(1 - np.exp(-max(surge, 0.0) / scale))


def between(value: float, low: float, high: float) -> float:
    """0 up to ``low``, 1 from ``high`` on, straight between."""
    return float(np.clip((value - low) / max(high - low, 1e-9), 0, 1))
