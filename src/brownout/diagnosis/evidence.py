"""Evidence: how clearly a symptom is present at a place, as a strength between 0 and 1, or missing."""

from dataclasses import dataclass

import numpy as np

from brownout.diagnosis.knowledge import EvidenceRule, Symptom
from brownout.diagnosis.observation import Observation, Observations
from brownout.domain.entities import Topology
from brownout.domain.findings import Evidence, EvidenceState
from brownout.domain.forecasts import Series

__all__ = ["PRESENT", "Sight", "explain", "places", "see"]

PRESENT = 0.5
"""Strength from which a report calls a symptom present."""
MOST = 0.6
"""A symptom of most guests is as strong as at this quantile over them."""
LINE_SHARE = 0.3
"""How much a crossed line counts by itself, where the value is near its usual one."""
STEADY = 0.85
"""Correlation with time from which a movement is a ramp."""
KIND_AT = {
    "disks": "disk",
    "interfaces": "interface",
    "links": "link",
    "guests": "vm",
    "others": "vm",
    "any_guest": "vm",
}
"""Kind of the entities that a place means, among those of the host."""
ROLE_CAP = 300.0
"""Spreads at which a deviation known by its role only is as strong as can be."""


@dataclass(frozen=True, slots=True)
class Sight:
    """A symptom seen somewhere: its strength, and the entity and observation that show it; None = missing."""

    strength: float
    entity: str = ""
    observation: Observation | None = None


def places(where: str, entity: str, topology: Topology) -> list[str]:
    """Entities that a place means, seen from a candidate."""
    if where == "self":
        return [entity]
    root = topology.root(entity)
    if where == "host":
        return [root]
    below = topology.descendants(root)
    if where in KIND_AT:
        return [e for e in below if topology[e].kind == KIND_AT[where] and not (where == "others" and e == entity)]
    own = topology.descendants(entity) if topology[entity].kind == "vm" else below
    return [e for e in own if topology[e].kind == "console"]


def see(rule: EvidenceRule, symptom: Symptom, entity: str, topology: Topology, observed: Observations) -> Sight | None:
    """The symptom at the rule's place: most of several entities, the worst of the other kinds."""
    sights = [
        sight
        for place in places(rule.where, entity, topology)
        if (sight := _look(symptom, place, observed)) is not None
    ]
    if not sights:
        return None
    ordered = sorted(sights, key=lambda sight: sight.strength)
    if rule.where in {"guests", "others", "consoles"}:
        return ordered[min(int((1 - MOST) * len(ordered)), len(ordered) - 1)]
    return ordered[-1]


def _look(symptom: Symptom, entity: str, observed: Observations) -> Sight | None:
    if symptom.metric:
        found = observed.of(entity, symptom.metric)
        return None if found is None else Sight(_strength(symptom, found), entity, found)
    sights = [Sight(_role_strength(symptom, found), entity, found) for found in observed.by_role(entity, symptom.role)]
    return max(sights, key=lambda sight: sight.strength, default=None)


def _strength(symptom: Symptom, found: Observation) -> float:
    value = found.high if symptom.direction == "up" else found.low
    sign = 1 if symptom.direction == "up" else -1
    deviation = _between(sign * (value - found.usual) / found.spread, *symptom.spreads)
    if symptom.shape == "ramp":
        return deviation * _between(sign * found.trend, STEADY - 0.25, STEADY)
    if symptom.low is None or symptom.high is None:
        return deviation
    line = _between(sign * value, sign * symptom.low, sign * symptom.high)
    return line * (LINE_SHARE + (1 - LINE_SHARE) * deviation)


def _role_strength(symptom: Symptom, found: Observation) -> float:
    """By the logarithm of the deviation, so that of several that moved the one that moved most is strongest."""
    up, down = (found.high - found.usual) / found.spread, (found.usual - found.low) / found.spread
    moved = {"up": up, "down": down, "either": max(up, down)}[symptom.direction]
    return float(np.clip(np.log1p(max(moved - 1, 0)) / np.log1p(ROLE_CAP), 0, 1))


def _between(value: float, low: float, high: float) -> float:
    return float(np.clip((value - low) / max(high - low, 1e-9), 0, 1))


def explain(rule: EvidenceRule, symptom: Symptom, sight: Sight | None) -> Evidence:
    """The sentence of the report."""
    if sight is None or sight.observation is None:
        return Evidence(
            symptom=symptom.id,
            role=rule.role,
            state=EvidenceState.MISSING,
            strength=0.0,
            series=None,
            statement=f"not measured: {symptom.metric or ', '.join(symptom.role)} ({rule.where.replace('_', ' ')})",
            source=symptom.source,
        )
    found = sight.observation
    value = found.low if symptom.direction == "down" else found.high
    return Evidence(
        symptom=symptom.id,
        role=rule.role,
        state=EvidenceState.PRESENT if sight.strength >= PRESENT else EvidenceState.ABSENT,
        strength=round(sight.strength, 3),
        series=Series(sight.entity, found.metric.name),
        statement=symptom.says.replace("{observed}", _figure(value))
        .replace("{usual}", _figure(found.usual))
        .replace("{unit}", found.metric.unit)
        .replace("{entity}", sight.entity),
        source=symptom.source,
    )


def _figure(value: float) -> str:
    """Three significant digits, no exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else "0"
