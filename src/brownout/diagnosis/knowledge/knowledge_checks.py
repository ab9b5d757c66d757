"""What knowledge must fulfil as a whole: every cause can be seen, and told from every other or says that it cannot."""

from collections.abc import Mapping
from itertools import combinations

from brownout.diagnosis.knowledge.evidence_rules import CauseRule
from brownout.domain.definitions import Definition
from brownout.domain.findings import EvidenceRole

__all__ = ["check"]


def check(causes: Mapping[str, CauseRule], definitions: Mapping[str, Definition]) -> None:
    """Raise KnowledgeError for causes without necessary evidence and for pairs that nothing tells apart.

    ``definitions`` are the tables that the causes were read from, for the error to name.
    """
    for cause in causes.values():
        table = definitions[cause.id]
        if not any(rule.role is EvidenceRole.NECESSARY for rule in cause.evidence):
            raise table.error("it has no necessary evidence.", remedy="Name what must be seen.")
        names = [rule.name for rule in cause.evidence]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise table.error(f"it names {repeated} twice.", remedy="Keep one of them.")
        if cause.alike and not cause.decider:
            what = f"it is alike {list(cause.alike)}, and nothing is named that decides."
            raise table.error(what, remedy="Name the measurement that would tell them apart as decider.")
    for first, second in combinations(causes.values(), 2):
        same = first.kind == second.kind and _signature(first) == _signature(second)
        if same and second.id not in first.alike and first.id not in second.alike:
            what = f"nothing tells it from {first.id!r}: their evidence is the same."
            remedy = "Give one of them evidence of its own, or declare them alike."
            raise definitions[second.id].error(what, remedy=remedy)


def _signature(cause: CauseRule) -> frozenset[tuple[str, str]]:
    """Which evidence speaks for and which against a cause."""
    excluding = EvidenceRole.EXCLUDING
    return frozenset((rule.name, "against" if rule.role is excluding else "for") for rule in cause.evidence)
