"""Reading symptoms, causes and learned weights from TOML; an error names file, table, value and the nearest name."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any, TypeVar

from brownout.diagnosis.knowledge.evidence_rules import (
    DIRECTIONS,
    MEASURES,
    PLACES,
    SHAPES,
    CauseRule,
    EvidenceRule,
    Symptom,
)
from brownout.domain.definitions import Definition
from brownout.domain.entities import NAMED_KINDS
from brownout.domain.findings import EvidenceRole
from brownout.domain.metrics import Catalogue, Family, Role

__all__ = ["read_causes", "read_learned", "read_symptoms"]

Definitions = Mapping[str, Definition]
Choice = TypeVar("Choice", bound=StrEnum)

SYMPTOM_KEYS = tuple(key for key in Symptom.__dataclass_fields__ if key not in {"id", "described"})
CAUSE_KEYS = tuple(key for key in CauseRule.__dataclass_fields__ if key != "id")
CAUSE_REQUIRED = ("title", "family", "kind", "prior", "evidence")
RULE_KEYS = ("symptom", "where", "role", "weight", "later", "if_measured", "or")
ALTERNATIVE_KEYS = ("symptom", "where")


def read_symptoms(definitions: Definitions, catalogue: Catalogue) -> dict[str, Symptom]:
    """Symptoms by id; raises KnowledgeError."""
    symptoms = {name: _symptom(definition, catalogue) for name, definition in definitions.items()}
    return {name: symptom for name, symptom in symptoms.items() if definitions[name].enabled}


def read_causes(definitions: Definitions, symptoms: Definitions, catalogue: Catalogue) -> dict[str, CauseRule]:
    """Causes by id, without evidence in symptoms that a site took out; raises KnowledgeError."""
    causes = {}
    for name, definition in definitions.items():
        cause = _cause(definition, symptoms, catalogue)
        for other in cause.alike:
            if other not in definitions:
                raise definition.unknown("cause in alike", other, definitions)
        if definition.enabled:
            alike = tuple(other for other in cause.alike if definitions[other].enabled)
            kept = (_enabled(rule, symptoms) for rule in cause.evidence)
            causes[name] = replace(cause, alike=alike, evidence=tuple(rule for rule in kept if rule is not None))
    return causes


def _enabled(rule: EvidenceRule, symptoms: Definitions) -> EvidenceRule | None:
    """A rule without the symptoms that a site took out; None where nothing is left of it."""
    parts = [(symptom, where) for symptom, where in rule.parts if symptoms[symptom].enabled]
    if not parts:
        return None
    return replace(rule, symptom=parts[0][0], where=parts[0][1], alternatives=tuple(parts[1:]))


def read_learned(
    learned: Definitions, causes: Mapping[str, CauseRule], definitions: Definitions
) -> dict[str, CauseRule]:
    """The causes with the priors and weights of ``learned.toml``; raises KnowledgeError.

    A prior or evidence that a site wrote itself stays as the site wrote it.
    """
    for name, table in learned.items():
        if name not in definitions:
            raise table.unknown("cause", name, definitions)
    return {
        name: _with_learned(cause, learned[name], definitions[name].site_keys) if name in learned else cause
        for name, cause in causes.items()
    }


def _with_learned(cause: CauseRule, learned: Definition, site_keys: frozenset[str]) -> CauseRule:
    learned.check_keys(("prior", "weights"), required=("prior", "weights"))
    if "prior" not in site_keys:
        cause = replace(cause, prior=_number(learned, "prior", learned.fields["prior"]))
    if "evidence" in site_keys:
        return cause
    weights, names = learned.fields["weights"], [rule.name for rule in cause.evidence]
    if set(weights) != set(names):
        what = f"the weights {sorted(weights)} are not those of the evidence {sorted(names)}."
        raise learned.error(what, remedy="Learn again: python benchmarks/diagnosis/learn.py.")
    rules = tuple(replace(rule, weight=_number(learned, rule.name, weights[rule.name])) for rule in cause.evidence)
    return replace(cause, evidence=rules)


def _symptom(definition: Definition, catalogue: Catalogue) -> Symptom:
    fields = dict(definition.fields)
    definition.check_keys(SYMPTOM_KEYS, required=("says", "source"))
    if sum(key in fields for key in ("metric", "role", "label")) != 1:
        raise definition.error(f"it names {sorted(fields)}.", remedy="Give it one of: a metric, roles, a label.")
    for key in ("metric", "along", "plus"):
        if key in fields and fields[key] not in catalogue.metrics:
            raise definition.unknown("metric", fields[key], catalogue.metrics)
    if (fields.get("measure") == "along") != ("along" in fields):
        what = "it gives only one of along and the measure of that name."
        raise definition.error(what, remedy="Give both: the metric that it is compared with, and the measure.")
    if "label" in fields:
        fields |= {"measure": "label", "direction": "either"}
    for key, allowed in (("direction", DIRECTIONS), ("measure", MEASURES), ("shape", SHAPES)):
        if key == "direction" or key in fields:
            _one_of(definition, key, fields.get(key, ""), allowed)
    fields["role"] = tuple(_choice(definition, "role", role, Role) for role in fields.get("role", ()))
    try:
        fields["spreads"] = tuple(fields.get("spreads", (3.0, 9.0)))
        fields["values"] = tuple(fields.get("values", ()))
        return Symptom(id=definition.id, described=_described(fields, catalogue), **fields)
    except (TypeError, ValueError) as error:
        raise definition.error(f"cannot be read: {error}.", remedy="Correct the table.") from error


def _described(fields: Mapping[str, Any], catalogue: Catalogue) -> str:
    """What has to be measured, for people."""
    if "metric" in fields:
        label = catalogue.metrics[fields["metric"]].label
        return label if label[:2].isupper() else label[:1].lower() + label[1:]
    return str(fields.get("label", "")).replace("_", " ") or " or ".join(r.replace("_", " ") for r in fields["role"])


def _cause(definition: Definition, symptoms: Definitions, catalogue: Catalogue) -> CauseRule:
    table = definition.fields
    definition.check_keys(CAUSE_KEYS, required=CAUSE_REQUIRED)
    if table["kind"]:
        _one_of(definition, "kind", table["kind"], NAMED_KINDS)
    for metric in table.get("alone", ()):
        if metric not in catalogue.metrics:
            raise definition.unknown("metric in alone", metric, catalogue.metrics)
    return CauseRule(
        id=definition.id,
        title=str(table["title"]),
        family=_choice(definition, "family", table["family"], Family),
        kind=table["kind"],
        prior=_number(definition, "prior", table["prior"]),
        evidence=tuple(_rule(definition, rule, symptoms) for rule in table["evidence"]),
        alike=tuple(table.get("alike", ())),
        decider=str(table.get("decider", "")),
        artefact=bool(table.get("artefact", False)),
        shared=bool(table.get("shared", False)),
        alone=tuple(table.get("alone", ())),
    )


def _rule(definition: Definition, table: Mapping[str, Any], symptoms: Definitions) -> EvidenceRule:
    for key in table:
        _one_of(definition, "key of evidence", key, RULE_KEYS)
    parts = [table, *table.get("or", ())]
    for part in parts:
        if part is not table:
            for key in part:
                _one_of(definition, "key of an alternative", key, ALTERNATIVE_KEYS)
        _one_of(definition, "symptom", part.get("symptom", ""), symptoms)
        _one_of(definition, "place (where)", part.get("where", ""), PLACES)
    role = _choice(definition, "role", table.get("role", ""), EvidenceRole)
    weight = _number(definition, "weight", table["weight"]) if "weight" in table else None
    (symptom, where), *alternatives = ((part["symptom"], part["where"]) for part in parts)
    return EvidenceRule(
        symptom=symptom,
        where=where,
        role=role,
        weight=weight,
        later=bool(table.get("later", False)),
        if_measured=bool(table.get("if_measured", False)),
        alternatives=tuple(alternatives),
    )


def _one_of(definition: Definition, what: str, value: str, allowed: Collection[str]) -> None:
    if value not in allowed:
        raise definition.unknown(what, value, allowed)


def _choice(definition: Definition, what: str, value: str, choices: type[Choice]) -> Choice:
    _one_of(definition, what, value, tuple(choices))
    return choices(value)


def _number(definition: Definition, what: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise definition.error(f"{what} = {value!r} is no number.", remedy="Write a number.")
    return float(value)
