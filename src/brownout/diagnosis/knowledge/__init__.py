"""Symptoms, evidence rules and causes as data, checked when they are read.

``Knowledge.load(site)`` reads what ships in ``models/knowledge/`` and a site's own tables over it.
"""

from brownout.diagnosis.knowledge.cause_coverage import Loss, losses
from brownout.diagnosis.knowledge.evidence_rules import PLACES, CauseRule, EvidenceRule, Symptom
from brownout.diagnosis.knowledge.knowledge_base import Knowledge

__all__ = ["PLACES", "CauseRule", "EvidenceRule", "Knowledge", "Loss", "Symptom", "losses"]
