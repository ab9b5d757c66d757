"""Statements: the sentence of a report that says what was seen, or that nobody measured it."""

from collections.abc import Mapping

from brownout.diagnosis.evidence.symptoms import SymptomMatch
from brownout.diagnosis.knowledge.evidence_rules import PLACES, EvidenceRule, Symptom
from brownout.domain.findings import Evidence, EvidenceState
from brownout.domain.forecasts import Series

__all__ = ["NOT_MEASURED", "PRESENT", "explain"]

PRESENT = 0.5
"""Strength from which a report calls a symptom present."""
NOT_MEASURED = "not measured: "
"""How the statement of missing evidence begins."""


def explain(rule: EvidenceRule, symptoms: Mapping[str, Symptom], match: SymptomMatch | None) -> Evidence:
    """One step of the path from measurements to a cause; ``match`` is None where nothing was measured."""
    symptom = symptoms[match.symptom if match and match.symptom else rule.symptom]
    if match is None:
        wanted = (f"{symptoms[name].described} {PLACES[where]}" for name, where in rule.parts)
        statement = f"{NOT_MEASURED}{' or '.join(wanted)}"
        return _evidence(rule, symptom, EvidenceState.MISSING, statement)
    state = EvidenceState.PRESENT if match.strength >= PRESENT else EvidenceState.ABSENT
    observation = match.observation
    if observation is None:
        statement = symptom.says.replace("{observed}", match.label).replace("{entity}", match.entity)
        return _evidence(rule, symptom, state, statement, match)
    value = observation.low if symptom.direction == "down" else observation.high
    if observation.surge is not None and symptom.measure in {"surge", "early"}:
        value = observation.surge.peak
    statement = (
        symptom.says.replace("{observed}", figure(value))
        .replace("{usual}", figure(observation.usual_low if symptom.direction == "down" else observation.usual_high))
        .replace("{unit}", observation.metric.unit)
        .replace("{entity}", match.entity)
    )
    return _evidence(rule, symptom, state, statement, match)


def _evidence(
    rule: EvidenceRule, symptom: Symptom, state: EvidenceState, statement: str, match: SymptomMatch | None = None
) -> Evidence:
    series = Series(match.entity, match.observation.metric.name) if match and match.observation else None
    return Evidence(
        symptom=symptom.id,
        role=rule.role,
        state=state,
        strength=round(match.strength, 3) if match else 0.0,
        series=series,
        statement=statement,
        source=symptom.source,
    )


def figure(value: float) -> str:
    """Three significant digits, no exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else "0"
