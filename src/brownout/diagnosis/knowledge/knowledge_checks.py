"""What knowledge must fulfil as a whole: every cause can be seen, and told from every other or says that it cannot."""

from collections.abc import Mapping
from itertools import combinations

from brownout.diagnosis.knowledge.evidence_rules import CauseRule
from brownout.domain.errors import KnowledgeError
from brownout.domain.findings import EvidenceRole

__all__ = ["check"]


def check(causes: Mapping[str, CauseRule]) -> None:
    """Raise KnowledgeError for causes that nothing necessary shows and for pairs that nothing tells apart.

    Causes and symptoms can be taken out one by one: a symptom that no cause uses, or a look-alike that is gone, is
    fine.
    """
    for cause in causes.values():
        if not any(rule.role is EvidenceRole.NECESSARY for rule in cause.evidence):
            raise KnowledgeError(f"Cause {cause.id!r} has no necessary evidence.", remedy="Name what must be seen.")
        repeated = sorted({r.name for r in cause.evidence if sum(r.name == other.name for other in cause.evidence) > 1})
        if repeated:
            raise KnowledgeError(f"Cause {cause.id!r} names {repeated} twice.", remedy="Keep one of them.")
        if cause.alike and not cause.decider:
            msg = f"Cause {cause.id!r} is alike {list(cause.alike)}, and nothing is named that decides."
            raise KnowledgeError(msg, remedy="Name the measurement that would tell them apart as decider.")
    for one, other in combinations(causes.values(), 2):
        if one.kind == other.kind and _signature(one) == _signature(other) and other.id not in one.alike:
            msg = f"Nothing tells {one.id!r} from {other.id!r}: their evidence is the same."
            raise KnowledgeError(msg, remedy="Give one of them evidence of its own, or declare them alike.")


def _signature(cause: CauseRule) -> frozenset[tuple[str, str]]:
    """Which evidence speaks for and which against a cause."""
    against = EvidenceRole.EXCLUDING
    return frozenset((rule.name, "against" if rule.role is against else "for") for rule in cause.evidence)
