"""From measurements to evidence: what each metric did in an incident, and how clearly each symptom is present.

``observe`` compares a span with the baseline before it; ``EvidenceLookup`` finds symptoms at places of the topology;
``explain`` says in a sentence what was seen.
"""

from brownout.diagnosis.evidence.observation import IncidentWindow, Observation, Observations, observe
from brownout.diagnosis.evidence.statements import explain
from brownout.diagnosis.evidence.symptoms import EvidenceLookup, SymptomMatch

__all__ = [
    "EvidenceLookup",
    "IncidentWindow",
    "Observation",
    "Observations",
    "SymptomMatch",
    "explain",
    "observe",
]
