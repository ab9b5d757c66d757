"""Findings: episodes, their causes with evidence, and what to do."""

from brownout.domain.findings.anomalies import (
    AnomalyScores,
    Episode,
    Mover,
    Shape,
    Shift,
    SuppressedEpisode,
    SuppressionReason,
)
from brownout.domain.findings.incident_causes import UNKNOWN, Cause, Diagnosis, Evidence, EvidenceRole, EvidenceState
from brownout.domain.findings.planned_actions import Action, Effect, Risk

__all__ = [
    "UNKNOWN",
    "Action",
    "AnomalyScores",
    "Cause",
    "Diagnosis",
    "Effect",
    "Episode",
    "Evidence",
    "EvidenceRole",
    "EvidenceState",
    "Mover",
    "Risk",
    "Shape",
    "Shift",
    "SuppressedEpisode",
    "SuppressionReason",
]
