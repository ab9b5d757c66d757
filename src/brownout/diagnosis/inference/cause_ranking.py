"""Inference: from evidence to the probability of each (cause, entity), ``unknown`` among them.

The odds of a candidate are its prior times a factor for each piece of evidence, by its strength: a log-linear model.
Necessary evidence that a report calls absent all but rules a candidate out; strong and supporting evidence speak for it
as far as they are present, excluding evidence against it; what is missing speaks neither way, except that a cause whose
necessary evidence is missing cannot be told from unknown. A weight that was learned from labelled incidents takes the
place of the weight of a role. The candidates and ``unknown``, which stands for everything that is not in the knowledge,
share the probability.

Several causes can be at work at once. What the first one accounts for is then taken away: a further cause is named
when what is left speaks for it more clearly than for ``unknown``, by a margin for how seldom two incidents meet.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import log

import numpy as np

from brownout.diagnosis.evidence.observation import IncidentWindow, Observations, observe
from brownout.diagnosis.evidence.statements import PRESENT, explain
from brownout.diagnosis.evidence.symptoms import EvidenceLookup, SymptomMatch
from brownout.diagnosis.inference.explanation import counter_evidence, decider, summarise
from brownout.diagnosis.knowledge.evidence_rules import CauseRule, EvidenceRule
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.entities import EntityKind, Topology
from brownout.domain.findings import UNKNOWN, Cause, Diagnosis, Evidence, EvidenceRole
from brownout.domain.panel import Panel

__all__ = ["Candidate", "Diagnoser", "Weights"]

Span = tuple[np.datetime64, np.datetime64]
CLEAR = 0.6
"""Strength from which a symptom counts in full."""
MAX_CAUSES = 3
"""Causes named for one incident at most."""
NAMED_FROM = 0.5
"""Probability from which a contributing cause is named."""
HOPELESS = -12.0
"""Log-odds from which on nothing can make a candidate likely: the rest of its evidence is not looked at."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Log-odds of evidence: at full strength (``present``) and at none (``absent``).

    ``unknown`` is the log-odds that an incident has a cause outside of the knowledge, on the scale of a candidate
    with a prior of 1 and no evidence; ``another`` those of a second incident at the same place and time, and ``rest``
    those of one that episodes of their own speak for, which no other incident accounts for. These are modelling
    assumptions, the same for all causes.
    """

    necessary: tuple[float, float] = (4.0, -9.0)
    strong: tuple[float, float] = (3.0, -1.5)
    supporting: tuple[float, float] = (1.2, -0.4)
    excluding: tuple[float, float] = (-5.0, 0.1)
    missing_necessary: float = -5.0
    unknown: float = 2.5
    another: float = -1.5
    rest: float = -0.5

    def of(self, role: EvidenceRole) -> tuple[float, float]:
        """Present and absent weight of a role."""
        weights: tuple[float, float] = getattr(self, role.value)
        return weights


@dataclass(frozen=True, slots=True)
class Candidate:
    """A cause at an entity, with its log-odds."""

    cause: CauseRule
    entity: str
    odds: float


@dataclass(frozen=True)
class Diagnoser:
    """Ranks causes of an incident."""

    knowledge: Knowledge
    weights: Weights = field(default_factory=Weights)
    keep: int = 10

    def diagnose(
        self,
        window: IncidentWindow,
        panels: Sequence[Panel],
        topology: Topology,
        known: dict[Span, Observations] | None = None,
    ) -> Diagnosis:
        """Rank the causes at the window's entities; ``panels`` hold the window and the baseline before it.

        Where nothing was measured, or too little to compare with, the answer is ``unknown``. ``known`` are observations
        of the same panels by span; those of the window are put beside them.
        """
        known, span = {} if known is None else known, (window.start, window.end)
        if span not in known:
            known[span] = observe(panels, *span)
        observed = known[span]
        ranked = self.rank(window.entities, observed, topology, window.explained)
        rivals = (
            cause if cause.contributing else replace(cause, counter_evidence=counter_evidence(cause))
            for cause in ranked[1:]
        )
        causes = (ranked[0], *rivals)
        return Diagnosis(
            id=window.id,
            start=window.start,
            end=window.end,
            open=window.open,
            entities=window.entities,
            episodes=tuple(episode.id for episode in window.episodes),
            causes=causes,
            summary=summarise(causes, self.knowledge),
            decider=decider(causes, self.knowledge),
        )

    def rank(
        self,
        entities: Iterable[str],
        observed: Observations,
        topology: Topology,
        explained: frozenset[tuple[str, str]] = frozenset(),
    ) -> tuple[Cause, ...]:
        """Most probable first; each (cause, entity) at most once, ``unknown`` always among them.

        ``explained`` are resources of entities that other incidents account for: they speak for no cause, but still
        against one.
        """
        lookup = EvidenceLookup(observed, topology, explained)
        candidates = self.candidates(entities, lookup)
        unknown_odds = self.weights.unknown - (self.weights.rest if explained else 0.0)
        odds = np.array([candidate.odds for candidate in candidates] + [unknown_odds])
        share = np.exp(odds - odds.max())
        share /= share.sum()
        unknown = Cause(id=UNKNOWN, title="Unknown", family=UNKNOWN, entity="", probability=float(share[-1]))
        named = len(candidates) > 0 and odds[0] > odds[-1]
        contributing = self._contributing(candidates, lookup) if named else {}
        answer = [*candidates[: len(contributing) and 1], *contributing]
        rest = [
            self._cause(candidate, float(probability), lookup)
            for candidate, probability in zip(candidates[: self.keep], share, strict=False)
            if candidate not in answer
        ]
        first = [
            self._cause(
                candidate,
                contributing.get(candidate, float(share[0])),
                lookup,
                contributing=candidate in contributing,
            )
            for candidate in answer
        ]
        return (*first, *sorted([*rest, unknown], key=lambda cause: -cause.probability))

    def _contributing(self, candidates: Sequence[Candidate], lookup: EvidenceLookup) -> dict[Candidate, float]:
        """Causes that are needed beside the first candidate, with the probability of each given those before it.

        Only entities of a kind are looked at: between others, effects travel along ways that nobody knows.
        """
        last, *others = [c for c in candidates if c.cause.kind and c.odds > self.weights.unknown] or [candidates[0]]
        explained: set[tuple[str, str]] = set()
        contributing: dict[Candidate, float] = {}
        while others and len(contributing) < MAX_CAUSES - 1:
            explained |= lookup.explained_by(last.cause.evidence, self.knowledge.symptoms, last.entity)
            rest = EvidenceLookup(lookup.observed, lookup.topology, frozenset(explained))
            odds = [self._odds(c.cause, c.entity, rest, excluding=lookup) - self.weights.unknown for c in others]
            best = int(np.argmax(odds))
            probability = float(1 / (1 + np.exp(-odds[best] - self.weights.another)))
            if probability < NAMED_FROM:
                break
            last = others.pop(best)
            contributing[last] = probability
        return contributing

    def _cause(
        self, candidate: Candidate, probability: float, lookup: EvidenceLookup, *, contributing: bool = False
    ) -> Cause:
        return Cause(
            id=candidate.cause.id,
            title=candidate.cause.title,
            family=candidate.cause.family.value,
            entity=candidate.entity,
            probability=probability,
            evidence=self._evidence(candidate, lookup),
            contributing=contributing,
            artefact=candidate.cause.artefact,
        )

    def candidates(self, entities: Iterable[str], lookup: EvidenceLookup) -> list[Candidate]:
        """All causes at all entities that carry them and that measured anything, most likely first."""
        whole = EvidenceLookup(lookup.observed, lookup.topology) if lookup.explained else None
        by_kind: dict[str, list[CauseRule]] = {}
        for rule in self.knowledge.causes.values():
            by_kind.setdefault(rule.kind, []).append(rule)
        candidates = [
            Candidate(rule, entity, self._odds(rule, entity, lookup, excluding=whole))
            for entity in entities
            for kind in _kinds_of_causes(entity, lookup)
            for rule in by_kind.get(kind, ())
        ]
        return sorted(candidates, key=lambda candidate: (-candidate.odds, candidate.cause.id, candidate.entity))

    def _odds(
        self, cause: CauseRule, entity: str, lookup: EvidenceLookup, *, excluding: EvidenceLookup | None = None
    ) -> float:
        """Log-odds of a cause at an entity; excluding evidence can be looked up in other observations."""
        total = log(cause.prior)
        for rule in cause.evidence:
            source = excluding if excluding is not None and rule.role is EvidenceRole.EXCLUDING else lookup
            total += self._weigh(rule, source.find(rule, self.knowledge.symptoms, entity))
            if rule.role is EvidenceRole.NECESSARY and rule.weight is None and total < HOPELESS:
                break
        return total

    def _weigh(self, rule: EvidenceRule, match: SymptomMatch | None) -> float:
        """Log-odds that a piece of evidence adds."""
        if match is None:
            unmet = rule.role is EvidenceRole.NECESSARY and not rule.if_measured
            return self.weights.missing_necessary if unmet else 0.0
        if rule.weight is not None:
            return rule.weight * match.strength
        present, absent = self.weights.of(rule.role)
        present, absent = 0.0 if rule.if_measured else present, 0.0 if rule.later else absent
        faint = rule.role is EvidenceRole.NECESSARY and match.strength < PRESENT
        return absent if faint else absent + (present - absent) * min(match.strength / CLEAR, 1.0)

    def _evidence(self, candidate: Candidate, lookup: EvidenceLookup) -> tuple[Evidence, ...]:
        symptoms = self.knowledge.symptoms
        return tuple(
            explain(rule, symptoms, lookup.find(rule, symptoms, candidate.entity)) for rule in candidate.cause.evidence
        )


def _kinds_of_causes(entity: str, lookup: EvidenceLookup) -> tuple[str, ...]:
    """Kinds of the causes that an entity can carry: its own, and "" for any if it has metrics known by role only.

    A host to which no path is measured carries the causes of paths itself: its consoles show them too.
    """
    kinds = {lookup.topology[entity].kind} - {""}
    if EntityKind.HOST in kinds and not lookup.entities_at("links", entity):
        kinds.add(EntityKind.LINK)
    if entity in lookup.observed.metrics and lookup.observed.generic(entity):
        kinds.add("")
    return tuple(kinds)
