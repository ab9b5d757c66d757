"""Reading knowledge from TOML; everything wrong is named."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from brownout.diagnosis.knowledge.evidence_rules import DIRECTIONS, MEASURES, PLACES, CauseRule, EvidenceRule, Symptom
from brownout.domain.errors import KnowledgeError
from brownout.domain.findings import EvidenceRole
from brownout.domain.metrics import Catalogue, Family, Role

__all__ = ["read_causes", "read_learned", "read_symptoms"]

OPTIONAL = ("alike", "decider", "artefact", "alone")


def read_symptoms(folder: Path, catalogue: Catalogue) -> dict[str, Symptom]:
    """Symptoms by id; raises KnowledgeError."""
    return {name: _symptom(name, table, catalogue) for name, table in _tables(folder, "symptoms").items()}


def read_causes(folder: Path, symptoms: Mapping[str, Symptom]) -> dict[str, CauseRule]:
    """Causes by id; raises KnowledgeError."""
    return {name: _cause(name, table, symptoms) for name, table in _tables(folder, "causes").items()}


def read_learned(folder: Path, causes: Mapping[str, CauseRule]) -> dict[str, CauseRule]:
    """The causes with the priors and weights of ``learned.toml``, where there is one; raises KnowledgeError."""
    if not (folder / "learned.toml").exists():
        return dict(causes)
    learned = _tables(folder, "learned")
    stray = sorted(set(learned) - set(causes))
    if stray:
        raise KnowledgeError(f"learned.toml names the causes {stray}.", remedy="Learn again, or remove them.")
    return {name: _with_learned(cause, learned[name]) if name in learned else cause for name, cause in causes.items()}


def _with_learned(cause: CauseRule, table: Mapping[str, Any]) -> CauseRule:
    names = {rule.name for rule in cause.evidence}
    if set(table.get("weights", ())) != names or "prior" not in table:
        msg = f"learned.toml does not give a prior and the weights {sorted(names)} of {cause.id!r}."
        raise KnowledgeError(msg, remedy="Learn again: python benchmarks/diagnosis/learn.py.")
    rules = tuple(replace(rule, weight=float(table["weights"][rule.name])) for rule in cause.evidence)
    return replace(cause, prior=float(table["prior"]), evidence=rules)


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
    if sum(key in fields for key in ("metric", "role", "label")) != 1:
        msg = f"Symptom {name!r} names {sorted(fields)}."
        raise KnowledgeError(msg, remedy="Give it one of: a metric, roles, a label.")
    for key in ("metric", "along"):
        if key in fields and fields[key] not in catalogue.metrics:
            msg = f"Symptom {name!r} names the unknown metric {fields[key]!r}."
            raise KnowledgeError(msg, remedy="Use a metric of catalogue.toml.")
    if (fields.get("measure") == "along") != bool({"along"} & set(fields)):
        msg = f"Symptom {name!r} gives only one of along and the measure of that name."
        raise KnowledgeError(msg, remedy="Give both: the metric that it is compared with, and the measure.")
    if "label" in fields:
        fields |= {"measure": "label", "direction": "either"}
    for key, allowed in (("direction", DIRECTIONS), ("measure", MEASURES)):
        if fields.get(key, "level" if key == "measure" else None) not in allowed:
            msg = f"Symptom {name!r} has the {key} {fields.get(key)!r}."
            raise KnowledgeError(msg, remedy=f"Use one of {allowed}.")
    try:
        fields["role"] = tuple(Role(role) for role in fields.get("role", ()))
        fields["spreads"] = tuple(fields.get("spreads", (3.0, 9.0)))
        fields["values"] = tuple(fields.get("values", ()))
        return Symptom(id=name, **fields)
    except (TypeError, ValueError) as error:
        msg = f"Symptom {name!r} cannot be read: {error}."
        raise KnowledgeError(msg, remedy="Correct its table in symptoms.toml.") from error


def _cause(name: str, table: Mapping[str, Any], symptoms: Mapping[str, Symptom]) -> CauseRule:
    try:
        cause = CauseRule(
            id=name,
            title=str(table["title"]),
            family=Family(table["family"]),
            kind=str(table["kind"]),
            prior=float(table["prior"]),
            evidence=tuple(_rule(name, rule, symptoms) for rule in table["evidence"]),
            alike=tuple(table.get("alike", ())),
            decider=str(table.get("decider", "")),
            artefact=bool(table.get("artefact", False)),
            alone=tuple(table.get("alone", ())),
        )
    except (KeyError, TypeError, ValueError) as error:
        msg = f"Cause {name!r} cannot be read: {error!r}."
        raise KnowledgeError(msg, remedy="Give it title, family, kind, prior and evidence.") from error
    stray = sorted(set(table) - {"title", "family", "kind", "prior", "evidence", *OPTIONAL})
    if stray:
        raise KnowledgeError(f"Cause {name!r} has unknown keys {stray}.", remedy=f"Use {OPTIONAL} beside the others.")
    return cause


def _rule(cause: str, table: Mapping[str, Any], symptoms: Mapping[str, Symptom]) -> EvidenceRule:
    rule = EvidenceRule(
        symptom=table["symptom"],
        where=table["where"],
        role=EvidenceRole(table["role"]),
        weight=float(table["weight"]) if "weight" in table else None,
    )
    if rule.symptom not in symptoms or rule.where not in PLACES:
        msg = f"Cause {cause!r} has evidence {rule.symptom!r} at {rule.where!r}."
        raise KnowledgeError(msg, remedy=f"Use a symptom of symptoms.toml and a place of {PLACES}.")
    return rule
