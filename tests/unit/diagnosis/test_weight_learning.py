"""Learning: the knowledge keeps its signs, the incidents move the sizes, few incidents move little."""

import numpy as np
import pytest

from brownout.diagnosis.evidence.surge import LEAST_SPREAD, UNIT_SPREADS
from brownout.diagnosis.evidence.symptoms import saturated
from brownout.diagnosis.inference.cause_ranking import Weights
from brownout.diagnosis.inference.weight_learning import PRIOR_WEIGHT, Example, Learned, _surprise, learn
from brownout.diagnosis.knowledge.evidence_rules import CauseRule, EvidenceRule
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
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


def test_healthy_spans_raise_what_it_takes_to_be_named_and_count_less_than_incidents() -> None:
    shown = examples(20)
    healthy = [Example(example.strengths, example.names, None) for example in examples(20)]
    before, after, drowned = (learn([*shown, *healthy * n], CAUSES).priors["b"] for n in (0, 1, 40))
    assert drowned < after < before
    assert shown[0].rank(weights_of(learn([*shown, *healthy], CAUSES))) == 1
    assert healthy[0].rank(weights_of(learn([*shown, *healthy * 200], CAUSES))) is None


def test_the_gradient_is_that_of_the_likelihood() -> None:
    rng = np.random.default_rng(1)
    weights = rng.normal(0, 1, 6)
    for example in (examples(1)[0], Example(examples(1)[0].strengths, examples(1)[0].names, None)):
        surprise, slope = _surprise(example, weights)
        rises = [(_surprise(example, weights + 1e-6 * step)[0] - surprise) / 1e-6 for step in np.eye(6)]
        np.testing.assert_allclose(slope, rises, atol=1e-4)
        assert surprise > 0


def test_the_place_of_the_right_one_counts_unknown_among_its_rivals() -> None:
    (example,) = examples(1)
    assert example.rank(np.zeros(6)) == 2
    assert example.rank(np.array([9.0, 0, 0, 0, 0, 0])) == 1
    assert Example(example.strengths, example.names, None).rank(np.array([9.0, 0, 0, 0, 0, 0])) == 1


@pytest.mark.parametrize("family", ["cpu", "memory", "disk"])
def test_a_tenfold_rise_of_one_metric_alone_is_named_whatever_was_learned_from(family: str) -> None:
    """Incidents that had no disk fault must not silence disk: at another site it may be what is wrong.

    The metric strays by a tenth otherwise.
    """
    knowledge = Knowledge.load()
    cause = knowledge.causes[family]
    odds, unit = np.log(cause.prior), UNIT_SPREADS * (0.1 + LEAST_SPREAD)
    for rule in cause.evidence:
        symptom = knowledge.symptoms[rule.symptom]
        if (
            rule.where == "self"
            and rule.role is not EvidenceRole.EXCLUDING
            and symptom.role[0].value.startswith(family)
        ):
            assert rule.weight is not None
            odds += rule.weight * saturated(np.log(10) / unit, symptom.scale)
    assert odds > Weights().unknown


def weights_of(learned: Learned) -> np.ndarray:
    """In the order of an example's columns."""
    return np.array([*learned.weights.values(), *learned.priors.values()])
