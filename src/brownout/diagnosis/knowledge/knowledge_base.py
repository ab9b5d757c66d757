"""The knowledge: symptoms and causes as data, checked when read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from brownout.diagnosis.knowledge.evidence_rules import CauseRule, EvidenceRule, Symptom
from brownout.diagnosis.knowledge.knowledge_checks import check
from brownout.diagnosis.knowledge.knowledge_reader import read_causes, read_learned, read_symptoms
from brownout.domain.definitions import read_definitions
from brownout.domain.metrics import Catalogue

__all__ = ["CauseRule", "EvidenceRule", "Knowledge", "Symptom"]


@dataclass(frozen=True)
class Knowledge:
    """Symptoms and causes by id."""

    symptoms: Mapping[str, Symptom]
    causes: Mapping[str, CauseRule]

    @classmethod
    def load(cls, site: Path | None = None, *, shipped: Path | None = None, catalogue: Catalogue | None = None) -> Self:
        """Read ``symptoms.toml``, ``causes.toml`` and ``learned.toml``: those that ship, and a site's own over them.

        Raises KnowledgeError naming file, table and value of what is wrong.
        """
        catalogue = catalogue or Catalogue.load(site, shipped=shipped)
        symptoms, causes, learned = (
            read_definitions(section, site=site, shipped=shipped) for section in ("symptoms", "causes", "learned")
        )
        known = read_symptoms(symptoms, catalogue)
        rules = read_learned(learned, read_causes(causes, symptoms, catalogue), causes)
        check(rules, causes)
        return cls(known, rules)

    def without(self, *causes: str) -> "Knowledge":
        """The same without some causes: what a diagnosis does not know, it must answer with unknown."""
        return Knowledge(self.symptoms, {name: rule for name, rule in self.causes.items() if name not in causes})
