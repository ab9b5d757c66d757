"""The knowledge: symptoms and causes as data, checked when read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import networkx as nx

from brownout.diagnosis.knowledge.evidence_rules import CauseRule, EvidenceRule, Symptom
from brownout.diagnosis.knowledge.knowledge_checks import check
from brownout.diagnosis.knowledge.knowledge_reader import read_causes, read_learned, read_symptoms
from brownout.domain.definitions import definitions_folder
from brownout.domain.metrics import Catalogue

__all__ = ["CauseRule", "EvidenceRule", "Knowledge", "Symptom"]


@dataclass(frozen=True)
class Knowledge:
    """Symptoms and causes by id."""

    symptoms: Mapping[str, Symptom]
    causes: Mapping[str, CauseRule]

    @classmethod
    def load(cls, folder: Path | None = None) -> Self:
        """Read and check ``symptoms.toml``, ``causes.toml`` and, where there is one, ``learned.toml``.

        Raises KnowledgeError naming the item that is wrong.
        """
        folder = folder or definitions_folder() / "knowledge"
        symptoms = read_symptoms(folder, Catalogue.load())
        causes = read_learned(folder, read_causes(folder, symptoms))
        check(causes)
        return cls(symptoms, causes)

    def without(self, *causes: str) -> "Knowledge":
        """The same without some causes: what a diagnosis does not know, it must answer with unknown."""
        return Knowledge(self.symptoms, {name: rule for name, rule in self.causes.items() if name not in causes})

    def graph(self) -> "nx.DiGraph[str]":
        """Typed graph: symptom → cause with role and place, cause → family, cause – cause that look alike."""
        graph: nx.DiGraph[str] = nx.DiGraph()
        for symptom in self.symptoms.values():
            graph.add_node(symptom.id, type="symptom")
        for cause in self.causes.values():
            graph.add_node(cause.id, type="cause", title=cause.title)
            graph.add_edge(cause.id, f"family:{cause.family}", type="belongs to")
            for rule in cause.evidence:
                graph.add_edge(rule.symptom, cause.id, type=rule.role.value, where=rule.where)
        return graph
