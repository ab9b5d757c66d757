"""Inference: from evidence to the probability of each (cause, entity), ``unknown`` among them.

The odds of a candidate are its prior times a factor for each piece of evidence. Necessary evidence that is
absent all but
rules it out; strong and supporting evidence speak for it as far as they are present, excluding evidence
against it; what
is missing speaks neither way, except that a cause whose necessary evidence is missing cannot be told from unknown. The
candidates and ``unknown``, which stands for everything that is not in the knowledge, share the probability.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from brownout.diagnosis.evidence import Sight, explain, see
from brownout.diagnosis.knowledge import CauseRule, EvidenceRule, Knowledge
from brownout.diagnosis.observation import IncidentWindow, Observations, observe
from brownout.domain.entities import Topology
from brownout.domain.findings import UNKNOWN, Cause, Diagnosis, Evidence, EvidenceRole
from brownout.domain.panel import Panel

__all__ = ["Diagnoser", "Weights"]


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Log-odds of evidence: at full strength (``present``) and at none (``absent``).

    ``unknown`` is the log-odds that an incident has a cause outside of the knowledge, on the scale of a
    candidate with a
    prior of 1 and no evidence. Modelling assumptions, the same for all causes.
    """

    necessary: tuple[float, float] = (4.0, -9.0)
    strong: tuple[float, float] = (3.0, -1.5)
    supporting: tuple[float, float] = (1.2, -0.4)
    excluding: tuple[float, float] = (-5.0, 0.4)
    missing_necessary: float = -5.0
    unknown: float = 2.5


@dataclass(frozen=True)
class Diagnoser:
    """Ranks causes of an incident."""

    knowledge: Knowledge
    weights: Weights = field(default_factory=Weights)
    keep: int = 10

    def diagnose(self, window: IncidentWindow, panels: Sequence[Panel], topology: Topology) -> Diagnosis:
        """Rank the causes at the window's entities; ``panels`` hold the window and its past."""
        observed = observe(panels, window.start, window.end)
        causes = self.rank(window.entities, observed, topology)
        return Diagnosis(
            id=window.id,
            start=window.start,
            end=window.end,
            open=window.open,
            entities=window.entities,
            episodes=tuple(episode.id for episode in window.episodes),
            causes=causes,
        )

    def rank(self, entities: Iterable[str], observed: Observations, topology: Topology) -> tuple[Cause, ...]:
        """Causes at the entities, most probable first, with ``unknown`` in its place."""
        candidates: list[tuple[float, CauseRule, str]] = []
        for entity in sorted(set(entities) & set(observed.metrics)):
            for rule in self.knowledge.causes.values():
                if rule.kind and rule.kind != topology[entity].kind:
                    continue
                candidates.append((self._odds(rule, entity, observed, topology), rule, entity))
        candidates.sort(key=lambda item: (-item[0], item[1].id, item[2]))
        odds = np.array([item[0] for item in candidates] + [self.weights.unknown])
        share = np.exp(odds - odds.max())
        share /= share.sum()
        causes = [
            Cause(
                id=rule.id,
                title=rule.title,
                family=rule.family.value,
                entity=entity,
                probability=float(probability),
                evidence=self._path(rule, entity, observed, topology),
            )
            for (_, rule, entity), probability in zip(candidates[: self.keep], share, strict=False)
        ]
        unknown = Cause(id=UNKNOWN, title="Unknown", family=UNKNOWN, entity="", probability=float(share[-1]))
        return tuple(sorted([*causes, unknown], key=lambda cause: -cause.probability))

    def _odds(self, cause: CauseRule, entity: str, observed: Observations, topology: Topology) -> float:
        total = float(np.log(cause.prior))
        for rule in cause.evidence:
            sight = see(rule, self.knowledge.symptoms[rule.symptom], entity, topology, observed)
            total += self._weigh(rule, sight)
            if rule.role is EvidenceRole.NECESSARY and total < -self.weights.unknown * 3:
                break
        return total

    def _weigh(self, rule: EvidenceRule, sight: Sight | None) -> float:
        if sight is None:
            return self.weights.missing_necessary if rule.role is EvidenceRole.NECESSARY else 0.0
        present, absent = {
            EvidenceRole.NECESSARY: self.weights.necessary,
            EvidenceRole.STRONG: self.weights.strong,
            EvidenceRole.SUPPORTING: self.weights.supporting,
            EvidenceRole.EXCLUDING: self.weights.excluding,
        }[rule.role]
        return absent + (present - absent) * sight.strength

    def _path(self, cause: CauseRule, entity: str, observed: Observations, topology: Topology) -> tuple[Evidence, ...]:
        return tuple(
            explain(
                rule,
                self.knowledge.symptoms[rule.symptom],
                see(rule, self.knowledge.symptoms[rule.symptom], entity, topology, observed),
            )
            for rule in cause.evidence
        )
