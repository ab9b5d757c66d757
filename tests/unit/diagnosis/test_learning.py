"""Learning: the knowledge keeps its signs, the incidents move the sizes, few incidents move little."""

import numpy as np

from brownout.diagnosis.knowledge import Knowledge
from brownout.diagnosis.learning import PRIOR_WEIGHT, Example, learn
from brownout.diagnosis.rules import CauseRule, EvidenceRule
from brownout.domain.findings import EvidenceRole
from brownout.domain.metrics import Family


def cause(name: str) -> CauseRule:
    rules = (
        EvidenceRule(symptom="for", where="self", role=EvidenceRole.NECESSARY),
        EvidenceRule(symptom="against", where="self", role=EvidenceRole.EXCLUDING),
    )
    return CauseRule(id=name, title=name, family=Family.CPU, kind="", prior=1, evidence=rules)


CAUSES = [cause("a"), cause("b")]


def examples(count: int, *, contrary: bool = False) -> list[Example]:
    """Incidents of cause a at the first of two entities; contrary ones show what speaks against it."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(count):
        strengths = np.zeros((4, 6))
        strengths[:, :4] = rng.uniform(0, 0.2, (4, 4))
        strengths[0, 1 if contrary else 0] = 0.9
        strengths[[0, 2], 4] = strengths[[1, 3], 5] = 1
        found.append(Example(strengths, (("x", "a"), ("x", "b"), ("y", "a"), ("y", "b")), 0))
    return found


def test_signs_are_kept_whatever_the_incidents_say() -> None:
    learned = learn(examples(200, contrary=True), CAUSES)
    assert learned.weights["a", "for self"] >= 0
    assert learned.weights["a", "against self"] <= 0
    assert learned.weights["a", "against self"] > -PRIOR_WEIGHT / 2


def test_no_incident_leaves_the_priors_and_few_move_them_little() -> None:
    assert learn([], CAUSES).weights["a", "for self"] == PRIOR_WEIGHT
    few, many = (learn(examples(n, contrary=True), CAUSES).weights["a", "against self"] for n in (2, 200))
    assert -PRIOR_WEIGHT < few < many


def test_what_ships_was_learned_for_what_ships() -> None:
    learned = [cause for cause in Knowledge.load().causes.values() if not cause.kind]
    assert {cause.id for cause in learned} == {"cpu", "memory", "disk", "network"}
    for rule in (rule for cause in learned for rule in cause.evidence):
        assert rule.weight is not None
        assert (rule.weight <= 0) == (rule.role is EvidenceRole.EXCLUDING), rule.name
