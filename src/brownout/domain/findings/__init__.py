"""Findings: episodes, their causes with evidence, and what to do; the alerts about them."""

from brownout.domain.findings.alerts import Alert, Notice, Severity, TimedAlert
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
from brownout.domain.findings.planned_actions import Action, Effect, Find, Risk

__all__ = [
    "UNKNOWN",
    "Action",
    "Alert",
    "AnomalyScores",
    "Cause",
    "Diagnosis",
    "Effect",
    "Episode",
    "Evidence",
    "EvidenceRole",
    "EvidenceState",
    "Find",
    "Mover",
    "Notice",
    "Risk",
    "Severity",
    "Shape",
    "Shift",
    "SuppressedEpisode",
    "SuppressionReason",
    "TimedAlert",
]
