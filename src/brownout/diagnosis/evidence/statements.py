"""Evidence: the sentence that says what was seen, or that nobody looked."""

from brownout.diagnosis.evidence.symptoms import Sight
from brownout.diagnosis.knowledge.evidence_rules import PLACES, EvidenceRule, Symptom
from brownout.domain.findings import Evidence, EvidenceState
from brownout.domain.forecasts import Series

__all__ = ["NOT_MEASURED", "PRESENT", "explain"]

PRESENT = 0.5
"""Strength from which a report calls a symptom present."""
NOT_MEASURED = "not measured: "
"""How the statement of missing evidence begins."""


def explain(rule: EvidenceRule, symptom: Symptom, sight: Sight | None) -> Evidence:
    """One step of the path from measurements to a cause."""
    if sight is None:
        return _step(rule, symptom, EvidenceState.MISSING, f"{NOT_MEASURED}{symptom.described} {PLACES[rule.where]}")
    state = EvidenceState.PRESENT if sight.strength >= PRESENT else EvidenceState.ABSENT
    found = sight.observation
    if found is None:
        statement = symptom.says.replace("{observed}", sight.label).replace("{entity}", sight.entity)
        return _step(rule, symptom, state, statement, sight)
    value = found.low if symptom.direction == "down" else found.high
    if found.surge is not None and symptom.measure in {"surge", "early"}:
        value = found.surge.peak
    statement = (
        symptom.says.replace("{observed}", figure(value))
        .replace("{usual}", figure(found.usual))
        .replace("{unit}", found.metric.unit)
        .replace("{entity}", sight.entity)
    )
    return _step(rule, symptom, state, statement, sight)


def _step(
    rule: EvidenceRule, symptom: Symptom, state: EvidenceState, statement: str, sight: Sight | None = None
) -> Evidence:
    series = Series(sight.entity, sight.observation.metric.name) if sight and sight.observation else None
    return Evidence(
        symptom=symptom.id,
        role=rule.role,
        state=state,
        strength=round(sight.strength, 3) if sight else 0.0,
        series=series,
        statement=statement,
        source=symptom.source,
    )


def figure(value: float) -> str:
    """Three significant digits, no exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else "0"
