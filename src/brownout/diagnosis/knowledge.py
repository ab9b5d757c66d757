"""The knowledge: symptoms and causes as data, checked when read."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import networkx as nx

from brownout.domain.errors import KnowledgeError
from brownout.domain.findings import EvidenceRole
from brownout.domain.metrics import Catalogue, Family, Role, definitions_folder

__all__ = ["PLACES", "CauseRule", "EvidenceRule", "Knowledge", "Symptom"]

PLACES = ("self", "host", "disks", "interfaces", "links", "guests", "others", "any_guest", "consoles")
DIRECTIONS = ("up", "down", "either")


@dataclass(frozen=True, kw_only=True)
class Symptom:
    """What can be seen in one metric, or in any metric of some roles; see ``models/knowledge/symptoms.toml``."""

    id: str
    metric: str = ""
    role: tuple[Role, ...] = ()
    direction: str
    low: float | None = None
    high: float | None = None
    spreads: tuple[float, float] = (3.0, 9.0)
    shape: str = ""
    says: str
    source: str


@dataclass(frozen=True, kw_only=True)
class EvidenceRule:
    """A symptom at a place speaks for or against a cause."""

    symptom: str
    where: str
    role: EvidenceRole


@dataclass(frozen=True, kw_only=True)
class CauseRule:
    """A cause with its evidence; ``kind`` is the kind of its culprit, "" for any."""

    id: str
    title: str
    family: Family
    kind: str
    prior: float
    evidence: tuple[EvidenceRule, ...]


@dataclass(frozen=True)
class Knowledge:
    """Symptoms and causes by id."""

    symptoms: Mapping[str, Symptom]
    causes: Mapping[str, CauseRule]

    @classmethod
    def load(cls, folder: Path | None = None) -> Self:
        """Read ``symptoms.toml`` and ``causes.toml``; raises KnowledgeError naming the item that is wrong."""
        folder = folder or definitions_folder() / "knowledge"
        catalogue = Catalogue.load()
        symptoms = {name: _symptom(name, table, catalogue) for name, table in _tables(folder, "symptoms").items()}
        causes = {name: _cause(name, table, symptoms) for name, table in _tables(folder, "causes").items()}
        return cls(symptoms, causes)

    def graph(self) -> "nx.DiGraph[str]":
        """Typed graph: symptom → cause with role and place, cause → family."""
        graph: nx.DiGraph[str] = nx.DiGraph()
        for symptom in self.symptoms.values():
            graph.add_node(symptom.id, type="symptom")
        for cause in self.causes.values():
            graph.add_node(cause.id, type="cause", title=cause.title)
            graph.add_edge(cause.id, f"family:{cause.family}", type="belongs to")
            for rule in cause.evidence:
                graph.add_edge(rule.symptom, cause.id, type=rule.role.value, where=rule.where)
        return graph


def _tables(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    path = folder / f"{name}.toml"
    try:
        with path.open("rb") as file:
            tables: dict[str, dict[str, Any]] = tomllib.load(file)[name]
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise KnowledgeError(f"{path} cannot be read: {error}.", remedy=f"Give TOML tables [{name}.ID].") from error
    return tables


def _symptom(name: str, table: Mapping[str, Any], catalogue: Catalogue) -> Symptom:
    fields = dict(table)
    if ("metric" in fields) == ("role" in fields):
        raise KnowledgeError(f"Symptom {name!r} names {sorted(fields)}.", remedy="Give it either a metric or roles.")
    if "metric" in fields and fields["metric"] not in catalogue.metrics:
        msg = f"Symptom {name!r} names the unknown metric {fields['metric']!r}."
        raise KnowledgeError(msg, remedy="Use a metric of catalogue.toml.")
    if fields.get("direction") not in DIRECTIONS:
        msg = f"Symptom {name!r} has the direction {fields.get('direction')!r}."
        raise KnowledgeError(msg, remedy=f"Use one of {DIRECTIONS}.")
    try:
        fields["role"] = tuple(Role(role) for role in fields.get("role", ()))
        fields["spreads"] = tuple(fields.get("spreads", (3.0, 9.0)))
        return Symptom(id=name, **fields)
    except (TypeError, ValueError) as error:
        msg = f"Symptom {name!r} cannot be read: {error}."
        raise KnowledgeError(msg, remedy="Correct its table in symptoms.toml.") from error


def _cause(name: str, table: Mapping[str, Any], symptoms: Mapping[str, Symptom]) -> CauseRule:
    try:
        rules = tuple(_rule(name, rule, symptoms) for rule in table["evidence"])
        cause = CauseRule(
            id=name,
            title=str(table["title"]),
            family=Family(table["family"]),
            kind=str(table["kind"]),
            prior=float(table["prior"]),
            evidence=rules,
        )
    except (KeyError, TypeError, ValueError) as error:
        msg = f"Cause {name!r} cannot be read: {error!r}."
        raise KnowledgeError(msg, remedy="Give it title, family, kind, prior and evidence.") from error
    if not any(rule.role is EvidenceRole.NECESSARY for rule in rules):
        raise KnowledgeError(f"Cause {name!r} has no necessary evidence.", remedy="Name what must be seen for it.")
    return cause


def _rule(cause: str, table: Mapping[str, Any], symptoms: Mapping[str, Symptom]) -> EvidenceRule:
    rule = EvidenceRule(symptom=table["symptom"], where=table["where"], role=EvidenceRole(table["role"]))
    if rule.symptom not in symptoms or rule.where not in PLACES:
        msg = f"Cause {cause!r} has evidence {rule.symptom!r} at {rule.where!r}."
        raise KnowledgeError(msg, remedy=f"Use a symptom of symptoms.toml and a place of {PLACES}.")
    return rule
