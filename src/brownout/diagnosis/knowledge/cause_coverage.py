"""Coverage: which causes can be told from what is measured, and what those that cannot are taken for."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from brownout.diagnosis.knowledge.evidence_rules import CauseRule
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.findings import EvidenceRole

__all__ = ["Loss", "losses"]

FOR = (EvidenceRole.NECESSARY, EvidenceRole.STRONG, EvidenceRole.SUPPORTING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A cause that lacks evidence, of what is ``lost``: it cannot be named where some of it is necessary.

    Else it is told less surely.
    """

    cause: CauseRule
    named: bool
    lost: Collection[str]

    def taken_for(self, knowledge: Knowledge) -> tuple[CauseRule, ...]:
        """Causes that the rest of its evidence speaks for as well."""
        return tuple(_alike(self.cause, knowledge, self.lost))


def losses(knowledge: Knowledge, lost: Collection[str]) -> Iterator[Loss]:
    """What it costs that some metrics and labels are not measured; causes known by roles alone do not count."""
    for cause in knowledge.causes.values():
        if not cause.kind:
            continue
        gone = {
            rule.role
            for rule in cause.evidence
            if rule.role in FOR[:2] and all(knowledge.symptoms[symptom].about in lost for symptom, _ in rule.parts)
        }
        if gone:
            named = EvidenceRole.NECESSARY not in gone
            yield Loss(cause=cause, named=named, lost=lost)


def _alike(cause: CauseRule, knowledge: Knowledge, lost: Collection[str]) -> Iterator[CauseRule]:
    """Causes whose necessary evidence is there, and nothing that excludes them, when only this cause is."""
    symptoms = {symptom for rule in cause.evidence if rule.role in FOR for symptom, _ in rule.parts}
    shown = {symptom for symptom in symptoms if knowledge.symptoms[symptom].about not in lost}
    for other in knowledge.causes.values():
        present: dict[EvidenceRole, list[bool]] = {role: [] for role in EvidenceRole}
        for rule in other.evidence:
            present[rule.role].append(any(symptom in shown for symptom, _ in rule.parts))
        fits = all(present[EvidenceRole.NECESSARY]) and not any(present[EvidenceRole.EXCLUDING])
        if other.kind and other.id != cause.id and fits:
            yield other
